"""Judges people anew, writes who came and went, and when each is to be judged next.

A person is judged after each batch of their events, and at the moment at which a window of theirs
passes: as of that very moment, however late it is looked at. What changed is told in the same
transaction, so that each change is told once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, select

from sojourn.customers.inner import InnerEvent, Tell
from sojourn.customers.segments import due, releases
from sojourn.customers.segments.book import Part, SegmentBook
from sojourn.customers.segments.causes import CAUSE, Cause
from sojourn.customers.segments.due import Due
from sojourn.customers.segments.facts import Known, read_known
from sojourn.customers.segments.judging import begin, note
from sojourn.language.conditions import Facts
from sojourn.store.bulk import insert_fast
from sojourn.store.locks import router_turn
from sojourn.store.tables import segment_builds, segment_members

ENTERED, EXITED = "Segment Entered", "Segment Exited"
_BUILDING = select(segment_builds.c.segment, segment_builds.c.cursor, segment_builds.c.live).where(segment_builds.c.state == "building")
_LEAVE = delete(segment_members).where(
    segment_members.c.segment == bindparam("whichever"), segment_members.c.profile_id == bindparam("whose")
)


class Change(NamedTuple):
    """Someone came into a segment, or left it.

    Attributes:
        cause: why.
        live: whether journeys hear of what an import or an edit changed.
    """

    profile_id: str
    segment: str
    entered: bool
    at: datetime
    cause: Cause
    live: bool = False


def judge(
    connection: Connection,
    book: SegmentBook,
    moments: Mapping[str, datetime],
    now: datetime,
    tell: Tell,
    causes: Mapping[str, Due] | None = None,
) -> list[Change]:
    """Bring all memberships of people up to date, and return what changed.

    Args:
        connection: of a writing transaction.
        book: the segments in force.
        moments: as of when to judge each person.
        now: the shop's moment.
        tell: takes the events of what changed.
        causes: what each person is judged for; time, where it is not said. Whom a build has not come to yet, is changed by the edit.
    """
    if not moments:
        return []
    serial = begin(connection)
    known = causes or {}
    ahead = _building(connection)
    changes = []
    for change in _judge(connection, book, book.everything, moments, serial):
        edited = ahead.get(change.segment)
        why = known.get(change.profile_id) or Due(change.at)
        if edited is not None and change.profile_id > edited.cursor:
            why = Due(change.at, Cause.EDIT, edited.live)
        changes.append(change._replace(cause=why.cause, live=why.live))
    write(connection, changes, serial, now, tell)
    return changes


def bring_up_to_date(connection: Connection, book: SegmentBook, profile_ids: Collection[str], now: datetime, tell: Tell) -> list[Change]:
    """Judge those of some people of whom an import or an edit waits to be judged, before an event of theirs is absorbed.

    So what an import brought, or a definition that is new, is not laid to the event that happens to come next.

    Args:
        connection: of a writing transaction.
        book: the segments in force.
        profile_ids: canonical profiles of whom events have come.
        now: the shop's moment.
        tell: takes the events of what changed.
    """
    if not book.judged or not profile_ids:
        return []
    waiting = due.quietly(connection, profile_ids, now)
    changes = judge(connection, book, {one: each.at for one, each in waiting.items()}, now, tell, waiting)
    ahead = _building(connection)
    names = frozenset(name for name in ahead if name in book.judged)
    first = min((ahead[name].cursor for name in names), default="")
    rest = {one: now for one in profile_ids if names and one not in waiting and one > first}
    if not rest:
        return changes
    serial = begin(connection)
    for change in _judge(connection, book, book.part(names), rest, serial):
        if change.profile_id > ahead[change.segment].cursor:
            changes.append(change._replace(cause=Cause.EDIT, live=ahead[change.segment].live))
    write(connection, [change for change in changes if change.profile_id in rest], serial, now, tell)
    return changes


def anything_quiet(connection: Connection, now: datetime) -> bool:
    """Tell whether an import or an edit waits to be judged for anyone; it needs no lock."""
    return due.is_quietly_due(connection, now) or bool(_building(connection))


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
        changes += _judge(connection, book, book.everything if names is None else book.part(names), moments, serial)
    write(connection, changes, serial, now, tell)
    return changes


def _judge(connection: Connection, book: SegmentBook, part: Part, moments: Mapping[str, datetime], serial: int) -> list[Change]:
    note(connection, moments, serial)
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


@dataclass(frozen=True)
class Judged:
    """What judging those who were due came to: how many they were, and who came and went."""

    people: int
    changes: list[Change]


def judge_due(connection: Connection, book: SegmentBook, now: datetime, limit: int, tell: Tell) -> Judged:
    """Judge those for whom a moment came at which a membership can change, each as of that moment; return what changed."""
    router_turn(connection)
    found = due.due_for(connection, now, limit)
    return Judged(len(found), judge(connection, book, {one: each.at for one, each in found.items()}, now, tell, found))


def _judge_one(profile_id: str, book: SegmentBook, part: Part, person: Known, at: datetime) -> tuple[list[Change], datetime | None]:
    held: dict[str, bool] = {}
    calendar = book.calendar.of(person.zone)
    facts = Facts(now=at, profile=person.traits, history=person.history, listed=person.segments, segments=held, calendar=calendar)
    upcoming: datetime | None = None
    changes = []
    for name in part.names:
        condition = book.conditions[name]
        holds = held[name] = condition.holds(facts, book.conditions)
        if holds is not (name in person.segments):
            changes.append(Change(profile_id, name, holds, at, Cause.EVENT))
        turns = condition.changes_at(facts, book.conditions, holds)
        if turns is not None and (upcoming is None or turns < upcoming):
            upcoming = turns
    return changes, upcoming


# -- writing -----------------------------------------------------------------------------------


def write(connection: Connection, changes: Sequence[Change], serial: int, now: datetime, tell: Tell) -> None:
    """Write who came and went, and tell it; what journeys are to hear of an import or an edit is told a few a minute.

    Args:
        connection: of a writing transaction.
        changes: in order.
        serial: of this judging.
        now: the shop's moment.
        tell: takes the events.
    """
    if not changes:
        return
    came = [(change.segment, change.profile_id, change.at) for change in changes if change.entered]
    insert_fast(connection, segment_members, ("segment", "profile_id", "since"), came)
    left = [{"whichever": c.segment, "whose": c.profile_id} for c in changes if not c.entered]
    if left:
        connection.execute(_LEAVE, left)
    known = list(zip(_message_ids(serial, len(changes)), changes, strict=True))
    releases.hold(connection, [(message_id, change) for message_id, change in known if change.live], now)
    tell(connection, [_event_of(message_id, change) for message_id, change in known if not change.live])


def _message_ids(serial: int, count: int) -> list[str]:
    """Return the ids of a judging's events: a repeat of it gives the same, and what comes later stands later in an index."""
    which = f"{serial:012x}"
    return [f"{which}-{number:06x}-segment-changed" for number in range(count)]


def _event_of(message_id: str, change: Change) -> InnerEvent:
    properties = _properties(change.segment, change.cause)
    return InnerEvent(message_id, ENTERED if change.entered else EXITED, change.at, change.profile_id, properties)


@lru_cache(maxsize=1_024)
def _properties(segment: str, cause: Cause) -> Mapping[str, str]:
    return {"segment": segment, CAUSE: cause.value}


@dataclass(frozen=True)
class _Built:
    """How far a definition has been gone through: up to which profile, and whether journeys hear of who comes and goes."""

    cursor: str
    live: bool


def _building(connection: Connection) -> dict[str, _Built]:
    return {row.segment: _Built(row.cursor, row.live) for row in connection.execute(_BUILDING)}


def members(connection: Connection, segment: str) -> list[str]:
    """Return the profiles in a segment, by id."""
    query = select(segment_members.c.profile_id).where(segment_members.c.segment == segment).order_by(segment_members.c.profile_id)
    return list(connection.execute(query).scalars())
