"""The sends, by the page: newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from sojourn.console.paging import MAX_LIMIT, Cursor, older_than, parse_cursor
from sojourn.store.tables import notices, sends


@dataclass(frozen=True)
class Listed:
    """A send as a list shows it."""

    key: str
    state: str
    journey: str
    content: str
    provider: str | None
    attempts: int
    created_at: datetime
    claimed_at: datetime | None
    reason: str | None


@dataclass(frozen=True)
class Page:
    """A page of sends; `following` is the cursor of the next one."""

    sends: list[Listed]
    following: str | None


def page(
    connection: Connection,
    *,
    states: Sequence[str] = (),
    journey: str | None = None,
    provider: str | None = None,
    people: Sequence[str] = (),
    cursor: str | None = None,
    limit: int = 50,
) -> Page:
    """Return a page of sends.

    Raises:
        BadCursor: the cursor is not one of ours.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    query = select(*(sends.c[name] for name in Listed.__dataclass_fields__)).where(
        *older_than(parse_cursor(cursor), sends.c.created_at, sends.c.key)
    )
    if states:
        query = query.where(sends.c.state.in_(list(states)))
    if journey:
        query = query.where(sends.c.journey == journey)
    if people:
        query = query.where(sends.c.profile_id.in_(list(people)))
    if provider:
        query = query.where(sends.c.provider == provider)
    rows: Sequence[Row[Any]] = connection.execute(query.order_by(sends.c.created_at.desc(), sends.c.key.desc()).limit(limit + 1)).all()
    found = [Listed(**row._mapping) for row in rows[:limit]]
    last = found[-1] if len(rows) > limit else None
    return Page(found, Cursor(last.created_at, 0, last.key).text() if last is not None else None)


def told_of(connection: Connection, key: str) -> list[tuple[datetime, str, str, dict[str, Any]]]:
    """Return what a provider told of a send: when, who, what, and its codes."""
    columns = (notices.c.at, notices.c.provider, notices.c.kind, notices.c.detail)
    query = select(*columns).where(notices.c.send_key == key, notices.c.kind != "token")
    query = query.order_by(notices.c.at, notices.c.id).limit(MAX_LIMIT)
    return [(row.at, row.provider, row.kind, row.detail) for row in connection.execute(query)]
