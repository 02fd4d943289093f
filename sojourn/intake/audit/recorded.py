"""Adds up what was recorded as wrong while it happened: violations, quarantine, merges that were refused."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from sojourn.intake.audit.noted import Note, Period
from sojourn.intake.envelope import IN_FUTURE
from sojourn.store.tables import metadata, quarantine, violations

MOST = 50  # of each


def note_violations(connection: Connection, period: Period) -> list[Note]:
    """Return what was taken in although its definition finds it wrong, as notes."""
    v = violations.c
    columns, count = (v.event, v.path, v.reason), func.count().label("events")
    query = select(*columns, count).where(v.at >= period.since, v.at < period.until).group_by(*columns).order_by(count.desc(), *columns)
    return [_violation(row) for row in connection.execute(query.limit(MOST))]


def _violation(row: Row[Any]) -> Note:
    if (row.path, row.reason) == IN_FUTURE:
        what = f"{row.events} were dated in the future, and were taken as of when they came"
        return Note("future", row.event, what, "check the sender's clock, and the zone of what it sends as its time", count=row.events)
    return Note("violation", row.event, row.reason, "mend the sender, or the definition in journeys/events/", row.path or None, row.events)


def note_quarantine(connection: Connection, period: Period) -> list[Note]:
    """Return what was set aside in the period, as notes."""
    q = quarantine.c
    columns, count = (q.name, q.reason), func.count().label("events")
    query = select(*columns, count).where(q.received_at >= period.since, q.received_at < period.until).group_by(*columns)
    mended = "mend the sender, or the definition and then: sojourn events release"
    return [
        Note(
            "quarantine",
            row.name,
            row.reason,
            "mend the sender; see: sojourn events quarantined" if row.name is None else mended,
            count=row.events,
        )
        for row in connection.execute(query.order_by(count.desc(), *columns).limit(MOST))
    ]


def note_refused_merges(connection: Connection, period: Period) -> list[Note]:
    """Return which merges of people were refused, by the kind of identifier, as notes; none where none are recorded."""
    refused = metadata.tables.get("refused_merges")
    if refused is None:
        return []
    columns, count = (refused.c.kind, refused.c.reason), func.count().label("merges")
    query = select(*columns, count).where(refused.c.at >= period.since, refused.c.at < period.until).group_by(*columns)
    advice = "look for a shared device or a placeholder that many people send as theirs"
    return [
        Note("refused merge", None, f"{row.merges} by {row.kind}: {row.reason}", advice, count=row.merges)
        for row in connection.execute(query.order_by(count.desc(), *columns).limit(MOST))
    ]
