"""Running entries held against open workflows: what a restore of the store, of Temporal or of both leaves without the other.

An entry whose workflow is gone is begun anew where the store last knew it to be, or ended as lost. A workflow of whose
entry the store knows nothing is ended, where this store began it: two stores may share a Temporal namespace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Row, bindparam, exists, insert, select, update

from sojourn.clock import SystemClock, real_now
from sojourn.delivery import doubts, ledger
from sojourn.delivery.ledger import State as SendState
from sojourn.delivery.ledger import send_key
from sojourn.errors import SojournError
from sojourn.intake.asking import ask_of
from sojourn.intake.endings import Ending, mark_ended
from sojourn.intake.outbox import StartCall
from sojourn.language.durations import parse_duration
from sojourn.language.model import Send, Wait, WaitFor
from sojourn.store import itself
from sojourn.store.database import Database
from sojourn.store.tables import broadcasts, decisions, entries, events, outbox, sends
from sojourn.travel.listening import Happened, meet
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Progress, State, Trail

PAGE = 500
LOST = "lost"
_CALL_WAITS = exists().where(outbox.c.entry_id == entries.c.id)
_RUNNING = (
    select(entries.c.id, entries.c.workflow_id, entries.c.run_id)
    # A broadcast's entries have no workflow of their own.
    .where(entries.c.state == "running", entries.c.id > bindparam("after"), entries.c.workflow_id.like("journey:%"), ~_CALL_WAITS)
    .order_by(entries.c.id)
    .limit(PAGE)
)
_KNOWN = select(entries.c.id, entries.c.state, entries.c.outcome, entries.c.ended_at, _CALL_WAITS.label("waits")).where(
    entries.c.id.in_(bindparam("ids", expanding=True))
)
_BROADCASTS = select(broadcasts.c.id, broadcasts.c.state, broadcasts.c.finished_at).where(
    broadcasts.c.id.in_(bindparam("ids", expanding=True))
)
_DECIDED = select(decisions).where(decisions.c.entry_id == bindparam("entry")).order_by(decisions.c.at, decisions.c.cursor)
_SINCE = (
    select(events)
    .where(events.c.profile_id == bindparam("profile"), events.c.time >= bindparam("since"))
    .order_by(events.c.time, events.c.seq)
)
_SENDS = select(sends.c.key, sends.c.send_id, sends.c.state, sends.c.settled_at, sends.c.reason).where(
    sends.c.entry_id == bindparam("entry")
)

log = structlog.get_logger(__name__)


@dataclass
class Fit:
    """What a look at entries and workflows came to."""

    running: int = 0  # entries
    open: int = 0  # workflows of this store's
    anew: int = 0  # entries without a workflow, begun anew at their state
    lost: int = 0  # entries without a workflow, ended as lost
    closed: int = 0  # entries whose workflow had closed, ended as it did
    orphans: int = 0  # workflows without an entry, ended
    over: int = 0  # workflows whose entry had ended, ended
    broadcasts: int = 0  # workflows of broadcasts that the store does not know or that were over, ended
    strangers: int = 0  # open workflows of another store's, or of none that is known
    first: str = ""  # one of what was found, with its because

    @property
    def found(self) -> int:
        """How many did not fit."""
        return self.anew + self.lost + self.orphans + self.over + self.broadcasts

    def say(self, because: str) -> None:
        """Keep the first because."""
        self.first = self.first or because


def keep(connection: Connection, fit: Fit, now: datetime) -> None:
    """Keep what a look came to, for health; in the log it is one line."""
    itself.keep(connection, itself.FIT, asdict(fit), now)
    if fit.found or fit.strangers:
        log.warning("entries and workflows did not fit", **{name: value for name, value in asdict(fit).items() if value})


def running(connection: Connection, after: str) -> Sequence[Any]:
    """Return the next running entries that should have an open workflow: id, workflow id and first run id."""
    return connection.execute(_RUNNING, {"after": after}).all()


def known(connection: Connection, ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Return of each entry that the store knows: state, outcome, when it ended, and whether a call for it waits."""
    return {row.id: row for row in connection.execute(_KNOWN, {"ids": list(ids)})}


def known_broadcasts(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Return of each broadcast that the store knows: its state, and when it was over."""
    return {row.id: row for row in connection.execute(_BROADCASTS, {"ids": list(ids)})}


def look_at_broadcasts(connection: Connection) -> None:
    """Have every broadcast that is not over be told to Temporal again, which begins a workflow where it has none."""
    connection.execute(update(broadcasts).where(broadcasts.c.finished_at.is_(None)).values(heard=0))


def mark_doubted(connection: Connection, entry_id: str) -> None:
    """Have all sends of an entry be in doubt that had sent something after the backup, and that the store forgot."""
    restored = itself.restored(connection)
    if restored is not None:
        because = "Temporal knew of sends of it that the restored store had forgotten"
        doubts.doubt(connection, entry_id, restored, None, because)


def begin_anew(connection: Connection, registry: Registry, entry_id: str, workspace: UUID, now: datetime) -> tuple[bool, str]:
    """Have an entry whose workflow is gone be begun anew where it was, or end it as lost; return whether it goes on, and the because."""
    entry = connection.execute(select(entries).where(entries.c.id == entry_id).with_for_update()).one()
    if entry.state != "running":
        return True, "it ended meanwhile"
    try:
        definition = registry.get(connection, entry.version)
        state, due = _state(connection, registry, definition, entry, workspace)
    except (SojournError, KeyError, ValueError) as error:
        because = f"its workflow was gone, and where it stood cannot be told: {error}"
        mark_ended(connection, [Ending(entry_id, LOST, because)], now)
        return False, because
    restored = itself.restored(connection)
    if restored is not None and due <= restored.shop_at:
        because = "its workflow was gone after the store was restored, and it may have gone on before"
        doubts.doubt(connection, entry_id, restored, doubts.later(restored, due, now), because)
    call = StartCall(
        entry_id=entry.id,
        profile_id=entry.profile_id,
        version=entry.version,
        entered_at=entry.started_at,
        delayed_until=entry.delayed_until if not state.arrived and not state.trail else None,
        variants=entry.variants,
        state=state,
        again=now.isoformat(),
    )
    body = call.model_dump(mode="json", exclude_defaults=True)
    connection.execute(insert(outbox).values(kind="start", entry_id=entry.id, workflow_id=entry.workflow_id, body=body, at=now))
    return True, f"its workflow was gone; it was begun anew at {state.cursor or 'its end'}"


@dataclass(frozen=True)
class Books:
    """The store's side of it, for whoever looks at Temporal's.

    Args:
        database: the store.
        registry: the definitions.
        clock: the shop's.
        workspace: whose send keys these are.
    """

    database: Database
    registry: Registry
    clock: SystemClock
    workspace: UUID

    async def running(self, after: str) -> Sequence[Any]:
        """Return the next running entries that should have an open workflow."""
        return await self.database.read(running, after)

    async def known(self, ids: Sequence[str]) -> Mapping[str, Any]:
        """Return of each entry that the store knows how it stands."""
        return await self.database.read(known, ids)

    async def broadcasts(self, ids: Sequence[str]) -> Mapping[str, Any]:
        """Return of each broadcast that the store knows how it stands."""
        return await self.database.read(known_broadcasts, ids)

    async def doubt(self, entry_id: str) -> None:
        """Have all sends of an entry be in doubt that had sent something which the store forgot."""
        await self.database.write(mark_doubted, entry_id)

    async def begin_anew(self, entry_id: str) -> tuple[bool, str]:
        """Begin an entry anew where it was, or end it as lost; return whether it goes on, and the because."""
        return await self.database.write(begin_anew, self.registry, entry_id, self.workspace, self.clock.now())

    async def end(self, ending: Ending) -> int:
        """End an entry as its workflow did."""
        return await self.database.write(mark_ended, [ending], self.clock.now())

    async def keep(self, fit: Fit) -> None:
        """Keep what a look came to."""
        await self.database.write(look_at_broadcasts)
        await self.database.write(keep, fit, real_now())

    async def forgotten_since(self) -> datetime | None:
        """Return the (real) moment since which Temporal may know what the store forgot; None where that has been looked at."""
        restored = await self.database.read(itself.restored)
        return None if restored is None or restored.examined else restored.backed_up

    async def examined(self) -> None:
        """Keep that it has been looked at what Temporal knows and the store forgot."""
        restored = await self.database.read(itself.restored)
        if restored is not None:
            await self.database.write(itself.keep_restored, replace(restored, examined=True))

    def ago(self, moment: datetime) -> timedelta:
        """Return how long ago a moment of the shop's is, in real time."""
        return self.clock.scale.real_duration(self.clock.now() - moment)


def _state(connection: Connection, registry: Registry, definition: Definition, entry: Row[Any], workspace: UUID) -> tuple[State, datetime]:
    """Return where an entry stood as the store knows it, and when it was to go on from there."""
    program = definition.program
    state = State(entry_id=entry.id, cursor=program.start(), entered_at=entry.started_at)
    at = entry.started_at
    sent = {row.key: row for row in connection.execute(_SENDS, {"entry": entry.id})}
    for row in connection.execute(_DECIDED, {"entry": entry.id}):
        progress, at = Progress.model_validate(row.answers), row.at
        state.scores.update(progress.scores)
        state.trail.extend(progress.trail)
        state.cursor, state.pause_until, state.pause_from = progress.cursor, progress.until, None
        step = program.steps[progress.cursor] if progress.cursor is not None and progress.until is None else None
        if isinstance(step, Send):
            assert progress.cursor is not None
            send = sent.get(send_key(workspace, entry.id, progress.cursor))
            if send is None or SendState(send.state) not in ledger.SETTLED:
                state.cursor = row.cursor  # asked again from there: what was judged stays judged
                del state.trail[len(state.trail) - len(progress.trail) :]
                continue
            at = send.settled_at or at
            state.last_send = send.send_id
            state.trail.append(Trail(cursor=progress.cursor, did=f"send {step.send}", because=send.reason or send.state, at=at))
            state.cursor = program.after(progress.cursor)
        elif step is not None and not isinstance(step, Wait | WaitFor):
            state.cursor = row.cursor  # an effect that is made twice is made once
            del state.trail[len(state.trail) - len(progress.trail) :]
    due = state.pause_until or at
    step = program.steps[state.cursor] if state.cursor is not None and state.pause_until is None else None
    if isinstance(step, Wait | WaitFor) and state.trail:
        state.pause_from = at
    if isinstance(step, Wait):
        due = at + parse_duration(step.wait)
    elif isinstance(step, WaitFor):
        due = at + parse_duration(step.up_to)
    _hear(connection, registry, definition, entry, {row.key: (entry.id, row.send_id) for row in sent.values()}, state)
    state.heard_before = sum(arrived.time <= at for arrived in state.arrived) if state.trail else 0
    return state, due


def _hear(
    connection: Connection, registry: Registry, definition: Definition, entry: Row[Any], mine: Mapping[str, tuple[str, str]], state: State
) -> None:
    """Have a state have heard all that concerned the entry since it began."""
    ask = ask_of(connection, registry)
    for row in connection.execute(_SINCE, {"profile": entry.profile_id, "since": entry.started_at}):
        if row.id == entry.trigger_id:
            continue
        of, send = mine.get(row.send_key or "", (None, None))
        happened = Happened(row.id, row.name, row.profile_id, row.time, row.properties, send_entry_id=of, send_id=send, machine=row.machine)
        arrived = meet(definition.listeners, entry.id, entry.started_at, happened, ask)
        if arrived is not None:
            state.hear(arrived)
