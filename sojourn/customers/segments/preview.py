"""Who would be in a segment by a condition, beside who is in it: asked a page of people at a time, and never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, false, func, select
from sqlalchemy.sql.expression import ColumnElement

from sojourn.language.conditions import Condition
from sojourn.store.tables import profiles, segment_members

PAGE = 5_000


@dataclass(frozen=True)
class Asked:
    """One person whom a condition was asked about; whoever is in neither is left out.

    Attributes:
        profile_id: who.
        holds: whether the condition holds for them.
        member: whether they are in the segment that it is compared with.
    """

    profile_id: str
    holds: bool
    member: bool


@dataclass(frozen=True)
class Swept:
    """A page of people: how many were asked, who is in, and after whom the next page begins; None: there is none."""

    asked: int
    found: Sequence[Asked]
    last: str | None


def people(connection: Connection) -> int:
    """Return how many people there are."""
    living = select(func.count()).select_from(profiles).where(profiles.c.merged_into.is_(None))
    return int(connection.execute(living).scalar_one())


def sweep_page(
    connection: Connection,
    condition: Condition,
    conditions: Mapping[str, Condition],
    segment: str | None,
    now: datetime,
    after: str = "",
    size: int = PAGE,
) -> Swept:
    """Ask a condition of the next people, in the order of their profile ids.

    Args:
        connection: open; only read.
        condition: what is asked.
        conditions: those of all segments.
        segment: the one whose members it is compared with; None: with nobody.
        now: the moment that windows are relative to.
        after: the last person asked.
        size: how many people at most.
    """
    chosen = (
        select(profiles.c.id.label("one"))
        .where(profiles.c.id > after, profiles.c.merged_into.is_(None))
        .order_by(profiles.c.id)
        .limit(size)
    ).subquery()
    asked, last = connection.execute(select(func.count(), func.max(chosen.c.one))).one()
    if not asked:
        return Swept(0, (), None)
    holds, member = condition.sql(now, conditions), _member(segment)
    # By the ends of the page, and not by its people: SQLite would look at everybody for these.
    page = (profiles.c.id > after, profiles.c.id <= last, profiles.c.merged_into.is_(None))
    rows = connection.execute(
        select(profiles.c.id, holds.label("holds"), member.label("member")).where(*page, holds | member).order_by(profiles.c.id)
    )
    return Swept(int(asked), [Asked(row.id, bool(row.holds), bool(row.member)) for row in rows], str(last) if asked == size else None)


def _member(segment: str | None) -> ColumnElement[bool]:
    if segment is None:
        return false()
    return (
        select(segment_members.c.profile_id)
        .where(segment_members.c.segment == segment, segment_members.c.profile_id == profiles.c.id)
        .exists()
    )


__all__ = ["PAGE", "Asked", "Swept", "people", "sweep_page"]
