"""When a person's memberships can change next by themselves: one moment for each person, the earliest of all segments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from sojourn.store.bulk import among, chunks, insert_new, many, upsert
from sojourn.store.tables import segment_due

_DUE = select(segment_due).where(segment_due.c.at <= bindparam("now")).order_by(segment_due.c.at, segment_due.c.profile)
_IS_DUE = select(segment_due.c.profile).where(segment_due.c.at <= bindparam("now")).limit(1)
_EARLIER = update(segment_due).where(segment_due.c.profile == bindparam("whose"), segment_due.c.at > bindparam("moment"))
_FORGET = delete(segment_due).where(segment_due.c.profile == bindparam("whose"))


def touch(connection: Connection, profile_ids: Iterable[str], now: datetime) -> None:
    """Have people's segments judged anew at a moment: what is known of them changed otherwise than by an event.

    Args:
        connection: of a writing transaction.
        profile_ids: of profiles that exist.
        now: the shop's moment; the router judges at once what is due.
    """
    for some in chunks(sorted(set(profile_ids))):
        insert_new(connection, segment_due, [{"profile": one, "at": now} for one in some])
        connection.execute(_EARLIER.values(at=bindparam("moment_")), [{"whose": one, "moment": now, "moment_": now} for one in some])


def due(connection: Connection, now: datetime, limit: int) -> list[tuple[str, datetime]]:
    """Return who is due at a moment, and since when, the longest first."""
    return [(row.profile, row.at) for row in connection.execute(_DUE.limit(limit), {"now": now})]


def is_due(connection: Connection, now: datetime) -> bool:
    """Tell whether anyone is due; it needs no lock, so asking often is cheap."""
    return connection.execute(_IS_DUE, {"now": now}).first() is not None


def late(connection: Connection, profile_ids: Iterable[str], now: datetime) -> set[str]:
    """Return which of some people are due at a moment."""
    dialect = connection.dialect.name
    return {row.profile for row in connection.execute(_late(dialect), {"people": many(dialect, profile_ids), "now": now})}


@cache
def _late(dialect: str) -> Select[tuple[str]]:
    return select(segment_due.c.profile).where(among(dialect, segment_due.c.profile, "people"), segment_due.c.at <= bindparam("now"))


def next_due(connection: Connection) -> datetime | None:
    """Return the next moment at which anyone is due."""
    return connection.execute(select(func.min(segment_due.c.at))).scalar()


def set_due(connection: Connection, moments: dict[str, datetime | None], known: dict[str, datetime]) -> None:
    """Write when people are due next; None is never.

    Args:
        connection: of a writing transaction.
        moments: by profile.
        known: what is written of these profiles now.
    """
    changed = [{"profile": one, "at": at} for one, at in moments.items() if at is not None and at != known.get(one)]
    upsert(connection, segment_due, changed)
    never = [{"whose": one} for one, at in moments.items() if at is None and one in known]
    if never:
        connection.execute(_FORGET, never)
