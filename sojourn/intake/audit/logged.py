"""The events that an audit looks at: those that came in by the log, and those that an import put into people's history."""

from __future__ import annotations

from sqlalchemy import BigInteger, Subquery, literal, select, type_coerce, union_all

from sojourn.intake.audit.noted import Period
from sojourn.store.tables import events, inbound
from sojourn.store.types import to_micros

IMPORTED_BELOW = 0  # `events.seq` of what an import brought; the log's own begins with 1


def logged(period: Period, since: int | None = None) -> Subquery:
    """Return name, moment and moment of receipt (microseconds since 1970) of each track event from outside, up to a period's end.

    Args:
        period: what is looked at.
        since: the earliest moment; None for all that ever came.
    """
    i, e = inbound.c, events.c
    came, happened = type_coerce(i.time, BigInteger), type_coerce(e.time, BigInteger)
    until = to_micros(period.until)
    log = select(i.name, came.label("time"), type_coerce(i.received_at, BigInteger).label("received")).where(
        i.kind == "track", i.profile_id.is_(None), came < until, came >= since if since is not None else literal(True)
    )
    # Whoever imports history says nothing of when it was received: none of it is late.
    history = select(e.name, happened.label("time"), happened.label("received")).where(
        e.kind == "track", e.seq < IMPORTED_BELOW, happened < until, happened >= since if since is not None else literal(True)
    )
    return union_all(log, history).subquery("logged")
