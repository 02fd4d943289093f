"""Goes through everyone after a definition came or changed, in the background, a page of people at a time.

Whoever is touched meanwhile is judged by the new definition already; the page that reaches them later
finds nothing to do. So each person goes over from the old definition to the new one once, and whoever
both hold for never leaves. A page is one short transaction: events go on between two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Select,
    String,
    Table,
    case,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from sojourn.customers.inner import Tell
from sojourn.customers.segments.book import SegmentBook
from sojourn.customers.segments.causes import Cause
from sojourn.customers.segments.live import Change, begin, heard, write
from sojourn.language.conditions.sqljson import Earliest
from sojourn.language.conditions.sqlturn import NEVER
from sojourn.store.bulk import upsert_from
from sojourn.store.locks import router_turn
from sojourn.store.tables import profiles, segment_builds, segment_due, segment_members

BUILDING, LIVE = "building", "live"
AT_ONCE = 30  # segments gone through in one pass
FIRST_PAGE = 500
LARGEST_PAGE = 20_000
PAGE_SECONDS = 0.1  # what a page may take: nothing else is written meanwhile

# Of the connection, not of the store: what a page of people came to.
page_ = Table(
    "segment_page",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("bits", BigInteger, nullable=False),  # one for each segment of the pass
    Column("due", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True)
class Build:
    """How far a definition has been gone through."""

    segment: str
    version: str
    state: str
    done: int
    total: int
    entered: int
    exited: int
    started_at: datetime
    finished_at: datetime | None


def sync(connection: Connection, book: SegmentBook, now: datetime) -> list[str]:
    """Note which segments came, changed or went, and return those that have to be gone through.

    Of a segment that is gone the members are forgotten, and nothing is told: nobody left it.
    """
    router_turn(connection)
    known = {row.segment: row for row in connection.execute(select(segment_builds))}
    changed = [name for name, version in book.versions.items() if name not in known or known[name].version != version]
    total = (
        connection.execute(select(func.count()).select_from(profiles).where(profiles.c.merged_into.is_(None))).scalar_one()
        if changed
        else 0
    )
    for name in changed:
        row = {"version": book.versions[name], "state": BUILDING, "cursor": "", "done": 0, "total": total, "entered": 0, "exited": 0}
        row |= {"started_at": now, "finished_at": None, "condition": book.conditions[name].text}
        if name in known:
            connection.execute(update(segment_builds).where(segment_builds.c.segment == name).values(row))
        else:
            connection.execute(insert(segment_builds).values(segment=name, **row))
    forgotten = set(connection.execute(select(segment_members.c.segment).distinct()).scalars()) | set(known)
    for name in sorted(forgotten - set(book.conditions)):
        connection.execute(delete(segment_members).where(segment_members.c.segment == name))
        connection.execute(delete(segment_builds).where(segment_builds.c.segment == name))
    for name in sorted(set(known) & book.lists):  # it had a condition, and is a list now
        connection.execute(delete(segment_builds).where(segment_builds.c.segment == name))
    return [row.segment for row in connection.execute(_building())]


def restart(connection: Connection, segments: Sequence[str], now: datetime) -> None:
    """Have segments gone through once more from the beginning."""
    again = {"state": BUILDING, "cursor": "", "done": 0, "entered": 0, "exited": 0, "started_at": now, "finished_at": None}
    connection.execute(update(segment_builds).where(segment_builds.c.segment.in_(segments)).values(again))


def builds(connection: Connection) -> list[Build]:
    """Return how far every segment with a condition has been gone through."""
    names = [column for column in segment_builds.c if column.name not in ("cursor", "condition", "live")]
    return [Build(**row) for row in connection.execute(select(*names).order_by(segment_builds.c.segment)).mappings()]


def is_building(connection: Connection) -> bool:
    """Tell whether any definition is yet to be gone through; it needs no lock."""
    return connection.execute(_building().limit(1)).first() is not None


def build_page(connection: Connection, book: SegmentBook, now: datetime, tell: Tell, size: int = FIRST_PAGE) -> int:
    """Go through the next people for whichever segments are furthest behind, and return how many there were; 0: all is done.

    Args:
        connection: of a writing transaction.
        book: the segments in force.
        now: the shop's moment.
        tell: takes the events of who came and went.
        size: how many people at most.
    """
    router_turn(connection)
    behind = [row for row in connection.execute(_building()) if row.segment in book.versions]
    if not behind:
        return 0
    start = behind[0].cursor
    names = [row.segment for row in behind if row.cursor == start][:AT_ONCE]
    serial = begin(connection)
    last, count = _fill(connection, _page(book, names, start, now, size)) if _anyone(connection, start) else (None, 0)
    changes = _changes(connection, names, start, last, now) if last else []
    write(connection, heard(connection, changes), serial, now, tell)
    if count:
        _remember_due(connection)
    done = count < size
    for name in names:
        mine = [change for change in changes if change.segment == name]
        entered = sum(change.entered for change in mine)
        state = {"state": LIVE if done else BUILDING, "finished_at": now if done else None}
        values = state | {
            "cursor": last or start, "done": segment_builds.c.done + count, "entered": segment_builds.c.entered + entered,
            "exited": segment_builds.c.exited + len(mine) - entered,
        }  # fmt: skip
        connection.execute(update(segment_builds).where(segment_builds.c.segment == name).values(values))
    return int(count)


def next_size(size: int, seconds: float) -> int:
    """Return how large the next page may be, after one of a size took some seconds."""
    return int(min(max(size * min(PAGE_SECONDS / max(seconds, 1e-3), 2.0), 100), LARGEST_PAGE))


def _building() -> Select[tuple[str, str]]:
    of_these = segment_builds.c.state == BUILDING
    return (
        select(segment_builds.c.segment, segment_builds.c.cursor)
        .where(of_these)
        .order_by(segment_builds.c.cursor, segment_builds.c.segment)
    )


def _page(book: SegmentBook, names: Sequence[str], start: str, now: datetime, size: int) -> Select[tuple[str, int, int]]:
    bits: ColumnElement[int] = literal(0, BigInteger())
    turns: list[ColumnElement[int]] = []
    for place, name in enumerate(names):
        condition = book.conditions[name]
        bits = bits + case((condition.sql(now, book.conditions), literal(1 << place, BigInteger())), else_=literal(0, BigInteger()))
        turn = condition.sql_turn(now, book.conditions)
        if turn is not None:
            turns.append(turn)
    soonest = Earliest(*turns) if len(turns) > 1 else turns[0] if turns else literal(NEVER, BigInteger())
    return (
        select(profiles.c.id, bits, soonest)
        .where(profiles.c.id > start, profiles.c.merged_into.is_(None))
        .order_by(profiles.c.id)
        .limit(size)
    )


def _anyone(connection: Connection, start: str) -> bool:
    """Tell whether a page would hold anybody; writing down all conditions of an empty shop takes longer than the shop."""
    return connection.execute(select(profiles.c.id).where(profiles.c.id > start).limit(1)).first() is not None


def _fill(connection: Connection, people: Select[tuple[str, int, int]]) -> tuple[str | None, int]:
    """Put a page of people into the table of the connection, and return the last of them and how many there are."""
    page_.create(connection, checkfirst=True)
    # PostgreSQL would go through all pages that came before, and SQLite knows no TRUNCATE.
    connection.execute(text("TRUNCATE segment_page") if connection.dialect.name == "postgresql" else delete(page_))
    connection.execute(insert(page_).from_select(["id", "bits", "due"], people))
    last, count = connection.execute(select(func.max(page_.c.id), func.count())).one()
    return last, count


def _changes(connection: Connection, names: Sequence[str], start: str, last: str, now: datetime) -> list[Change]:
    places = {name: 1 << place for place, name in enumerate(names)}
    bit = case(places, value=segment_members.c.segment, else_=0)
    # Of the ids of the page, and not of its rows: the store knows nothing of how many these are.
    of_these = (segment_members.c.segment.in_(names), segment_members.c.profile_id > start, segment_members.c.profile_id <= last)
    were = (
        select(segment_members.c.profile_id, func.sum(bit).label("bits"))
        .where(*of_these)
        .group_by(segment_members.c.profile_id)
        .subquery()
    )
    before = func.coalesce(were.c.bits, 0)
    differing = (
        select(page_.c.id, page_.c.bits, before.label("before"))
        .outerjoin(were, were.c.profile_id == page_.c.id)
        .where(page_.c.bits != before)
        .order_by(page_.c.id)
    )
    return [
        Change(row.id, name, bool(row.bits & place), now, Cause.EDIT)
        for row in connection.execute(differing)
        for name, place in places.items()
        if row.bits & place != int(row.before) & place
    ]


def _remember_due(connection: Connection) -> None:
    """Write whoever is due earlier than was known."""
    known = segment_due.c.at
    sooner = (
        select(page_.c.id, page_.c.due)
        .outerjoin(segment_due, segment_due.c.profile == page_.c.id)
        .where(page_.c.due < NEVER, or_(known.is_(None), page_.c.due < known))
    )
    upsert_from(connection, segment_due, ["profile", "at"], sooner, only_if_less="at")


__all__ = ["BUILDING", "LIVE", "Build", "build_page", "builds", "is_building", "next_size", "restart", "sync"]
