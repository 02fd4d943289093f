"""How far each definition has been gone through, and which are to be: a row for each segment with a condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from sojourn.customers.segments.book import SegmentBook
from sojourn.customers.segments.judging import BUILDING, is_building
from sojourn.store.locks import router_turn
from sojourn.store.tables import profiles, segment_builds, segment_members

AT_ONCE = 60  # segments gone through in one pass: a bit of a number for each
FORGOTTEN_AT_ONCE = 2_000  # members of a segment that is gone, in one transaction


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

    Nothing is told of a segment that is gone: nobody left it. Its members are forgotten by `forget`.
    """
    router_turn(connection)
    known = {row.segment: row for row in connection.execute(select(segment_builds))}
    changed = [name for name, version in book.versions.items() if name not in known or known[name].version != version]
    total = living(connection) if changed else 0
    for name in changed:
        row = {"version": book.versions[name], "state": BUILDING, "cursor": "", "done": 0, "total": total, "entered": 0, "exited": 0}
        row |= {"started_at": now, "finished_at": None, "condition": book.conditions[name].text, "live": False}
        if name in known:
            connection.execute(update(segment_builds).where(segment_builds.c.segment == name).values(row))
        else:
            connection.execute(insert(segment_builds).values(segment=name, **row))
    # Also one that had a condition, and is a list now.
    for name in sorted((set(known) - set(book.conditions)) | (set(known) & book.lists)):
        connection.execute(delete(segment_builds).where(segment_builds.c.segment == name))
    return [row.segment for row in connection.execute(unfinished())]


def living(connection: Connection) -> int:
    """Return how many people there are."""
    return connection.execute(select(func.count()).select_from(profiles).where(profiles.c.merged_into.is_(None))).scalar_one()


def gone(connection: Connection, book: SegmentBook) -> list[str]:
    """Return the segments that have members and are defined no more."""
    return sorted(set(connection.execute(select(segment_members.c.segment).distinct()).scalars()) - set(book.conditions))


def forget(connection: Connection, segment: str, size: int = FORGOTTEN_AT_ONCE) -> int:
    """Forget members of a segment that is gone, some of them at a time, and return how many; 0: there are no more."""
    some = select(segment_members.c.profile_id).where(segment_members.c.segment == segment).limit(size)
    of_it = delete(segment_members).where(segment_members.c.segment == segment, segment_members.c.profile_id.in_(some))
    return int(connection.execute(of_it).rowcount)


def restart(connection: Connection, segments: Sequence[str], now: datetime, *, live: bool = False) -> None:
    """Have segments gone through once more from the beginning; where it is live, journeys hear of who comes and goes."""
    router_turn(connection)
    again = {"state": BUILDING, "cursor": "", "done": 0, "entered": 0, "exited": 0, "started_at": now, "finished_at": None}
    again |= {"total": living(connection), "live": live}
    connection.execute(update(segment_builds).where(segment_builds.c.segment.in_(segments)).values(again))


def builds(connection: Connection) -> list[Build]:
    """Return how far every segment with a condition has been gone through."""
    names = [column for column in segment_builds.c if column.name not in ("cursor", "condition", "live")]
    return [Build(**row) for row in connection.execute(select(*names).order_by(segment_builds.c.segment)).mappings()]


def unfinished() -> Select[tuple[str, str, str]]:
    """Return a query for what is to be gone through, what is furthest behind first."""
    return (
        select(segment_builds.c.segment, segment_builds.c.cursor, segment_builds.c.version)
        .where(segment_builds.c.state == BUILDING)
        .order_by(segment_builds.c.cursor, segment_builds.c.segment)
    )


def covered_since(connection: Connection) -> datetime | None:
    """Return since when a pass goes through everyone for all segments at once; None where none does.

    Whoever was due before it began is judged by it, and needs no judging beside it.
    """
    rows = connection.execute(select(segment_builds.c.state, segment_builds.c.cursor, segment_builds.c.started_at)).all()
    together = 0 < len(rows) <= AT_ONCE and {row.state for row in rows} == {BUILDING} and len({row.cursor for row in rows}) == 1
    return min(row.started_at for row in rows) if together else None


__all__ = ["AT_ONCE", "Build", "builds", "covered_since", "forget", "gone", "is_building", "living", "restart", "sync", "unfinished"]
