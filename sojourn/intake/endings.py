"""Writes down how entries ended, whoever saw it: the router, the worker, or a later look at what has closed.

They do not know equally much. What was only inferred gives way to what the worker saw, and that to what the workflow's
record says; the router's own decision, and the record, stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from sojourn.store.bulk import chunks
from sojourn.store.tables import entries

GUESS = "guess"  # only that it has closed was seen, and not how
WORKER = "worker"  # seen by the worker, before the server had taken it: an event that came meanwhile may lead elsewhere
_RANK = {GUESS: 0, WORKER: 1, None: 2}


@dataclass(frozen=True)
class Ending:
    """How one entry ended."""

    entry_id: str
    outcome: str
    because: str
    by: str | None = None  # GUESS or WORKER, which give way; None is certain


_STANDING = (
    select(entries.c.id, entries.c.state, entries.c.outcome, entries.c.ended_by)
    .where(entries.c.id.in_(bindparam("entries", expanding=True)))
    .order_by(entries.c.id)
)
_LOCKED = _STANDING.with_for_update(key_share=True)
_END = (
    update(entries)
    .where(entries.c.id == bindparam("entry"), entries.c.state == "running")
    .values(state="ended", outcome=bindparam("how"), because=bindparam("why"), ended_by=bindparam("who"), ended_at=bindparam("moment"))
)
_CORRECT = (
    update(entries)
    .where(entries.c.id == bindparam("entry"))
    .values(outcome=bindparam("how"), because=bindparam("why"), ended_by=bindparam("who"))
)


def mark_ended(connection: Connection, endings: Sequence[Ending], now: datetime) -> int:
    """End the entries that still run, put right those whose ending is better known now, and return how many there were of both.

    Of two endings that know equally much the first stands, but of two that the worker saw the last: it saw the first undone.
    """
    rows: dict[str, Ending] = {}
    for ending in endings:
        known = rows.get(ending.entry_id)
        if known is None or _outdoes(ending, known.by):
            rows[ending.entry_id] = ending
    changed = 0
    for some in chunks(rows):
        # Asked first: not every driver counts what many updates change.
        standing = connection.execute(_LOCKED, {"entries": some}).all()
        running = [_row(rows[one.id], now) for one in standing if one.state == "running"]
        wrong = [_row(rows[one.id]) for one in standing if one.state != "running" and _corrects(rows[one.id], one.outcome, one.ended_by)]
        if running:
            connection.execute(_END, running)
        if wrong:
            connection.execute(_CORRECT, wrong)
        changed += len(running) + len(wrong)
    return changed


def unwritten(connection: Connection, endings: Sequence[Ending]) -> list[Ending]:
    """Return the endings that `mark_ended` would write."""
    rows = {ending.entry_id: ending for ending in endings}
    found: list[Ending] = []
    for some in chunks(rows):
        for one in connection.execute(_STANDING, {"entries": some}).all():
            if one.state == "running" or _corrects(rows[one.id], one.outcome, one.ended_by):
                found.append(rows[one.id])
    return found


def _corrects(ending: Ending, outcome: str | None, by: str | None) -> bool:
    return ending.outcome != outcome and _outdoes(ending, by)


def _outdoes(ending: Ending, by: str | None) -> bool:
    return _RANK[ending.by] > _RANK.get(by, _RANK[None]) or ending.by == by == WORKER


def _row(ending: Ending, now: datetime | None = None) -> dict[str, object]:
    row: dict[str, object] = {"entry": ending.entry_id, "how": ending.outcome, "why": ending.because, "who": ending.by}
    return row if now is None else row | {"moment": now}
