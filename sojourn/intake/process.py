"""The router's batch: acknowledged events become profiles, entries and calls to Temporal, in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, insert, select, update

from sojourn.customers import consent
from sojourn.customers.consent_standing import Standing
from sojourn.customers.identity import random_id
from sojourn.customers.segments import Change
from sojourn.customers.segments import live as segments
from sojourn.delivery import brakes, doubts, sending
from sojourn.intake import merged, routing
from sojourn.intake.absorb import Absorbed, InboundRow, absorb
from sojourn.intake.asking import ask_of
from sojourn.intake.before import bring_up_to_date
from sojourn.intake.emit import emit, tell
from sojourn.intake.outbox import StartCall, TerminateCall
from sojourn.intake.routing import Begin, Decision, Entry, Quit, Reached, Refused, Tell
from sojourn.intake.touched import answers, to_judge
from sojourn.language.conditions import Explanation
from sojourn.language.shop import TRANSACTIONAL
from sojourn.store import itself, locks
from sojourn.store.itself import Restored
from sojourn.store.locks import ROUTER
from sojourn.store.tables import cursors, entries, events, inbound, outbox, refusals, sends
from sojourn.tracing import inject, span
from sojourn.travel.judge import assignments, in_holdout
from sojourn.travel.listening import ENTER_REQUESTED, Happened, is_machine
from sojourn.travel.registry import Registry

BATCH = 500
RESTARTED = "restarted"

_POSITION = select(cursors.c.seq).where(cursors.c.name == ROUTER)
_MOVE = update(cursors).where(cursors.c.name == ROUTER).values(seq=bindparam("to"))
_RUNNING = (
    select(entries.c.id)
    .where(entries.c.profile_id.in_(bindparam("ids", expanding=True)), entries.c.state == "running")
    .order_by(entries.c.id)
    .with_for_update(key_share=True)
)
_ENTRIES = select(entries).where(entries.c.profile_id.in_(bindparam("ids", expanding=True))).order_by(entries.c.started_at)
_SINCE = (
    select(events)
    .where(events.c.profile_id == bindparam("person"), events.c.time > bindparam("began", type_=events.c.time.type))
    .where(events.c.seq > 0)  # what an import brought is history, and no journey hears of it
    .order_by(events.c.time, events.c.seq)
)
_SINCE_AND_BEFORE = _SINCE.where(events.c.seq < select(events.c.seq).where(events.c.id == bindparam("message")).scalar_subquery())
_WAITING = select(inbound.c.seq).where(inbound.c.seq > func.coalesce(_POSITION.scalar_subquery(), 0)).limit(1)


@dataclass
class Processed:
    """What a batch came to.

    Attributes:
        events: how many were routed.
        calls: how many calls wait in the outbox because of it.
        lag: seconds between the last event's receipt and now.
        began: journeys that were entered.
        ended: journey and outcome of entries that ended without a worker.
        changes: who came into a segment, or left it.
    """

    events: int = 0
    calls: int = 0
    lag: float = 0.0
    began: list[str] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


def position(connection: Connection) -> int:
    """Return how far the router has come in the log."""
    return int(connection.execute(_POSITION).scalar() or 0)


def waits(connection: Connection) -> bool:
    """Tell whether any acknowledged event waits to be routed; it needs no lock, so asking often is cheap."""
    return connection.execute(_WAITING).first() is not None or bool(merged.beside_the_log(connection, 1))


def backlog(connection: Connection, at_most: int) -> int:
    """Return how many acknowledged events wait to be routed, counted as far as asked."""
    some = select(inbound.c.seq).where(inbound.c.seq > position(connection)).limit(at_most).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def process_batch(
    connection: Connection, registry: Registry, now: datetime, limit: int = BATCH, new_id: Callable[[], str] = random_id
) -> Processed:
    """Route the next acknowledged events; the cursor moves in the same transaction. Several routers take turns.

    Args:
        connection: of a writing transaction.
        registry: the definitions.
        now: the shop's present moment.
        limit: how many events at the most.
        new_id: gives the ids of new profiles.
    """
    after = locks.router_turn(connection)
    rows = connection.execute(select(inbound).where(inbound.c.seq > after).order_by(inbound.c.seq).limit(limit)).all()
    joined = merged.beside_the_log(connection, limit)
    if not rows and not joined:
        return Processed()
    came, identity = [InboundRow.of(row) for row in rows], registry.loaded.profile.identity
    before = bring_up_to_date(connection, registry, came, now)
    happened = absorb(connection, came, now, new_id, rules=registry.rules, identity=identity, emit=emit, secret=registry.secret)
    brakes.notice(connection, answers(happened), registry.shop.brakes, now)
    batch = _Batch(connection, registry, now)
    batch.route(happened)
    batch.catch_up([person for _, person in joined])
    batch.write()
    merged.heard_of(connection, joined, any(item.merges for item in happened), limit)
    batch.result.changes = [*before, *segments.judge_touched(connection, registry.book, to_judge(happened, registry), now, tell)]
    result = batch.result
    if rows:
        connection.execute(_MOVE, {"to": rows[-1].seq})
        result.lag = max((now - rows[-1].received_at).total_seconds(), 0.0)
    result.events = len(rows)
    if any(item.merges for item in happened):
        result.calls += merged.calls(connection)
    return result


class _Batch:
    """The decisions of one batch, gathered so that each table is written once."""

    def __init__(self, connection: Connection, registry: Registry, now: datetime) -> None:
        self.connection = connection
        self.registry = registry
        self.now = now
        self.result = Processed()
        self.entries: dict[str, list[Entry]] = {}
        self.begun: list[dict[str, Any]] = []
        self.changed: dict[str, dict[str, Any]] = {}
        self.calls: list[dict[str, Any]] = []
        self.refused: list[dict[str, Any]] = []
        self._people: list[str] = []
        self._standings: dict[tuple[str, str], Standing] | None = None  # None: nobody asked yet
        self._restored: Restored | Literal[False] | None = None  # None: not looked at yet

    # -- reading ---------------------------------------------------------------------------------

    def route(self, absorbed: Sequence[Absorbed]) -> None:
        self._people = list({item.profile_id for item in absorbed})
        self.entries = self._load_entries(self._people)
        messages = self._load_sends({str(key) for item in absorbed if (key := item.envelope.properties.get("send_key"))})
        for item in absorbed:
            event = self._as_of_who_stays(_happened(item, messages))
            if item.merges:
                theirs = self.entries.get(event.profile_id, [])
                twice = routing.one_too_many(self.registry, theirs)
                for entry in [entry for entry in theirs if entry.id not in twice]:
                    self._catch_up(entry, event.id)
            if not self._matters(event):
                continue
            for decision in self._decide(event):
                self._apply(decision, event)

    def _matters(self, event: Happened) -> bool:
        # Anyone on a journey may be told something; the others only where it can let them in.
        return event.name in self.registry.triggers or event.name == ENTER_REQUESTED or event.profile_id in self.entries

    def _decide(self, event: Happened) -> list[Decision]:
        return routing.decide(
            event,
            self.registry,
            self.entries.get(event.profile_id, []),
            self._ask,
            lambda purpose: self._consented(event.profile_id, purpose),
        )

    def _ask(self, condition: str, event: Happened) -> Explanation:
        return ask_of(self.connection, self.registry)(condition, event)

    def _consented(self, profile_id: str, purpose: str) -> bool:
        if purpose == TRANSACTIONAL:
            return True
        if self._standings is None:
            self._standings = consent.standings(self.connection, self._people)
        standing = self._standings.get((profile_id, purpose))
        word = None if standing is None else standing.word
        # A no counts also where silence is taken for a yes.
        return word.granted if word is not None else not self.registry.shop.needs_consent(purpose)

    def _load_entries(self, ids: Sequence[str]) -> dict[str, list[Entry]]:
        found: dict[str, list[Entry]] = defaultdict(list)
        if self.connection.dialect.name != "sqlite":
            self.connection.execute(_RUNNING, {"ids": ids})  # a worker may be about to end one
        for row in self.connection.execute(_ENTRIES, {"ids": ids}):
            self.registry.get(self.connection, row.version)
            found[row.profile_id].append(
                Entry(
                    row.id, row.journey, row.version, row.profile_id, row.key, row.workflow_id,
                    row.started_at, row.delayed_until, row.state == "running", row.goal_at, row.subject or row.profile_id, row.ended_at,
                )
            )  # fmt: skip
        return dict(found)

    def _as_of_who_stays(self, event: Happened) -> Happened:
        """Take engagement with a message of an entry that was merged for one with the message of the entry that goes on."""
        if event.send_entry_id is None:
            return event
        instead = routing.one_too_many(self.registry, self.entries.get(event.profile_id, []))
        return replace(event, send_entry_id=instead.get(event.send_entry_id, event.send_entry_id))

    def _load_sends(self, keys: set[str]) -> dict[str, tuple[str, str]]:
        if not keys:
            return {}
        query = select(sends.c.key, sends.c.entry_id, sends.c.send_id).where(sends.c.key.in_(bindparam("keys", expanding=True)))
        return {row.key: (row.entry_id, row.send_id) for row in self.connection.execute(query, {"keys": list(keys)})}

    # -- deciding --------------------------------------------------------------------------------

    def _apply(self, decision: Decision, event: Happened) -> None:
        match decision:
            case Begin():
                self._begin(decision)
            case Tell(entry=entry, arrived=arrived):
                self._doubt_if_before(entry, event.time, f"{event.name} came before the store was restored, and may have been answered")
                self._call("signal", entry, arrived.model_dump(mode="json", exclude_defaults=True))
            case Quit():
                self._quit(decision, event)
            case Reached(entry=entry, value=value):
                self._change(entry, goal_at=event.time, goal_event_id=event.id, goal_value=value)
                self._replace(replace(entry, goal_at=event.time))
            case Refused(journey=journey, reason=reason):
                self.refused.append(
                    {
                        "id": str(uuid4()), "journey": journey, "profile_id": event.profile_id,
                        "event_id": event.id, "reason": reason, "at": self.now,
                    }
                )  # fmt: skip

    def _begin(self, begin: Begin) -> None:
        entry, trigger = begin.entry, begin.trigger
        if begin.replaces is not None:
            self._end(begin.replaces, RESTARTED, f"{trigger.name} came again")
        program = self.registry.versions[entry.version].program
        variants = assignments(program, entry.profile_id)
        self.begun.append(
            {
                "id": entry.id, "journey": entry.journey, "version": entry.version, "profile_id": entry.profile_id,
                "subject": entry.profile_id, "key": entry.key, "workflow_id": entry.workflow_id, "trigger_id": trigger.id,
                "trigger": {"name": trigger.name, "time": trigger.time.isoformat(), "properties": dict(trigger.properties)},
                "variants": variants, "started_at": entry.started_at, "delayed_until": entry.delayed_until,
                "state": "running", "holdout": in_holdout(program, entry.profile_id),
            }
        )  # fmt: skip
        self.result.began.append(entry.journey)
        self._doubt_if_before(entry, trigger.time, f"{trigger.name} came before the store was restored, and may have been answered")
        self.entries.setdefault(entry.profile_id, []).append(entry)
        with span("route", trigger.trace, journey=entry.journey, entry=entry.id):
            trace = inject()
        call = StartCall(
            entry_id=entry.id,
            profile_id=entry.profile_id,
            version=entry.version,
            entered_at=entry.started_at,
            delayed_until=entry.delayed_until,
            variants=variants,
            replace=begin.replaces is not None,
            trace=trace,
            again=restored.at.isoformat() if (restored := self._restore()) is not None else "",
        )
        self._call("start", entry, call.model_dump(mode="json", exclude_defaults=True))
        self._catch_up(entry, trigger.id)

    def _doubt_if_before(self, entry: Entry, time: datetime, because: str) -> None:
        """Have an entry's sends be in doubt that does now what it may have done before a restore."""
        restored = self._restore()
        if restored is not None and time <= restored.shop_at:
            doubts.doubt(self.connection, entry.id, restored, doubts.later(restored, time, self.now), because)

    def _restore(self) -> Restored | None:
        if self._restored is None:
            self._restored = itself.restored(self.connection) or False
        return self._restored or None

    def catch_up(self, people: Sequence[str]) -> None:
        """Let the entries of people who were merged beside the log hear what happened to the one and to the other."""
        missing = [one for one in dict.fromkeys(people) if one not in self.entries]
        if missing:
            self.entries |= self._load_entries(missing)
        for one in dict.fromkeys(people):
            theirs = self.entries.get(one, [])
            twice = routing.one_too_many(self.registry, theirs)
            for entry in [entry for entry in theirs if entry.id not in twice]:
                self._catch_up(entry, None)

    def _catch_up(self, entry: Entry, message_id: str | None) -> None:
        """Route for an entry what happened after it began and was routed before this event: its trigger came late, or
        the person turned out to be one with another. What the entry has heard already it drops.
        """
        asked = {"person": entry.profile_id, "began": entry.started_at}
        if message_id is None:
            rows = self.connection.execute(_SINCE, asked).all()
        else:
            rows = self.connection.execute(_SINCE_AND_BEFORE, {**asked, "message": message_id}).all()
        messages = self._load_sends({row.send_key for row in rows if row.send_key})
        for row in rows:
            of_entry, of_send = messages.get(row.send_key or "", (None, None))
            later = self._as_of_who_stays(
                Happened(row.id, row.name, row.profile_id, row.time, row.properties, of_entry, of_send, machine=row.machine)
            )
            current = next(e for e in self.entries[entry.profile_id] if e.id == entry.id)
            for decision in routing.concern(later, self.registry, [current], self._ask):
                self._apply(decision, later)

    def _quit(self, decision: Quit, event: Happened) -> None:
        entry = decision.entry
        dormant = decision.dormant and entry.delayed_until is not None and self.now < entry.delayed_until
        if dormant:
            self._call("terminate", entry, TerminateCall(reason=f"{decision.outcome}: {decision.because}").model_dump())
        else:
            self._call("signal", entry, decision.arrived.model_dump(mode="json", exclude_defaults=True))
        self._end(entry, decision.outcome, decision.because)

    def _end(self, entry: Entry, outcome: str, because: str) -> None:
        self._change(entry, state="ended", outcome=outcome, because=because, ended_at=self.now)
        self.result.ended.append((entry.journey, outcome))
        self._replace(replace(entry, running=False, ended_at=self.now))

    def _replace(self, entry: Entry) -> None:
        kept = self.entries[entry.profile_id]
        was = next(i for i, e in enumerate(kept) if e.id == entry.id)
        kept[was] = replace(
            entry,
            running=entry.running and kept[was].running,
            goal_at=entry.goal_at or kept[was].goal_at,
            ended_at=kept[was].ended_at or entry.ended_at,
        )

    # -- writing ---------------------------------------------------------------------------------

    def _call(self, kind: str, entry: Entry, body: dict[str, Any]) -> None:
        self.calls.append({"kind": kind, "entry_id": entry.id, "workflow_id": entry.workflow_id, "body": body, "at": self.now})

    def _change(self, entry: Entry, **values: Any) -> None:
        self.changed.setdefault(entry.id, {}).update(values)

    def write(self) -> None:
        if self.begun:
            self.connection.execute(insert(entries), self.begun)
        for entry_id, values in sorted(self.changed.items(), key=lambda pair: pair[0]):
            self.connection.execute(update(entries).where(entries.c.id == entry_id).values(**values))
        self._withdraw_sends()
        if self.calls:
            self.connection.execute(insert(outbox), self.calls)
        if self.refused:
            known = select(refusals.c.journey, refusals.c.event_id).where(refusals.c.event_id.in_([r["event_id"] for r in self.refused]))
            seen = {tuple(row) for row in self.connection.execute(known)}
            fresh = [r for r in self.refused if (r["journey"], r["event_id"]) not in seen]
            if fresh:
                self.connection.execute(insert(refusals), fresh)
        self.result.calls = len(self.calls)

    def _withdraw_sends(self) -> None:
        """What an ended entry still held will not be asked for again: say why it was never sent."""
        ended = {entry_id: values["outcome"] for entry_id, values in self.changed.items() if values.get("state") == "ended"}
        if not ended:
            return
        waiting = select(sends.c.key, sends.c.entry_id).where(
            sends.c.entry_id.in_(bindparam("ended", expanding=True)), sends.c.state.in_(["planned", "held"])
        )
        for row in self.connection.execute(waiting, {"ended": list(ended)}).all():
            sending.withdraw(self.connection, row.key, f"exit: the journey ended as {ended[row.entry_id]}", self.now)


def _happened(item: Absorbed, messages: dict[str, tuple[str, str]]) -> Happened:
    envelope = item.envelope
    entry_id, send_id = messages.get(str(envelope.properties.get("send_key")), (None, None))
    return Happened(
        id=envelope.message_id,
        name=envelope.name,
        profile_id=item.profile_id,
        time=envelope.time,
        properties=envelope.properties,
        send_entry_id=entry_id,
        send_id=send_id,
        machine=is_machine(envelope.name, envelope.properties),
        withdrawn=item.withdrawn,
        trace=envelope.context.get("traceparent"),
    )
