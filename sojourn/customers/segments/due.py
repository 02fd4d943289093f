"""When a person's memberships can change next by themselves: one moment for each person, the earliest of all segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, or_, select, true, update

from sojourn.customers.segments.builds import covered_since
from sojourn.customers.segments.causes import QUIET, Cause
from sojourn.customers.segments.judging import note
from sojourn.store.bulk import among, chunks, insert_new, many, upsert_fast
from sojourn.store.tables import segment_due

_QUIET = sorted(cause.value for cause in QUIET)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_DUE = (
    select(segment_due)
    .where(segment_due.c.at <= bindparam("now"), segment_due.c.at > bindparam("covered"))
    .order_by(segment_due.c.at, segment_due.c.profile)
)
_IS_DUE = select(segment_due.c.profile).where(segment_due.c.at <= bindparam("now"), segment_due.c.at > bindparam("covered")).limit(1)
_WAITING = select(func.count()).where(segment_due.c.at <= bindparam("now"), segment_due.c.at > bindparam("covered"))
_UPCOMING = select(func.min(segment_due.c.at)).where(segment_due.c.at > bindparam("covered"))
_IS_QUIETLY_DUE = select(segment_due.c.profile).where(segment_due.c.at <= bindparam("now"), segment_due.c.cause.in_(_QUIET)).limit(1)
_SET: dict[str, Any] = {"at": bindparam("moment_"), "cause": bindparam("why"), "live": bindparam("heard")}
_EARLIER = update(segment_due).where(segment_due.c.profile == bindparam("whose"), segment_due.c.at > bindparam("moment")).values(_SET)
# What is due already, and not yet judged, can no longer be told from what comes on top of it: it is quiet if either is.
_QUIETER = (
    update(segment_due)
    .where(
        segment_due.c.profile == bindparam("whose"),
        segment_due.c.at <= bindparam("moment"),
        or_(segment_due.c.cause.is_(None), segment_due.c.cause == Cause.EVENT.value, segment_due.c.live == true()),
    )
    .values(cause=bindparam("why"), live=bindparam("heard"))
)
_FORGET = delete(segment_due).where(segment_due.c.profile == bindparam("whose"))


@dataclass(frozen=True)
class Due:
    """As of when a person is to be judged, and what for.

    Attributes:
        at: the moment.
        cause: why a membership changes then.
        live: whether journeys hear of what an import or an edit made.
    """

    at: datetime
    cause: Cause = Cause.TIME
    live: bool = False


def touch(connection: Connection, profile_ids: Iterable[str], now: datetime, cause: Cause = Cause.IMPORT, *, live: bool = False) -> None:
    """Have people's segments judged anew at a moment: what is known of them changed otherwise than by an event of the log.

    Args:
        connection: of a writing transaction.
        profile_ids: of profiles that exist.
        now: the shop's moment; the router judges at once what is due.
        cause: why it changed.
        live: whether journeys hear of what an import or an edit changes.
    """
    people = sorted(set(profile_ids))
    note(connection, people)
    why = None if cause is Cause.TIME else cause.value
    for some in chunks(people):
        insert_new(connection, segment_due, [{"profile": one, "at": now, "cause": why, "live": live} for one in some])
        moved = [{"whose": one, "moment": now, "moment_": now, "why": why, "heard": live} for one in some]
        connection.execute(_EARLIER, moved)
        if cause in QUIET and not live:
            connection.execute(_QUIETER, [{key: row[key] for key in ("whose", "moment", "why", "heard")} for row in moved])


def waiting(connection: Connection, now: datetime) -> int:
    """Return how many people are due and not yet judged."""
    moments = {"now": now, "covered": covered_since(connection) or _BEFORE_ALL}
    return int(connection.execute(_WAITING, moments).scalar_one())


def due(connection: Connection, now: datetime, limit: int) -> list[tuple[str, datetime]]:
    """Return who is due at a moment, and since when, the longest first."""
    return [(one, each.at) for one, each in due_for(connection, now, limit).items()]


def due_for(connection: Connection, now: datetime, limit: int) -> dict[str, Due]:
    """Return who is due at a moment, since when and what for, the longest first; but whom a pass for all segments will judge."""
    asked = {"now": now, "covered": covered_since(connection) or _BEFORE_ALL}
    return {row.profile: _due_of(row) for row in connection.execute(_DUE.limit(limit), asked)}


def _due_of(row: Row[Any]) -> Due:
    return Due(row.at, Cause(row.cause or Cause.TIME), row.live)


def upcoming(connection: Connection) -> datetime | None:
    """Return the next moment at which anyone is due, as of `due_for`; it needs no lock."""
    return connection.execute(_UPCOMING, {"covered": covered_since(connection) or _BEFORE_ALL}).scalar()


def is_due(connection: Connection, now: datetime) -> bool:
    """Tell whether anyone is due, as of `due_for`; it needs no lock, so asking often is cheap."""
    return connection.execute(_IS_DUE, {"now": now, "covered": covered_since(connection) or _BEFORE_ALL}).first() is not None


def is_quietly_due(connection: Connection, now: datetime) -> bool:
    """Tell whether anyone is due because of an import or an edit; it needs no lock."""
    return connection.execute(_IS_QUIETLY_DUE, {"now": now}).first() is not None


def quietly(connection: Connection, profile_ids: Iterable[str], now: datetime) -> dict[str, Due]:
    """Return which of some people are due because of an import or an edit, since when and what for."""
    return _due_among(connection, _quietly_late, profile_ids, now)


def pressing(connection: Connection, profile_ids: Iterable[str], now: datetime) -> dict[str, Due]:
    """Return which of some people are due for what journeys hear of: an event, time, or an import or edit with `--live`."""
    return _due_among(connection, _loudly_late, profile_ids, now)


def late(connection: Connection, profile_ids: Iterable[str], now: datetime) -> dict[str, Due]:
    """Return which of some people are due at a moment, since when and what for."""
    return _due_among(connection, _late, profile_ids, now)


def _due_among(connection: Connection, query: Callable[[str], Select[Any]], profile_ids: Iterable[str], now: datetime) -> dict[str, Due]:
    dialect = connection.dialect.name
    rows = connection.execute(query(dialect), {"people": many(dialect, profile_ids), "now": now}).all()
    return {row.profile: _due_of(row) for row in rows}


@cache
def _late(dialect: str) -> Select[Any]:
    return select(segment_due).where(among(dialect, segment_due.c.profile, "people"), segment_due.c.at <= bindparam("now"))


@cache
def _quietly_late(dialect: str) -> Select[Any]:
    return _late(dialect).where(segment_due.c.cause.in_(_QUIET))


@cache
def _loudly_late(dialect: str) -> Select[Any]:
    loud = or_(segment_due.c.cause.is_(None), segment_due.c.cause.not_in(_QUIET), segment_due.c.live == true())
    return _late(dialect).where(loud)


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
    moved = {one: at for one, at in moments.items() if at is not None and at != known.get(one)}
    upsert_fast(connection, segment_due, ("profile", "at", "cause", "live"), [(one, at, None, False) for one, at in moved.items()])
    never = [{"whose": one} for one, at in moments.items() if at is None and one in known]
    if never:
        connection.execute(_FORGET, never)
