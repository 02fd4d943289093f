"""Advances an entry by the store's facts: reads the person, judges, and makes the one effect that was reached.

The road of a send: facts, judgement and rendering in a reading transaction; the decisions, the frozen
message and the gate's claim in one writing transaction; the provider outside any; what came of it in
a last one. Each of these is shared by all who come to it at the same time. What was judged once stays
judged: a later attempt finds it in `decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from sojourn.clock import Clock, real_now
from sojourn.content import Contents
from sojourn.customers import profiles
from sojourn.customers.segments import due
from sojourn.customers.segments.causes import Cause
from sojourn.delivery import doubts, ledger, sending
from sojourn.delivery.engagement import Emit, Engagement
from sojourn.delivery.freezing import Made
from sojourn.delivery.ledger import SETTLED, SendRow, State, send_key
from sojourn.delivery.outcomes import Held
from sojourn.delivery.providers import Provider
from sojourn.delivery.routing import Routing, routing_of
from sojourn.delivery.rules import GateRules, rules_of
from sojourn.delivery.sending_many import Asked, Came, Deliveries
from sojourn.delivery.tokens import Links
from sojourn.errors import Transient, Unanswered
from sojourn.language.model import Call, Enter, Send, Set, Step
from sojourn.outbound import NoWeb, Outbound
from sojourn.prediction import Models
from sojourn.prediction.recommending import Recommender
from sojourn.store import itself
from sojourn.store.bulk import insert_new
from sojourn.store.database import Database
from sojourn.store.itself import Restored
from sojourn.store.tables import decisions, entries
from sojourn.together import Together
from sojourn.travel import calling
from sojourn.travel.asking import MAX_ROUNDS, Heard, hear
from sojourn.travel.listening import ENTER_REQUESTED
from sojourn.travel.prepared import Prepared, because_of, content_of, went
from sojourn.travel.preparing import Preparing
from sojourn.travel.program import FAILED
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Advance, Progress, Trail

# Statements are built once: building one costs more than SQLite takes to answer it.
_LED_BY = select(decisions.c.cursor).where(decisions.c.entry_id == bindparam("entry"), decisions.c.next_cursor == bindparam("step"))
_ENTRY = select(entries).where(entries.c.id == bindparam("entry"))


@dataclass(frozen=True)
class StoredJourneys:
    """Advances entries by the store's facts.

    Args:
        store: the database.
        registry: the definitions.
        contents: what messages say.
        models: who gives scores.
        provider: who carries messages away, or who chooses one.
        clock: the shop's.
        links: makes the addresses that lead back to us.
        workspace: whose send keys these are.
        secret: the key of the suppression list.
        emit: appends an event to the log.
        outbound: asks other services.
        call_key: SOJOURN_CALL_KEY, by which calls are signed.
        recommender: chooses items; None: the rules of recommendations.yaml.
    """

    store: Database
    registry: Registry
    contents: Contents
    models: Models
    provider: Provider | Routing
    clock: Clock
    links: Links
    workspace: UUID
    secret: str
    emit: Emit
    outbound: Outbound = field(default_factory=NoWeb)
    call_key: str = ""
    recommender: Recommender | None = None
    _known: dict[str, Restored | None] = field(default_factory=dict, init=False, repr=False)  # a restore needs all stopped

    async def advance(self, ask: Advance) -> Progress:
        """Judge the steps from a cursor on, up to the next wait or end, making at most one effect.

        Those that are asked for at the same time share their transactions.

        Raises:
            NotCaughtUp: events of this person wait to be routed; ask again at once.
            ProviderBusy: nothing was accepted; ask again later.
            ProviderUnclear: ask again; the provider's key makes it safe.
            Unanswered: another service did not answer a call; ask again later.
        """
        prepared = await self._prepared(ask)
        if prepared.made is not None:
            await self._doubt_if_begun_before(ask, prepared.made)
            return self._sent(prepared, await self._deliveries.deliver(self._asked(ask, prepared, prepared.made)))
        if isinstance(prepared.effect, Send):
            await self.store.write(self._unsendable, ask, prepared)
            return went(prepared, prepared.effect, f"not sent: {prepared.problem}", self.clock.now())
        if isinstance(prepared.effect, Call):
            return await self._call(ask, prepared, prepared.effect)
        if prepared.effect is not None:
            return await self.store.write(self._act, ask, prepared)
        if decided := self._decided(ask, prepared):
            await self._decisions(decided)
        return prepared.progress

    async def _prepared(self, ask: Advance) -> Prepared:
        prepared = await self._preparations((ask, None))
        for _ in range(MAX_ROUNDS):
            if isinstance(prepared, Transient) or not prepared.wanted:
                break
            [heard] = await hear(self.outbound, [(content_of(prepared), prepared.wanted)])
            prepared = await self._preparations((ask, heard))
        if isinstance(prepared, Transient):
            raise prepared
        if prepared.wanted:
            raise Unanswered("what is sent changed while other services were asked for it")
        return prepared

    async def send_all(
        self, asks: Sequence[Advance], at_once: int, first: Callable[[Connection], object] = lambda _: None
    ) -> list[Progress | Transient]:
        """Advance entries that each go to a send next, together; what can only be tried again is said in the entry's place.

        Args:
            asks: as of `advance`.
            at_once: how many messages are posted at once.
            first: runs first in the transaction of their claims; what it raises stops them all.
        """
        found = await self.store.read(self._preparing.prepare_all, [(ask, None) for ask in asks])
        asking = {place: each for place, each in enumerate(found) if isinstance(each, Prepared) and each.wanted}
        if asking:
            heard = await hear(self.outbound, [(content_of(each), each.wanted) for each in asking.values()])
            again = [(asks[place], told) for place, told in zip(asking, heard, strict=True)]
            for place, each in zip(asking, await self.store.read(self._preparing.prepare_all, again), strict=True):
                found[place] = each
        going: dict[int, tuple[Prepared, Asked]] = {}
        for place, each in enumerate(found):
            if isinstance(each, Prepared) and each.made is not None:
                going[place] = (each, self._asked(asks[place], each, each.made))
        outcomes = await self._deliveries.deliver_all([asked for _, asked in going.values()], at_once, first)
        told = {place: self._sent_or_not(going[place][0], came) for place, came in zip(going, outcomes, strict=True)}
        for place, each in enumerate(found):
            if place not in told:
                told[place] = each if isinstance(each, Transient) else await self.advance(asks[place])
        return [told[place] for place in range(len(asks))]

    async def send_again(self, key: str, prepare: Callable[[Connection], object] | None = None) -> object:
        """Carry a send that was planned before through the gate once more, under the rules of its journey's version.

        One that is surely not out is rendered anew: its reader may have another address or language by now.

        Args:
            key: the send's key.
            prepare: runs first in the claim's transaction, and plans a send that is in doubt.

        Raises:
            NotCaughtUp: events of this person wait to be routed.
            ProviderBusy: nothing was accepted.
            ProviderUnclear: the answer was lost.
        """

        def read(connection: Connection) -> tuple[SendRow, GateRules, Advance]:
            send = ledger.look(connection, key)
            definition = self.registry.get(connection, connection.execute(_ENTRY, {"entry": send.entry_id}).one().version)
            led_by = connection.execute(_LED_BY, {"entry": send.entry_id, "step": send.step}).scalar()
            ask = Advance(entry_id=send.entry_id, cursor=led_by or send.step)
            return send, self._rules(definition, definition.program.steps[send.step]), ask

        send, rules, ask = await self.store.read(read)
        if send.state in SETTLED or (send.state is State.UNKNOWN and prepare is None):
            return await sending.deliver(self.store, self._routing, key, self.clock, rules, emit=self.emit)
        prepared = await self._prepared(ask)
        if prepared.made is None or prepared.made.order.key != key:
            because = prepared.problem or "its journey comes to this message no more"

            def withdraw(connection: Connection) -> object:
                if prepare is not None:
                    prepare(connection)
                return sending.withdraw(connection, key, because, self.clock.now())

            return await self.store.write(withdraw)
        made = prepared.made
        return await sending.deliver(self.store, self._routing, key, self.clock, rules, emit=self.emit, prepare=prepare, made=made)

    async def _doubt_if_begun_before(self, ask: Advance, made: Made) -> None:
        """Have a send be in doubt that was asked for before the store was restored: an attempt may have been made that it forgot."""
        if "restored" not in self._known:
            self._known["restored"] = await self.store.read(itself.restored)
        restored = self._known["restored"]
        if restored is not None and ask.asked_at is not None and ask.asked_at <= restored.at:
            because = "it was asked for before the store was restored, and may have been sent"
            await self.store.write(doubts.doubt, made.order.key, restored, None, because)

    # -- acting ----------------------------------------------------------------------------------

    def _asked(self, ask: Advance, prepared: Prepared, made: Made) -> Asked:
        return Asked(made, self._rules(prepared.definition, prepared.effect), prepared.checked, self._decided(ask, prepared))

    def _rules(self, definition: Definition, step: Step | None) -> GateRules:
        topic, known = step.topic if isinstance(step, Send) else None, self.registry.gate_rules
        key = (definition.version, topic)
        if key not in known:
            known[key] = rules_of(self.registry.shop, definition.journey, self.secret, topic, self.registry.priorities)
        return known[key]

    def _sent_or_not(self, prepared: Prepared, came: Came | Transient) -> Progress | Transient:
        return came if isinstance(came, Transient) else self._sent(prepared, came)

    def _sent(self, prepared: Prepared, outcome: Came) -> Progress:
        step, cursor, now = prepared.effect, prepared.progress.cursor, self.clock.now()
        assert isinstance(step, Send)
        assert cursor is not None
        if isinstance(outcome, Held):
            line = Trail(cursor=cursor, did=f"hold {step.send}", because=outcome.reason, at=now)
            return prepared.progress.model_copy(update={"trail": (*prepared.progress.trail, line), "until": outcome.until})
        return went(prepared, step, because_of(outcome), now)

    def _unsendable(self, connection: Connection, ask: Advance, prepared: Prepared) -> None:
        self._keep(connection, ask, prepared)
        assert prepared.order is not None
        now = self.clock.now()
        ledger.open_send(connection, prepared.order, now)
        sending.withdraw(connection, prepared.order.key, prepared.problem or "", now)

    def _act(self, connection: Connection, ask: Advance, prepared: Prepared) -> Progress:
        self._keep(connection, ask, prepared)
        step, entry, now = prepared.effect, prepared.entry, self.clock.now()
        if isinstance(step, Set):
            because = f"set:{entry.id}:{prepared.progress.cursor}"
            told_of = profiles.origin(connection, prepared.person.id, entry.id)
            profiles.set_traits(connection, told_of, step.set, now, self.registry.rules, because)
            due.touch(connection, [prepared.person.id], now, Cause.EVENT)
        elif isinstance(step, Enter):
            self._request_entry(connection, step, prepared, now)
        assert step is not None
        return went(prepared, step, f"on {entry.journey}", now)

    async def _call(self, ask: Advance, prepared: Prepared, step: Call) -> Progress:
        """Post a call, once the judgement that led to it is kept, and write down what came of it."""
        entry, cursor = prepared.entry, prepared.progress.cursor
        assert cursor is not None
        if entry.holdout:
            await self.store.write(self._keep, ask, prepared)
            return went(prepared, step, "not called: in the holdout", self.clock.now())

        def begin(connection: Connection) -> tuple[calling.Called, str | None]:
            self._keep(connection, ask, prepared)
            user_id, _ = profiles.addressee(connection, prepared.person.id)
            return calling.begin(connection, entry.id, cursor, step.keep, self.clock.now()), user_id

        called, user_id = await self.store.write(begin)
        if called.state == calling.TRYING:
            key = calling.call_key(self.workspace, entry.id, cursor)
            body = calling.body_of(key, step, entry.journey, cursor, user_id, entry.trigger)
            headers = calling.signed(key, self.call_key, body, real_now())
            state, got = await calling.post(self.outbound, step, body, headers, called, self.clock.now())
            kept = got.value if step.keep is not None else None
            await self.store.write(calling.settle, entry.id, cursor, state, got.because, kept, self.clock.now())
            if state == calling.TRYING:
                raise Unanswered(got.because)
            called = replace(called, state=state, because=got.because)
        return went(prepared, step, called.because, self.clock.now(), FAILED if called.state == calling.GAVE_UP else None)

    def _request_entry(self, connection: Connection, step: Enter, prepared: Prepared, now: datetime) -> None:
        user_id, anonymous_id = profiles.addressee(connection, prepared.person.id)
        properties = {**step.with_, "journey": step.enter, "from": prepared.journey.name}
        self.emit(
            connection,
            Engagement(
                message_id=f"enter:{send_key(self.workspace, prepared.entry.id, prepared.progress.cursor or '')}",
                name=ENTER_REQUESTED,
                time=now,
                profile_id=profiles.origin(connection, prepared.person.id, prepared.entry.id),
                user_id=user_id,
                anonymous_id=anonymous_id,
                properties=properties,
            ),
        )

    def _keep(self, connection: Connection, ask: Advance, prepared: Prepared) -> None:
        _keep_rows(connection, [self._decided(ask, prepared)])

    def _decided(self, ask: Advance, prepared: Prepared) -> list[dict[str, Any]]:
        if not prepared.judged or not prepared.progress.trail:
            return []
        answers, following = prepared.progress.model_dump(mode="json"), prepared.progress.cursor
        return [{"entry_id": ask.entry_id, "cursor": ask.cursor, "at": self.clock.now(), "answers": answers, "next_cursor": following}]

    # -- together with whatever is asked for at the same time -----------------------------------------

    @cached_property
    def _preparing(self) -> Preparing:
        return Preparing(self.registry, self.contents, self.models, self.clock, self.links, self.workspace, self.recommender)

    @cached_property
    def _preparations(self) -> Together[tuple[Advance, Heard | None], Prepared | Transient]:
        return Together(lambda asks: self.store.read(self._preparing.prepare_all, asks))

    @cached_property
    def _routing(self) -> Routing:
        return routing_of(self.provider)

    @cached_property
    def _deliveries(self) -> Deliveries:
        return Deliveries(self.store, self._routing, self.clock, _keep_those, self.emit)

    @cached_property
    def _decisions(self) -> Together[Sequence[dict[str, Any]], None]:
        async def keep(decided: Sequence[Sequence[dict[str, Any]]]) -> list[None]:
            await self.store.write(_keep_rows, decided)
            return [None] * len(decided)

        return Together(keep)


def _keep_those(connection: Connection, asked: Sequence[Asked]) -> None:
    _keep_rows(connection, [each.led_by for each in asked])


def _keep_rows(connection: Connection, decided: Iterable[Sequence[dict[str, Any]]]) -> None:
    """Write down what was judged, once: the because of every send and of every path without one."""
    insert_new(connection, decisions, [row for rows in decided for row in rows])
