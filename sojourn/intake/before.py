"""What is judged of the people of a batch before its events are absorbed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from sojourn.customers.identity import People
from sojourn.customers.segments import Change
from sojourn.customers.segments import live as segments
from sojourn.intake.absorb import InboundRow
from sojourn.intake.emit import tell
from sojourn.travel.registry import Registry


def bring_up_to_date(connection: Connection, registry: Registry, rows: Sequence[InboundRow], now: datetime) -> list[Change]:
    """Judge first what an import or an edit has made of the people of a batch: it is not what happened to them now."""
    if not registry.book.judged or not segments.anything_quiet(connection, now):
        return []
    people = People(connection, [row.envelope for row in rows], rules=registry.loaded.profile.identity).known
    return segments.bring_up_to_date(connection, registry.book, people, now, tell)
