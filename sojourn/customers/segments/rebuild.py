"""Goes through everyone after a definition came or changed, in the background, a page of people at a time.

A page is looked at without any lock: all its conditions are asked of its people alone, in one query. What differs from what is
written is then written in short transactions, a part of the page in each, and events go on between two. Whoever is touched
between the look and the writing is judged anew from what is known then (`judging`). So each person goes over from the old
definition to the new one once, and whoever both hold for never leaves.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, Update, and_, bindparam, case, delete, func, literal, select, update

from sojourn.customers.inner import Tell
from sojourn.customers.segments import due, live
from sojourn.customers.segments.book import SegmentBook
from sojourn.customers.segments.builds import AT_ONCE, Build, builds, covered_since, is_building, restart, sync, unfinished
from sojourn.customers.segments.causes import Cause
from sojourn.customers.segments.judging import BUILDING, LIVE, begin, latest, noted_since
from sojourn.customers.segments.live import Change
from sojourn.language.conditions.sqljson import Earliest
from sojourn.language.conditions.sqlshared import SharedQuestions
from sojourn.language.conditions.sqlturn import NEVER
from sojourn.store.bulk import among, many
from sojourn.store.locks import router_turn
from sojourn.store.pacing import Pace
from sojourn.store.tables import profiles, segment_builds, segment_due, segment_judged, segment_members
from sojourn.store.types import from_micros

FIRST_PAGE, SMALLEST_PAGE, LARGEST_PAGE = 1_000, 1_000, 10_000  # people looked at together
LOOK_SECONDS = 0.5  # what a look is aimed to take: nobody waits for it
FIRST_PART, SMALLEST_PART, LARGEST_PART = 500, 250, 4_000  # rows written in one transaction
PART_SECONDS = 0.035  # what that is aimed to take: there are many of them, and the slowest has to stay below 0.1
# Of a server: there is no one lock that keeps every writer waiting, and each part is a dozen questions to it.
SMALLEST_SERVED_PART, SERVED_PART_SECONDS = 1_000, 0.1
_MOVED = (
    update(segment_builds)
    .where(segment_builds.c.segment == bindparam("name"))
    .values(entered=segment_builds.c.entered + bindparam("came"), exited=segment_builds.c.exited + bindparam("went"))
)
_AT = select(segment_builds.c.segment, segment_builds.c.version, segment_builds.c.live).where(
    segment_builds.c.state == BUILDING, segment_builds.c.cursor == bindparam("after")
)
_PASSED = delete(segment_judged).where(
    segment_judged.c.profile > bindparam("after"),
    segment_judged.c.profile <= bindparam("upto"),
    segment_judged.c.serial <= bindparam("serial"),
)
A_JUDGING = 20  # rows that take as long as it takes to judge one person anew


class Looked(NamedTuple):
    """What a look found of one person.

    Attributes:
        bits: the segments that they belong to, one bit for each of the page's; `before`: those that are written.
        due: when that can change next by itself, in microseconds; NEVER: never.
        known_due: what is written of that.
    """

    id: str
    bits: int
    before: int
    due: int
    known_due: datetime | None


@dataclass(frozen=True)
class Page:
    """A page of people, as it was looked at.

    Attributes:
        names: the segments that are gone through together.
        versions: of their definitions.
        whole: whether these are all segments: then it is known when each person is due, and not only that it may be earlier.
        start: the id after which the page begins.
        last: the last id of it.
        ends: whether nobody comes after it.
        serial: the last judging that it saw.
        now: the moment as of which it was asked.
        people: those who are living, by id.
    """

    names: tuple[str, ...]
    versions: Mapping[str, str]
    whole: bool
    start: str
    last: str
    ends: bool
    serial: int
    now: datetime
    people: tuple[Looked, ...]


@dataclass(frozen=True)
class Settled:
    """What a part of a page came to.

    Attributes:
        after: the id up to which the page is settled; None: all of it, or someone else has gone on with it.
        people: how many people that were.
        rows: how many rows were written; one judged anew counts as A_JUDGING.
        changes: who came and went.
    """

    after: str | None
    people: int = 0
    rows: int = 0
    changes: tuple[Change, ...] = ()


def new_paces(is_served: bool) -> tuple[Pace, Pace]:
    """Return how many people are looked at together at first, and how many rows are written in one transaction.

    Args:
        is_served: whether a server does the work (`Database.is_served`).
    """
    part = Pace(SMALLEST_SERVED_PART, SMALLEST_SERVED_PART, LARGEST_PART, SERVED_PART_SECONDS)
    return (
        Pace(FIRST_PAGE, SMALLEST_PAGE, LARGEST_PAGE, LOOK_SECONDS),
        part if is_served else Pace(FIRST_PART, SMALLEST_PART, LARGEST_PART, PART_SECONDS),
    )


def look(connection: Connection, book: SegmentBook, now: datetime, size: int = FIRST_PAGE) -> Page | None:
    """Return the next page for whichever segments are furthest behind; None where nothing is to be gone through.

    Args:
        connection: open; it needs no lock.
        book: the segments in force.
        now: the shop's moment.
        size: how many people at most.
    """
    behind = [row for row in connection.execute(unfinished()) if book.versions.get(row.segment) == row.version]
    if not behind:
        return None
    start = behind[0].cursor
    versions = {row.segment: row.version for row in behind if row.cursor == start}
    names = tuple(versions)[:AT_ONCE]
    # Of all ids, the merged ones too: a page is bounded by what it passes over.
    ids = select(profiles.c.id).where(profiles.c.id > start).order_by(profiles.c.id).limit(size).subquery()
    last, count = connection.execute(select(func.max(ids.c.id), func.count())).one()
    people = _look(connection, book, names, start, last, now) if last is not None else ()
    return Page(
        names, {name: versions[name] for name in names}, set(names) == set(book.judged), start, last or start, count < size,
        latest(connection), now, people,
    )  # fmt: skip


def settle(connection: Connection, book: SegmentBook, page: Page, after: str, now: datetime, tell: Tell, rows: int = FIRST_PART) -> Settled:
    """Write the next part of a page.

    Args:
        connection: of a writing transaction.
        book: the segments in force.
        page: as it was looked at.
        after: the id up to which it is settled; at first its `start`.
        now: the shop's moment.
        tell: takes the events of who came and went.
        rows: how many rows at most; one person's are never parted.
    """
    router_turn(connection)
    heard = _heard(connection, page, after)
    if heard is None:
        return Settled(None)
    serial = begin(connection)
    chosen = _choose(page, after, rows)
    anew = _anew(connection, page, chosen, now)
    if len(anew) * A_JUDGING > rows:  # the part ends where judging them alone would take as long as a part may
        chosen = chosen[: 1 + _place(chosen, sorted(anew)[max(rows // A_JUDGING, 1) - 1])]
    here = {one.id for one in chosen}
    asked = {one: each for one, each in anew.items() if one in here}
    moved = live.judge(connection, book, {one: each.at for one, each in asked.items()}, now, tell, asked)
    merged = _merged(connection, here - asked.keys())
    quiet = [one for one in chosen if one.id not in asked and one.id not in merged]
    changes = _changes(page, quiet, heard)
    live.write(connection, changes, serial, now, tell)
    dues = _set_due(connection, page, quiet)
    is_rest = not chosen or chosen[-1] is page.people[-1]
    upto = page.last if is_rest else chosen[-1].id
    every = [*moved, *changes]
    _advance(connection, page, upto, len(chosen), every, now, ends=is_rest and page.ends)
    # What was noted of whom the build has come past is of no more use.
    connection.execute(_PASSED, {"after": after, "upto": upto, "serial": page.serial})
    return Settled(None if is_rest else upto, len(chosen), len(changes) + dues + len(asked) * A_JUDGING, tuple(every))


def build_page(connection: Connection, book: SegmentBook, now: datetime, tell: Tell, size: int = FIRST_PAGE) -> int:
    """Go through the next people in one transaction, for who has the store alone; return how many there were, 0: all is done."""
    page = look(connection, book, now, size)
    if page is None:
        return 0
    after: str | None = page.start
    while after is not None:
        after = settle(connection, book, page, after, now, tell, LARGEST_PART).after
    return len(page.people)


# -- looking -----------------------------------------------------------------------------------


def _look(connection: Connection, book: SegmentBook, names: Sequence[str], start: str, last: str, now: datetime) -> tuple[Looked, ...]:
    bits: ColumnElement[int] = literal(0, BigInteger())
    turns: list[ColumnElement[int]] = []
    shared = SharedQuestions()
    for place, name in enumerate(names):
        condition = book.conditions[name]
        holds = condition.sql(now, book.conditions, shared=shared)
        bits = bits + case((holds, literal(1 << place, BigInteger())), else_=literal(0, BigInteger()))
        turn = condition.sql_turn(now, book.conditions, shared)
        if turn is not None:
            turns.append(turn)
    soonest = Earliest(*turns) if len(turns) > 1 else turns[0] if turns else literal(NEVER, BigInteger())
    whose = and_(profiles.c.id > start, profiles.c.id <= last, profiles.c.merged_into.is_(None))
    source = shared.beside_profiles(connection.dialect.name, whose)
    people = select(profiles.c.id, bits.label("bits"), soonest.label("due")).select_from(source).where(whose)
    found = connection.execute(people.order_by(profiles.c.id)).all()
    places, before = {name: 1 << place for place, name in enumerate(names)}, {one: 0 for one, _, _ in found}
    members = select(segment_members.c.profile_id, segment_members.c.segment).where(
        segment_members.c.profile_id > start, segment_members.c.profile_id <= last
    )
    for one, segment in connection.execute(members).all():
        if one in before and segment in places:
            before[one] |= places[segment]
    moments = select(segment_due.c.profile, segment_due.c.at).where(segment_due.c.profile > start, segment_due.c.profile <= last)
    known: dict[str, datetime] = dict(connection.execute(moments).all())
    return tuple(Looked(one, bits, before[one], due, known.get(one)) for one, bits, due in found)


# -- writing -----------------------------------------------------------------------------------


def _heard(connection: Connection, page: Page, after: str) -> set[str] | None:
    """Return of which segments of a page journeys hear whom the build moves; None where someone else has gone on with it, or begun anew."""
    stand = [row for row in connection.execute(_AT, {"after": after}).all() if row.segment in page.versions]
    if {row.segment: row.version for row in stand} != page.versions:
        return None
    return {row.segment for row in stand if row.live}


def _choose(page: Page, after: str, rows: int) -> list[Looked]:
    """Return the next people of a page, as many as come to so many rows; one at least."""
    chosen: list[Looked] = []
    first = bisect_right(page.people, after, key=lambda one: one.id)
    for one in islice(page.people, first, None):
        rows -= (one.bits ^ one.before).bit_count() + 1
        if rows < 0 and chosen:
            break
        chosen.append(one)
    return chosen


def _place(chosen: Sequence[Looked], sought: str) -> int:
    return next(place for place, one in enumerate(chosen) if one.id == sought)


def _anew(connection: Connection, page: Page, chosen: Sequence[Looked], now: datetime) -> dict[str, due.Due]:
    """Return who is judged anew, as of when and for what: who changed since the look, and who is due for a cause of their own."""
    people = [one.id for one in chosen]
    found = {one: due.Due(now, Cause.EDIT) for one in noted_since(connection, people, page.serial)} if people else {}
    return found | due.pressing(connection, people, now)


def _merged(connection: Connection, people: set[str]) -> set[str]:
    dialect = connection.dialect.name
    return {row.id for row in connection.execute(_gone(dialect), {"people": many(dialect, people)})}


@cache
def _gone(dialect: str) -> Select[tuple[str]]:
    return select(profiles.c.id).where(among(dialect, profiles.c.id, "people"), profiles.c.merged_into.is_not(None))


def _changes(page: Page, people: Sequence[Looked], heard: Collection[str]) -> list[Change]:
    return [
        Change(one.id, name, bool(one.bits >> place & 1), page.now, Cause.EDIT, name in heard)
        for one in people
        if one.bits != one.before
        for place, name in enumerate(page.names)
        if (one.bits ^ one.before) >> place & 1
    ]


def _set_due(connection: Connection, page: Page, people: Sequence[Looked]) -> int:
    """Write when people are due next; return for how many it was another moment."""
    moments: dict[str, datetime | None] = {}
    for one in people:
        at = from_micros(one.due) if one.due < NEVER else None
        if at != one.known_due and (page.whole or (at is not None and (one.known_due is None or at < one.known_due))):
            moments[one.id] = at
    due.set_due(connection, moments, {one.id: one.known_due for one in people if one.known_due is not None})
    return len(moments)


def _advance(connection: Connection, page: Page, upto: str, people: int, changes: Sequence[Change], now: datetime, *, ends: bool) -> None:
    stand = {"state_": LIVE if ends else BUILDING, "at": now if ends else None, "upto": upto, "people": people}
    dialect = connection.dialect.name
    connection.execute(_advancing(dialect), {"names": many(dialect, page.names), **stand})
    moved = Counter((change.segment, change.entered) for change in changes)
    here = sorted({segment for segment, _ in moved} & set(page.names))
    if here:
        connection.execute(_MOVED, [{"name": name, "came": moved[name, True], "went": moved[name, False]} for name in here])


@cache
def _advancing(dialect: str) -> Update:
    return (
        update(segment_builds)
        .where(among(dialect, segment_builds.c.segment, "names"))
        .values(
            state=bindparam("state_"),
            finished_at=bindparam("at"),
            cursor=bindparam("upto"),
            done=segment_builds.c.done + bindparam("people"),
        )
    )


__all__ = [
    "AT_ONCE",
    "BUILDING",
    "LIVE",
    "Build",
    "Page",
    "Settled",
    "build_page",
    "builds",
    "covered_since",
    "is_building",
    "look",
    "new_paces",
    "restart",
    "settle",
    "sync",
]
