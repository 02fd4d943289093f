"""Runs an audit: one question after the other, each in a reading transaction of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sojourn.intake.audit.declared import note_declared
from sojourn.intake.audit.drift import halves, note_drift
from sojourn.intake.audit.duplicates import note_duplicates, note_orders_twice
from sojourn.intake.audit.noted import Note, Period
from sojourn.intake.audit.recorded import note_quarantine, note_refused_merges, note_violations
from sojourn.intake.audit.rhythm import Heard, heard, note_gaps, note_late
from sojourn.intake.audit.zones import note_shifted_hours, note_whole_hours_late
from sojourn.language.definitions import Definitions
from sojourn.language.moments import zone_named
from sojourn.store.database import Database

STEPS = 7


@dataclass
class Audit:
    """What an audit found.

    Attributes:
        notes: what is wrong.
        events: how many events it looked at.
        newest: when the last event of the log happened; None where there is none.
    """

    notes: list[Note] = field(default_factory=list)
    events: int = 0
    newest: datetime | None = None


def audit(database: Database, definitions: Definitions, period: Period, result: Audit) -> Iterator[str]:
    """Ask every question, and yield what is asked next before each; what is found goes into the result.

    Args:
        database: is only read.
        definitions: the team's.
        period: what is looked at.
        result: takes what is found.
    """
    yield "rhythm"
    found: dict[str, Heard] = database.read_now(heard, period)
    result.events = sum(one.count for one in found.values())
    result.newest = max((one.last for one in found.values()), default=None)
    result.notes += note_gaps(found, period) + note_late(found)
    yield "zones"
    result.notes += database.read_now(note_whole_hours_late, period, found)
    result.notes += note_shifted_hours(found, zone_named(definitions.shop.zone))
    yield "definitions"
    result.notes += note_declared(definitions, found, period)
    yield "duplicates"
    result.notes += database.read_now(note_duplicates, period) + database.read_now(note_orders_twice, period)
    yield "drift"
    counts = {name: one.count for name, one in found.items() if one.count}
    result.notes += note_drift(database.read_now(halves, period, counts))
    yield "violations and quarantine"
    for question in (note_violations, note_quarantine):
        result.notes += database.read_now(question, period)
    yield "merges"
    result.notes += database.read_now(note_refused_merges, period)
