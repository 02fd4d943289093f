"""What was set aside: listed with its reasons, and taken in once its definition is mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope, NotAsDeclared, judged
from sojourn.language.events.schemas import EventSchemas
from sojourn.store.tables import quarantine

PAGE = 500


@dataclass(frozen=True)
class Reason:
    """How many events were set aside for one reason."""

    event: str | None  # where it could be read
    reason: str
    count: int
    latest: datetime


@dataclass(frozen=True)
class Kept:
    """One event in quarantine, without its body: that is personal data."""

    id: str
    message_id: str | None
    event: str | None
    reason: str
    received_at: datetime
    releasable: bool


@dataclass(frozen=True)
class Place:
    """How far a reader has come; the next page begins after it."""

    received_at: datetime
    time: datetime | None
    id: str


@dataclass(frozen=True)
class Released:
    """What came of a page.

    Attributes:
        taken: written to the log now.
        known: the log held their message ids already; nothing is written twice.
        kept: do not fit their definitions still, and stay.
        next: where the next page begins; None at the end.
    """

    taken: int = 0
    known: int = 0
    kept: int = 0
    next: Place | None = None

    def __add__(self, other: Released) -> Released:
        """Return both pages as one."""
        return Released(self.taken + other.taken, self.known + other.known, self.kept + other.kept, other.next)


def reasons(connection: Connection, limit: int = 50) -> list[Reason]:
    """Return for which reasons events are in quarantine, the most frequent first."""
    count = func.count().label("events")
    columns = quarantine.c.name, quarantine.c.reason
    query = select(*columns, count, func.max(quarantine.c.received_at).label("latest")).group_by(*columns)
    return [
        Reason(row.name, row.reason, row.events, row.latest)
        for row in connection.execute(query.order_by(count.desc(), *columns).limit(limit))
    ]


def listed(connection: Connection, event: str | None = None, after: str | None = None, limit: int = PAGE) -> list[Kept]:
    """Return a page of what is in quarantine, the newest first.

    Args:
        connection: the store.
        event: only events of this name.
        after: the id of the last one of the page before.
        limit: of the page.
    """
    q = quarantine.c
    query = select(q.id, q.message_id, q.name, q.reason, q.received_at, q.envelope.is_not(None).label("releasable"))
    if event is not None:
        query = query.where(q.name == event)
    if after is not None:
        last = select(q.received_at).where(q.id == after).scalar_subquery()
        query = query.where(or_(q.received_at < last, and_(q.received_at == last, q.id < after)))
    rows = connection.execute(query.order_by(q.received_at.desc(), q.id.desc()).limit(limit))
    return [Kept(row.id, row.message_id, row.name, row.reason, row.received_at, bool(row.releasable)) for row in rows]


def waiting(connection: Connection, event: str | None = None) -> int:
    """Return how many events could be read and were set aside by their definition."""
    return int(connection.execute(select(func.count()).select_from(quarantine).where(*_readable(event))).scalar_one())


def release(
    connection: Connection, schemas: EventSchemas, event: str | None = None, after: Place | None = None, limit: int = PAGE
) -> Released:
    """Ask the definitions again about a page of what they set aside, and take in what fits now, in the order of its arrival.

    Taken in and removed from quarantine in one transaction; a message id that the log holds already is only removed.

    Args:
        connection: the store.
        schemas: the definitions as they are now.
        event: only events of this name.
        after: where the page begins.
        limit: of the page.
    """
    q = quarantine.c
    query = select(q.id, q.reason, q.received_at, q.time, q.envelope).where(*_readable(event))
    if after is not None:
        query = query.where(_beyond(after))
    rows = connection.execute(query.order_by(q.received_at, q.time, q.id).limit(limit)).all()
    fitting: list[Envelope] = []
    done: list[str] = []
    for row in rows:
        try:
            fitting.append(judged(Envelope.model_validate(row.envelope), schemas))
            done.append(row.id)
        except NotAsDeclared as error:
            if str(error) != row.reason:
                connection.execute(update(quarantine).where(q.id == row.id).values(reason=str(error)))
    taken = append(connection, fitting)
    if done:
        connection.execute(delete(quarantine).where(q.id.in_(done)))
    last = Place(rows[-1].received_at, rows[-1].time, rows[-1].id) if len(rows) == limit else None
    return Released(len(taken), len(done) - len(taken), len(rows) - len(done), last)


def _readable(event: str | None) -> Sequence[ColumnElement[bool]]:
    found: list[Any] = [quarantine.c.envelope.is_not(None)]
    return [*found, quarantine.c.name == event] if event is not None else found


def _beyond(place: Place) -> ColumnElement[bool]:
    q = quarantine.c
    later = and_(q.received_at == place.received_at, q.time > place.time)
    same = and_(q.received_at == place.received_at, q.time == place.time, q.id > place.id)
    return or_(q.received_at > place.received_at, later, same)
