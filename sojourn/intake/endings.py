"""Writes down how entries ended, once for each, whoever saw it: the worker, or a later look at what has closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, update

from sojourn.store.tables import entries


@dataclass(frozen=True)
class Ending:
    """How one entry ended."""

    entry_id: str
    outcome: str
    because: str


_END = (
    update(entries)
    .where(entries.c.id == bindparam("entry"), entries.c.state == "running")
    .values(state="ended", outcome=bindparam("how"), because=bindparam("why"), ended_at=bindparam("moment"))
)


def mark_ended(connection: Connection, endings: Sequence[Ending], now: datetime) -> int:
    """End the entries that still run, and return how many there were; an ending written before stands."""
    rows = [{"entry": e.entry_id, "how": e.outcome, "why": e.because, "moment": now} for e in endings]
    if not rows:
        return 0
    return connection.execute(_END, sorted(rows, key=lambda row: str(row["entry"]))).rowcount
