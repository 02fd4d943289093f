"""Judges people anew, writes who came and went, and when each is to be judged next.

A person is judged after each batch of their events, and at the moment at which a window of theirs
passes: as of that very moment, however late it is looked at. What changed is told in the same
transaction, so that each change is told once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import Connection, bindparam, delete, select, update

from sojourn.customers.inner import InnerEvent, Tell
from sojourn.customers.segments import due
from sojourn.customers.segments.book import Part, SegmentBook
from sojourn.customers.segments.facts import Known, read_known
from sojourn.language.conditions import Facts
from sojourn.store.bulk import insert_new
from sojourn.store.locks import router_turn
from sojourn.store.tables import cursors, segment_members

ENTERED, EXITED = "Segment Entered", "Segment Exited"
COUNTER = "segments"  # a cursor: how many times memberships were judged; it also keeps judges one after another
_NAMESPACE = UUID("3e5f0d5a-7c1f-5b0a-8a7c-7365676d656e")
_COUNT = update(cursors).where(cursors.c.name == COUNTER).values(seq=cursors.c.seq + 1).returning(cursors.c.seq)
_LEAVE = delete(segment_members).where(
    segment_members.c.segment == bindparam("whichever"), segment_members.c.profile_id == bindparam("whose")
)


@dataclass(frozen=True)
class Change:
    """Someone came into a segment, or left it."""

    profile_id: str
    segment: str
    entered: bool
    at: datetime


def judge(connection: Connection, book: SegmentBook, moments: Mapping[str, datetime], now: datetime, tell: Tell) -> list[Change]:
    """Bring all memberships of people up to date, and return what changed.

    Args:
        connection: of a writing transaction.
        book: the segments in force.
        moments: as of when to judge each person.
        now: the shop's moment.
        tell: takes the events of what changed.
    """
    if not moments:
        return []
    serial = begin(connection)
    changes = _judge(connection, book, book.everything, moments)
    write(connection, changes, serial, now, tell)
    return changes


def judge_touched(
    connection: Connection, book: SegmentBook, touched: Mapping[str, frozenset[str] | None], now: datetime, tell: Tell
) -> list[Change]:
    """Bring those memberships up to date that events can have changed, and return what changed; other arguments as of `judge`.

    Args:
        connection: of a writing transaction.
        book: the segments in force.
        touched: by person, the names of their new events; None where more than events changed: then all is judged.
        now: the shop's moment.
        tell: takes the events of what changed.
    """
    if not touched or not book.judged:
        return []
    serial = begin(connection)
    late = due.late(connection, touched, now)  # a window of theirs passed as well: all is judged
    groups: dict[frozenset[str] | None, dict[str, datetime]] = {}
    for one, events in touched.items():
        names = None if events is None or one in late else book.asking(events)
        if names is None or names:
            groups.setdefault(names, {})[one] = now
    changes: list[Change] = []
    for names, moments in groups.items():
        changes += _judge(connection, book, book.everything if names is None else book.part(names), moments)
    write(connection, changes, serial, now, tell)
    return changes


def _judge(connection: Connection, book: SegmentBook, part: Part, moments: Mapping[str, datetime]) -> list[Change]:
    known = read_known(connection, part.needs, list(moments), min(moments.values()))
    changes: list[Change] = []
    dues: dict[str, datetime | None] = {}
    whole = part is book.everything
    for one, person in known.items():
        changed, upcoming = _judge_one(one, book, part, person, moments[one])
        changes += changed
        # What was known of the segments that are not judged now stands: too early at the worst.
        dues[one] = upcoming if whole else min((at for at in (upcoming, person.due) if at is not None), default=None)
    gone = {one: None for one in moments if one not in known}
    before = {one: person.due for one, person in known.items() if person.due is not None}
    due.set_due(connection, {**dues, **gone}, {**before, **{one: moments[one] for one in gone}})
    return changes


def judge_due(connection: Connection, book: SegmentBook, now: datetime, limit: int, tell: Tell) -> list[Change]:
    """Judge those for whom a moment came at which a membership can change, each as of that moment; return what changed."""
    router_turn(connection)
    return judge(connection, book, dict(due.due(connection, now, limit)), now, tell)


def _judge_one(profile_id: str, book: SegmentBook, part: Part, person: Known, at: datetime) -> tuple[list[Change], datetime | None]:
    held: dict[str, bool] = {}
    facts = Facts(now=at, profile=person.traits, history=person.history, listed=person.segments, segments=held)
    upcoming: datetime | None = None
    changes = []
    for name in part.names:
        condition = book.conditions[name]
        holds = held[name] = condition.holds(facts, book.conditions)
        if holds is not (name in person.segments):
            changes.append(Change(profile_id, name, holds, at))
        turns = condition.changes_at(facts, book.conditions, holds)
        if turns is not None and (upcoming is None or turns < upcoming):
            upcoming = turns
    return changes, upcoming


# -- writing -----------------------------------------------------------------------------------


def begin(connection: Connection) -> int:
    """Return this judging's number; whoever else judges waits until this transaction ends."""
    serial = connection.execute(_COUNT).scalar()
    if serial is None:
        insert_new(connection, cursors, [{"name": COUNTER, "seq": 0}])
        serial = connection.execute(_COUNT).scalar_one()
    return int(serial)


def write(connection: Connection, changes: Sequence[Change], serial: int, now: datetime, tell: Tell) -> None:
    """Write who came and went, and tell it.

    Args:
        connection: of a writing transaction.
        changes: in order.
        serial: of this judging.
        now: the shop's moment.
        tell: takes the events.
    """
    if not changes:
        return
    came = [{"segment": c.segment, "profile_id": c.profile_id, "since": c.at} for c in changes if c.entered]
    insert_new(connection, segment_members, came)
    left = [{"whichever": c.segment, "whose": c.profile_id} for c in changes if not c.entered]
    if left:
        connection.execute(_LEAVE, left)
    tell(connection, [event_of(change, serial) for change in changes])


def event_of(change: Change, serial: int) -> InnerEvent:
    """Return the event of a change; a repeat of the same judging gives the same."""
    name = ENTERED if change.entered else EXITED
    return InnerEvent(
        message_id=str(uuid5(_NAMESPACE, f"{serial}:{name}:{change.segment}:{change.profile_id}")),
        name=name,
        time=change.at,
        profile_id=change.profile_id,
        properties={"segment": change.segment},
    )


def members(connection: Connection, segment: str) -> list[str]:
    """Return the profiles in a segment, by id."""
    query = select(segment_members.c.profile_id).where(segment_members.c.segment == segment).order_by(segment_members.c.profile_id)
    return list(connection.execute(query).scalars())
