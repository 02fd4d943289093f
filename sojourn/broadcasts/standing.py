"""Where a broadcast stands, and how people move it: schedule, pause, resume, stop.

What is wanted is written here. Whoever sends looks at it before each page, so a pause is heeded at once; the
broadcast's workflow is told a moment later (`unheard`), which matters only to one that waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from sojourn.errors import NotFound, Terminal, Transient
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.definitions import version
from sojourn.language.moments import zone_named
from sojourn.store.bulk import insert_new
from sojourn.store.tables import broadcast_recipients, broadcasts, definitions

# A day begins first at UTC+14 and last at UTC-12.
FIRST_ZONE, LAST_ZONE = "Pacific/Kiritimati", "Etc/GMT+12"
LISTED = 50
_HELD = select(broadcasts.c.state).where(broadcasts.c.id == bindparam("which")).with_for_update(read=True)


class State(StrEnum):
    """Where a broadcast stands."""

    SCHEDULED = "scheduled"  # its moment is still to come
    GATHERING = "gathering"  # its recipients are written down
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"  # for good, by a person
    DONE = "done"


FINISHED = (State.STOPPED, State.DONE)
_ANOTHER = "write one that is still to come, or give one: --at 'tomorrow 09:00'"
_MOVED = {State.RUNNING: "resumed"}  # as people say it of what was asked


class NotPossible(Terminal):
    """A broadcast cannot go from where it stands to where it is asked to."""


class NotRunning(Transient):
    """A broadcast sends nothing: it is paused, or has ended."""


@dataclass(frozen=True)
class Standing:
    """A broadcast, and how far it is.

    Attributes:
        counts: how many recipients there are by what came of them; `waiting` are still to come.
    """

    id: str
    name: str
    version: str
    broadcast: Broadcast
    state: State
    begins_at: datetime
    ends_at: datetime
    per_second: float | None
    gathered_at: datetime | None
    recipients: int
    because: str | None
    created_at: datetime
    finished_at: datetime | None
    counts: Mapping[str, int]


def schedule(connection: Connection, broadcast: Broadcast, zone: ZoneInfo, now: datetime, id_: str | None = None) -> str:
    """Have a broadcast sent at its moment, and return its id.

    Args:
        connection: of a writing transaction.
        broadcast: as it is checked in; what is changed in the file later changes nothing of this sending.
        zone: the shop's.
        now: the shop's moment.
        id_: its id; None: a new one.

    Raises:
        NotPossible: it is under way already, was sent by the same definition, or its moment has passed.
    """
    first, last = check_open(connection, broadcast, zone, now)
    journey = broadcast.as_journey()
    body = journey.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"examples", "owner"})
    insert_new(connection, definitions, [{"version": version(journey), "journey": broadcast.name, "body": body, "first_seen": now}])
    row_ = {
        "id": id_ or str(uuid4()), "name": broadcast.name, "version": version(journey), "state": State.SCHEDULED,
        "definition": broadcast.model_dump(mode="json", by_alias=True, exclude_defaults=True), "per_second": broadcast.per_second,
        "begins_at": first, "ends_at": broadcast.ends(last), "created_at": now,
    }  # fmt: skip
    connection.execute(insert(broadcasts).values(row_))
    return str(row_["id"])


def check_open(connection: Connection, broadcast: Broadcast, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    """Return the moments of a broadcast that can be scheduled.

    Raises:
        NotPossible: it is under way already, was sent by the same definition, or its moment has passed.
    """
    first, last = moments(broadcast, zone)
    for row in connection.execute(select(broadcasts).where(broadcasts.c.name == broadcast.name)):
        if row.state not in FINISHED:
            raise NotPossible(f"`{broadcast.name}` is {row.state} already; see: sojourn broadcast show {broadcast.name}")
        if row.begins_at == first and row.state == State.DONE:
            raise NotPossible(f"`{broadcast.name}` was sent at this moment already; {_ANOTHER}")
    if broadcast.ends(last) <= now:
        raise NotPossible(f"the moment of `{broadcast.name}`, {broadcast.at}, has passed; {_ANOTHER}")
    return first, last


def moments(broadcast: Broadcast, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when a broadcast begins for those for whom it begins first, and for those for whom it does last."""
    if broadcast.zone == "shop":
        return broadcast.begins(zone), broadcast.begins(zone)
    return broadcast.begins(zone_named(FIRST_ZONE)), broadcast.begins(zone_named(LAST_ZONE))


def pause(connection: Connection, broadcast_id: str, because: str) -> None:
    """Have nothing more sent until it is resumed.

    Raises:
        NotPossible: it is neither scheduled nor under way.
    """
    _change(connection, broadcast_id, State.PAUSED, (State.SCHEDULED, State.GATHERING, State.RUNNING), because)


def resume(connection: Connection, broadcast_id: str) -> None:
    """Go on where it was paused.

    Raises:
        NotPossible: it is not paused.
    """
    gathered = connection.execute(select(broadcasts.c.gathered_at).where(broadcasts.c.id == broadcast_id)).scalar()
    _change(connection, broadcast_id, State.RUNNING if gathered is not None else State.SCHEDULED, (State.PAUSED,), None)


def stop(connection: Connection, broadcast_id: str, because: str) -> None:
    """End it for good; whoever still waits gets nothing.

    Raises:
        NotPossible: it has ended already.
    """
    _change(connection, broadcast_id, State.STOPPED, tuple(state for state in State if state not in FINISHED), because)


def begin_gathering(connection: Connection, broadcast_id: str, now: datetime) -> State:
    """Note that recipients are being written down, where its moment has come and nobody wants it otherwise; return the state it is in."""
    connection.execute(_of(broadcast_id, State.SCHEDULED).where(broadcasts.c.begins_at <= now).values(state=State.GATHERING))
    return state_of(connection, broadcast_id)


def begin_running(connection: Connection, broadcast_id: str, now: datetime) -> None:
    """Note that all recipients are written down."""
    count = select(func.count()).select_from(broadcast_recipients).where(broadcast_recipients.c.broadcast_id == broadcast_id)
    gathered = {"gathered_at": now, "recipients": connection.execute(count).scalar_one()}
    connection.execute(update(broadcasts).where(broadcasts.c.id == broadcast_id, broadcasts.c.gathered_at.is_(None)).values(gathered))
    connection.execute(_of(broadcast_id, State.GATHERING).values(state=State.RUNNING))


def finish(connection: Connection, broadcast_id: str, now: datetime) -> State:
    """Note that nothing is left to be sent, and return the state it is in."""
    connection.execute(_of(broadcast_id, State.RUNNING).values(state=State.DONE, finished_at=now))
    return state_of(connection, broadcast_id)


def found_closed(connection: Connection, broadcast_id: str, outcome: str, now: datetime) -> bool:
    """End a broadcast whose workflow has ended though it is not over here; return whether that was so.

    The store was restored from before its end, or somebody ended the workflow in Temporal. It is not begun again: the
    store does not know to whom it went.

    Args:
        connection: of a writing transaction.
        broadcast_id: of the broadcast.
        outcome: how the workflow ended: `done`, `stopped`, or what Temporal calls it.
        now: the shop's moment.
    """
    because = f"its workflow had ended in Temporal ({outcome}): the store was restored from before that, or it was ended there"
    unfinished = update(broadcasts).where(broadcasts.c.id == broadcast_id, broadcasts.c.state.not_in([state.value for state in FINISHED]))
    to = State.DONE if outcome == State.DONE else State.STOPPED
    return connection.execute(unfinished.values(state=to, because=because, finished_at=now)).rowcount == 1


def state_of(connection: Connection, broadcast_id: str) -> State:
    """Return where a broadcast stands.

    Raises:
        NotFound: there is none of this id.
    """
    return State(_row(connection, broadcast_id).state)


def hold_running(connection: Connection, broadcast_id: str) -> None:
    """Have a broadcast run on until the transaction's end: who pauses it waits for that, and nothing is claimed after.

    Raises:
        NotRunning: it is paused, or has ended.
    """
    state = connection.execute(_HELD, {"which": broadcast_id}).scalar()
    if state != State.RUNNING.value:
        raise NotRunning(f"the broadcast is {state}")


def unheard(connection: Connection) -> list[tuple[str, int]]:
    """Return the broadcasts whose workflow is yet to hear of a change: id, and the change's number."""
    query = select(broadcasts.c.id, broadcasts.c.serial).where(broadcasts.c.heard < broadcasts.c.serial).limit(LISTED)
    return [(row.id, row.serial) for row in connection.execute(query)]


def heard(connection: Connection, broadcast_id: str, serial: int) -> None:
    """Note that a broadcast's workflow has heard of a change."""
    connection.execute(update(broadcasts).where(broadcasts.c.id == broadcast_id, broadcasts.c.heard < serial).values(heard=serial))


def look(connection: Connection, broadcast_id: str) -> Standing:
    """Return how a broadcast stands.

    Raises:
        NotFound: there is none of this id.
    """
    return _standing(connection, _row(connection, broadcast_id))


def latest(connection: Connection, name: str) -> str:
    """Return the id of a broadcast's latest sending.

    Raises:
        NotFound: it was never scheduled.
    """
    query = select(broadcasts.c.id).where(broadcasts.c.name == name).order_by(broadcasts.c.created_at.desc()).limit(1)
    found = connection.execute(query).scalar()
    if found is None:
        raise NotFound(f"`{name}` was never scheduled; begin with: sojourn broadcast schedule {name}")
    return str(found)


def listed(connection: Connection, limit: int = LISTED) -> list[Standing]:
    """Return the latest broadcasts, the latest first."""
    rows = connection.execute(select(broadcasts).order_by(broadcasts.c.created_at.desc()).limit(limit)).all()
    return [_standing(connection, row) for row in rows]


def _change(connection: Connection, broadcast_id: str, to: State, from_: Sequence[State], because: str | None) -> None:
    row = _row(connection, broadcast_id)
    values = {"state": to, "serial": broadcasts.c.serial + 1, "because": because}
    changed = connection.execute(
        update(broadcasts).where(broadcasts.c.id == broadcast_id, broadcasts.c.state.in_([state.value for state in from_])).values(values)
    )
    if changed.rowcount != 1:
        raise NotPossible(f"`{row.name}` is {row.state}; only one that is {' or '.join(from_)} can be {_MOVED.get(to, to)}")


def _of(broadcast_id: str, state: State) -> Any:
    return update(broadcasts).where(broadcasts.c.id == broadcast_id, broadcasts.c.state == state)


def _row(connection: Connection, broadcast_id: str) -> Row[Any]:
    row = connection.execute(select(broadcasts).where(broadcasts.c.id == broadcast_id)).one_or_none()
    if row is None:
        raise NotFound(f"no broadcast {broadcast_id}")
    return row


def _standing(connection: Connection, row: Row[Any]) -> Standing:
    counted = (
        select(broadcast_recipients.c.state, func.count().label("count"))
        .where(broadcast_recipients.c.broadcast_id == row.id)
        .group_by(broadcast_recipients.c.state)
    )
    counts: dict[str, int] = {row.state: row[1] for row in connection.execute(counted)}
    return Standing(
        id=row.id, name=row.name, version=row.version, broadcast=Broadcast.model_validate(row.definition), state=State(row.state),
        begins_at=row.begins_at, ends_at=row.ends_at, per_second=row.per_second, gathered_at=row.gathered_at,
        recipients=sum(counts.values()), because=row.because, created_at=row.created_at, finished_at=row.finished_at, counts=counts,
    )  # fmt: skip
