"""How each part is: what `/api/health` answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from sojourn.clock import SystemClock, real_now
from sojourn.console.views import Health, PartHealth
from sojourn.customers.segments import due
from sojourn.customers.segments.builds import Build, builds
from sojourn.customers.segments.judging import BUILDING
from sojourn.delivery.ledger import State
from sojourn.errors import SojournError
from sojourn.metrics import metrics
from sojourn.store import itself
from sojourn.store.database import Database
from sojourn.store.heartbeats import SILENT_AFTER, last_beats
from sojourn.store.locks import ROUTER
from sojourn.store.tables import cursors, inbound, outbox, sends

LATE_AFTER = timedelta(seconds=5)
PROBE_LIMIT_S = 1.0
ROLES = ("router", "worker")
ALL = "all"  # one process that is both
_MISFITS = {
    "anew": "{} entries had no workflow and were begun anew",
    "lost": "{} entries had no workflow and ended as lost",
    "orphans": "{} workflows whose entry the store does not know were ended",
    "over": "{} workflows whose entry had ended were ended",
    "broadcasts": "{} workflows of broadcasts that the store does not know, or that were over, were ended",
    "strangers": "{} open workflows are of another store, or older than this version: give each store a Temporal namespace of its own",
}


@dataclass(frozen=True)
class Backlog:
    """How much waits, and since when (in the shop's time)."""

    count: int
    since: datetime | None


def unrouted(connection: Connection) -> Backlog:
    """Return the accepted events that are not yet routed."""
    done = connection.execute(select(cursors.c.seq).where(cursors.c.name == ROUTER)).scalar() or 0
    row = connection.execute(select(func.count(), func.min(inbound.c.received_at)).where(inbound.c.seq > done)).one()
    return Backlog(*row)


def unanswered(connection: Connection) -> Backlog:
    """Return the calls to Temporal that are not yet answered."""
    return Backlog(*connection.execute(select(func.count(), func.min(outbox.c.at))).one())


async def reachable(address: str) -> bool:
    """Tell whether something listens at host:port."""
    host, _, port = address.rpartition(":")
    try:
        _reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), PROBE_LIMIT_S)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def health(database: Database, clock: SystemClock, temporal: Callable[[], Awaitable[bool]]) -> Health:
    """Return the state of each part, and of the whole.

    Args:
        database: the store.
        clock: the shop's.
        temporal: tells whether Temporal answers.
    """
    parts: dict[str, PartHealth] = {}
    building = 0
    try:
        waiting, calls, stuck, beats = await database.read(_read)
        segments, unjudged = await database.read(builds), await database.read(due.waiting, clock.now())
        fit = await database.read(itself.know, itself.FIT)
    except (SQLAlchemyError, SojournError, OSError):
        parts["database"] = PartHealth(state="down", detail="it does not answer")
    else:
        parts["database"] = PartHealth(state="ok", detail="it answers")
        parts["routing"] = _backlog(waiting, clock, "events wait to be routed")
        parts["outbox"] = _backlog(calls, clock, "calls to Temporal wait for an answer")
        parts["workflows"] = fits(fit)
        parts["delivery"] = _delivery(stuck, clock)
        parts["segments"] = _segments(segments, unjudged)
        building = sum(one.state == BUILDING for one in segments)
        parts |= {role: _alive(max((beats[by] for by in (role, ALL) if by in beats), default=None)) for role in ROLES}
    answers = await temporal()
    parts["temporal"] = PartHealth(state="ok", detail="it answers") if answers else PartHealth(state="down", detail="it does not answer")
    return Health(status=_status(parts), time_scale=clock.scale.scale, shop_time=clock.now(), building=building, parts=parts)


async def measure_backlogs(database: Database) -> None:
    """Set the gauges of what waits, for `/metrics`; where the database does not answer they stay as they were."""
    try:
        waiting, calls, _, _ = await database.read(_read)
    except (SQLAlchemyError, SojournError, OSError):
        return
    metrics().router_lag.set(waiting.count)
    metrics().outbox_depth.set(calls.count)


@dataclass(frozen=True)
class NotTaken:
    """Messages that were tried, and of which the provider took none yet."""

    count: int = 0
    since: datetime | None = None
    provider: str | None = None
    because: str | None = None


def not_taken(connection: Connection) -> NotTaken:
    """Return the messages that a provider provably did not accept, and that are to be tried again."""
    tried = (sends.c.state == State.PLANNED.value, sends.c.attempts > 0)
    count, since = connection.execute(select(func.count(), func.min(sends.c.created_at)).where(*tried)).one()
    if not count:
        return NotTaken()
    last = select(sends.c.provider, sends.c.reason).where(*tried).order_by(sends.c.created_at.desc()).limit(1)
    return NotTaken(count, since, *connection.execute(last).one())


def _read(connection: Connection) -> tuple[Backlog, Backlog, NotTaken, dict[str, datetime]]:
    return unrouted(connection), unanswered(connection), not_taken(connection), last_beats(connection)


def _delivery(stuck: NotTaken, clock: SystemClock) -> PartHealth:
    if stuck.since is None:
        return PartHealth(state="ok", detail="no message waits for its provider")
    age = clock.scale.real_duration(clock.now() - stuck.since)
    state: Literal["ok", "late"] = "late" if age > LATE_AFTER else "ok"
    detail = f"{stuck.count} messages wait since {stuck.provider} did not take them ({stuck.because}); they are tried again"
    return PartHealth(state=state, detail=detail)


def _segments(found: Sequence[Build], unjudged: int) -> PartHealth:
    """Return how far segments are; one that is being built is nothing that is late, nor are people whom an import has just touched."""
    going = [one for one in found if one.state == BUILDING]
    if not going:
        more = f", and {unjudged:,} people are yet to be judged" if unjudged else ""
        return PartHealth(state="ok", detail=f"{len(found)} segments are live{more}")
    share = sum(one.done for one in going) / max(sum(one.total for one in going), 1)
    return PartHealth(state="ok", detail=f"{len(going)} of {len(found)} segments are being built, {min(share, 1.0):.0%} of it done")


def _backlog(backlog: Backlog, clock: SystemClock, what: str) -> PartHealth:
    if backlog.since is None:
        return PartHealth(state="ok", detail=f"0 {what}")
    age = clock.scale.real_duration(clock.now() - backlog.since)
    state: Literal["ok", "late"] = "late" if age > LATE_AFTER else "ok"
    return PartHealth(state=state, detail=f"{backlog.count} {what}, the oldest for {max(age.total_seconds(), 0):.1f} s")


def fits(fit: Mapping[str, Any] | None) -> PartHealth:
    """Return how running entries and Temporal's open workflows fit, as the worker last found."""
    if fit is None:
        return PartHealth(state="ok", detail="entries were not held against workflows yet; the worker does so at its start")
    found = [words.format(fit[name]) for name, words in _MISFITS.items() if fit.get(name)]
    if not found:
        return PartHealth(state="ok", detail=f"{fit['running']} running entries, each with its workflow")
    return PartHealth(state="late", detail="; ".join(found) + (f". {fit['first']}" if fit.get("first") else ""))


def _alive(beat: datetime | None) -> PartHealth:
    if beat is None:
        return PartHealth(state="down", detail="none has ever been heard of")
    silence = real_now() - beat
    detail = f"last heard of {max(silence.total_seconds(), 0):.0f} s ago"
    return PartHealth(state="ok" if silence <= SILENT_AFTER else "down", detail=detail)


def _status(parts: dict[str, PartHealth]) -> Literal["ok", "degraded", "down"]:
    """Without the database no event can be taken: that alone is down; the rest catches up."""
    if parts["database"].state == "down":
        return "down"
    return "ok" if all(part.state == "ok" for part in parts.values()) else "degraded"
