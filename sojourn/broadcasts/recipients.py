"""Takes recipients of a lane in their turn, and writes down what came of each.

A page is taken by writing down an entry for each recipient; that their ids follow from the broadcast and the
person makes taking it again harmless: whoever takes over after a crash finds the same entries and the same sends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, func, select, update

from sojourn.broadcasts import throttle
from sojourn.broadcasts.gathering import WAITING
from sojourn.broadcasts.standing import State
from sojourn.delivery import doubts
from sojourn.intake.endings import Ending, mark_ended
from sojourn.language.broadcast_model import TRIGGER
from sojourn.store import itself
from sojourn.store.bulk import insert_new
from sojourn.store.tables import broadcast_recipients as recipients
from sojourn.store.tables import broadcasts, entries, profiles, sends
from sojourn.travel.judge import assignments, in_holdout
from sojourn.travel.registry import Registry

MERGED = "merged"  # another recipient is the same person
LATE = "late"  # still held when the broadcast ended
_NAMESPACE = UUID("0b1f7c52-6d0e-5a8f-9f6d-62726f616463")
_TURN = select(broadcasts).where(broadcasts.c.id == bindparam("which"))
_NEXT = (
    select(recipients.c.profile, func.coalesce(profiles.c.merged_into, profiles.c.id).label("person"))
    .join(profiles, profiles.c.id == recipients.c.profile)
    .where(
        recipients.c.broadcast_id == bindparam("which"),
        recipients.c.lane == bindparam("of_lane"),
        recipients.c.state == WAITING,
        recipients.c.due <= bindparam("now"),
    )
    .order_by(recipients.c.due, recipients.c.profile)
    .limit(bindparam("page"))
)
_DUE = select(func.min(recipients.c.due)).where(
    recipients.c.broadcast_id == bindparam("which"), recipients.c.lane == bindparam("of_lane"), recipients.c.state == WAITING
)
_SETTLED = (
    update(recipients)
    .where(recipients.c.broadcast_id == bindparam("which"), recipients.c.profile == bindparam("whose"))
    .values(state=bindparam("how"), due=bindparam("until"))
)
_STAND = select(sends.c.entry_id, sends.c.state).where(sends.c.entry_id.in_(bindparam("entries", expanding=True)))
_FOUND = select(entries.c.id, entries.c.profile_id).where(
    entries.c.trigger_id == bindparam("which"), entries.c.profile_id.in_(bindparam("people", expanding=True))
)


@dataclass(frozen=True)
class Taken:
    """A page of a lane.

    Attributes:
        state: of the broadcast; only one that runs has anything taken.
        entries: by recipient, the entry that is to be advanced.
        next_due: where nothing was due, or the throttle has no place now: when something is; None: this lane is done.
    """

    state: State
    entries: Mapping[str, str]
    next_due: datetime | None = None


@dataclass(frozen=True)
class Came:
    """What came of one recipient: a state for good, or waiting until a moment."""

    profile: str
    entry_id: str
    state: str
    because: str = ""
    until: datetime | None = None


def entry_id(broadcast_id: str, profile_id: str) -> str:
    """Return the id of a recipient's entry."""
    return str(uuid5(_NAMESPACE, f"{broadcast_id}:{profile_id}"))


def take(connection: Connection, registry: Registry, broadcast_id: str, lane: int, now: datetime, size: int) -> Taken:
    """Take the next recipients of a lane whose moment has come.

    Args:
        connection: of a writing transaction.
        registry: the definitions.
        broadcast_id: which.
        lane: which share of its recipients.
        now: the shop's moment.
        size: how many at most.
    """
    row = connection.execute(_TURN, {"which": broadcast_id}).one()
    state = State(row.state)
    if state is not State.RUNNING:
        return Taken(state, {})
    due = connection.execute(_NEXT, {"which": broadcast_id, "of_lane": lane, "now": now, "page": size}).all()
    if not due:
        return Taken(state, {}, connection.execute(_DUE, {"which": broadcast_id, "of_lane": lane}).scalar())
    if now >= row.ends_at:
        _settle(connection, broadcast_id, [Came(one.profile, "", LATE) for one in due], now)
        return Taken(state, {}, now)
    if row.per_second is not None:
        places, opens = throttle.take(connection, broadcast_id, row.per_second, now, len(due))
        if not places:
            return Taken(state, {}, opens)
        due = due[:places]
    definition = registry.get(connection, row.version)
    trigger = {"name": TRIGGER, "time": row.begins_at.isoformat(), "properties": {"broadcast": row.name}}
    rows = [
        {
            "id": entry_id(broadcast_id, one.person), "journey": row.name, "version": row.version, "profile_id": one.person,
            "subject": one.person, "key": "", "workflow_id": f"broadcast:{row.name}:{one.person}", "trigger_id": broadcast_id,
            "trigger": trigger, "variants": assignments(definition.program, one.person), "started_at": now, "delayed_until": None,
            "state": "running", "holdout": in_holdout(definition.program, one.person),
        }
        for one in due
    ]  # fmt: skip
    insert_new(connection, entries, rows)
    _doubt_if_before(connection, rows, row.begins_at)
    found = {row.profile_id: row.id for row in connection.execute(_FOUND, {"which": broadcast_id, "people": [one.person for one in due]})}
    taken: dict[str, str] = {}
    twice: list[Came] = []
    for one in due:
        mine = found[one.person]
        # Of two who became one person since, the first is sent to; a recipient's own row keeps its entry.
        if mine in taken.values() or (one.profile != one.person and _is_recipient(connection, broadcast_id, one.person)):
            twice.append(Came(one.profile, "", MERGED))
        else:
            taken[one.profile] = mine
    _settle(connection, broadcast_id, twice, now)
    return Taken(state, taken, now)


def _doubt_if_before(connection: Connection, rows: Sequence[dict[str, Any]], begins_at: datetime) -> None:
    """Have it be in doubt what a broadcast that had begun sends for the first time since the store was restored."""
    restored = itself.restored(connection)
    if restored is not None and begins_at <= restored.shop_at:
        for row in rows:
            because = "the broadcast had begun before the store was restored, and may have sent it"
            doubts.doubt(connection, row["id"], restored, None, because)


def settle(connection: Connection, broadcast_id: str, came: Sequence[Came], now: datetime) -> None:
    """Write down what came of recipients, as their messages stand, and end the entries of those who are done."""
    if not came:
        return
    stand = {row.entry_id: row.state for row in connection.execute(_STAND, {"entries": [one.entry_id for one in came]})}
    came = [one if one.until else replace(one, state=stand.get(one.entry_id, one.state)) for one in came]
    _settle(connection, broadcast_id, came, now)
    ended = [Ending(one.entry_id, one.state, one.because) for one in came if one.until is None and one.entry_id]
    mark_ended(connection, ended, now)


def _settle(connection: Connection, broadcast_id: str, came: Sequence[Came], now: datetime) -> None:
    if came:
        rows: list[dict[str, Any]] = [
            {"which": broadcast_id, "whose": one.profile, "how": WAITING if one.until else one.state, "until": one.until or now}
            for one in sorted(came, key=lambda one: one.profile)
        ]
        connection.execute(_SETTLED, rows)


def _is_recipient(connection: Connection, broadcast_id: str, person: str) -> bool:
    query = select(recipients.c.profile).where(recipients.c.broadcast_id == broadcast_id, recipients.c.profile == person)
    return connection.execute(query).first() is not None


def soon(now: datetime, seconds: float) -> datetime:
    """Return the moment some seconds from now."""
    return now + timedelta(seconds=seconds)
