"""What an import or an edit with `--live` changed: told to journeys a few a minute, so that no crowd begins one at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, delete, exists, func, select

from sojourn.customers.inner import InnerEvent, Tell
from sojourn.customers.segments.causes import CAUSE, LIVE, Cause
from sojourn.store.bulk import insert_new
from sojourn.store.tables import segment_members, segment_releases

A_MINUTE = 60  # changes that journeys hear of
_APART = timedelta(minutes=1) / A_MINUTE
_LAST = select(func.max(segment_releases.c.at))
_NEXT = select(func.min(segment_releases.c.at))
_WAITING = select(func.count()).select_from(segment_releases)


class Changed(Protocol):
    """Someone came into a segment, or left it (`segments.live.Change`)."""

    @property
    def profile_id(self) -> str: ...
    @property
    def segment(self) -> str: ...
    @property
    def entered(self) -> bool: ...
    @property
    def cause(self) -> Cause: ...


def hold(connection: Connection, changes: Sequence[tuple[str, Changed]], now: datetime) -> None:
    """Put changes at the end of those that wait to be told.

    Args:
        connection: of a writing transaction that judges, so that no other does this.
        changes: each beside the message id of its event.
        now: the shop's moment.
    """
    if not changes:
        return
    last = connection.execute(_LAST).scalar()
    first = now if last is None else max(now, last + _APART)
    rows = [
        {
            "message_id": message_id, "profile_id": change.profile_id, "segment": change.segment, "entered": change.entered,
            "cause": change.cause.value, "at": first + place * _APART,
        }
        for place, (message_id, change) in enumerate(changes)
    ]  # fmt: skip
    insert_new(connection, segment_releases, rows)


def next_release(connection: Connection) -> datetime | None:
    """Return when the next change is told; it needs no lock."""
    return connection.execute(_NEXT).scalar()


def waiting(connection: Connection) -> int:
    """Return how many changes wait to be told."""
    return int(connection.execute(_WAITING).scalar_one())


def release(connection: Connection, now: datetime, names: tuple[str, str], tell: Tell) -> int:
    """Tell the changes whose turn has come, and return how many there were; one that no longer is so is told to nobody.

    Args:
        connection: of a writing transaction.
        now: the shop's moment.
        names: of the events of who came and who went.
        tell: takes the events.
    """
    is_member = exists().where(
        segment_members.c.segment == segment_releases.c.segment, segment_members.c.profile_id == segment_releases.c.profile_id
    )
    query = select(segment_releases, is_member.label("member")).where(segment_releases.c.at <= now).order_by(segment_releases.c.at)
    rows = connection.execute(query.limit(A_MINUTE)).all()
    for row in rows:
        connection.execute(delete(segment_releases).where(segment_releases.c.message_id == row.message_id))
    tell(
        connection,
        [
            InnerEvent(
                message_id=row.message_id,
                name=names[0] if row.entered else names[1],
                time=now,
                profile_id=row.profile_id,
                properties={"segment": row.segment, CAUSE: row.cause, LIVE: True},
            )
            for row in rows
            if bool(row.member) is row.entered
        ],
    )
    return len(rows)


def spans(count: int) -> timedelta:
    """Return how long it takes until so many changes are told."""
    return max(count - 1, 0) * _APART


__all__ = ["A_MINUTE", "hold", "next_release", "release", "spans", "waiting"]
