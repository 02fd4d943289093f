"""Writes down how entries ended, once for each, whoever saw it: the worker, or a later look at what has closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from sojourn.store.bulk import chunks
from sojourn.store.tables import entries


@dataclass(frozen=True)
class Ending:
    """How one entry ended."""

    entry_id: str
    outcome: str
    because: str


_RUNNING = (
    select(entries.c.id)
    .where(entries.c.id.in_(bindparam("entries", expanding=True)), entries.c.state == "running")
    .order_by(entries.c.id)
    .with_for_update(key_share=True)
)
_END = (
    update(entries)
    .where(entries.c.id == bindparam("entry"), entries.c.state == "running")
    .values(state="ended", outcome=bindparam("how"), because=bindparam("why"), ended_at=bindparam("moment"))
)


def mark_ended(connection: Connection, endings: Sequence[Ending], now: datetime) -> int:
    """End the entries that still run, and return how many there were; an ending written before stands."""
    rows = {e.entry_id: {"entry": e.entry_id, "how": e.outcome, "why": e.because, "moment": now} for e in reversed(endings)}
    ended = 0
    for some in chunks(rows):
        # Asked first: not every driver counts what many updates change.
        running = connection.execute(_RUNNING, {"entries": some}).scalars().all()
        if running:
            connection.execute(_END, [rows[one] for one in running])
        ended += len(running)
    return ended
