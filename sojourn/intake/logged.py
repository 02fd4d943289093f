"""Reads the log in pages: what came in from outside, as it was taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from sojourn.store.tables import inbound

PAGE = 5_000


@dataclass(frozen=True)
class Logged:
    """One track call of the log."""

    seq: int
    name: str
    time: datetime
    properties: dict[str, Any]


def last_seq(connection: Connection) -> int:
    """Return the number of the last row of the log."""
    return connection.execute(select(func.max(inbound.c.seq))).scalar() or 0


def page(connection: Connection, after: int, limit: int = PAGE) -> list[Logged]:
    """Return the track calls from outside among the next rows of the log; empty where there are no more rows.

    Args:
        connection: the store.
        after: the row after which the page begins.
        limit: rows to return at most.
    """
    i = inbound.c
    query = select(i.seq, i.name, i.time, i.body).where(i.seq > after, i.kind == "track", i.profile_id.is_(None))
    rows = connection.execute(query.order_by(i.seq).limit(limit))
    return [Logged(row.seq, row.name, row.time, row.body.get("properties") or {}) for row in rows]
