"""The router: takes acknowledged events from the log, decides, and makes the calls that follow."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from sojourn.clock import SystemClock, monotonic
from sojourn.customers import retention
from sojourn.customers.segments import Change, builds, due, live, rebuild, releases
from sojourn.customers.segments.causes import Cause
from sojourn.delivery.webhooks import forgetting
from sojourn.errors import SojournError
from sojourn.intake import outbox
from sojourn.intake.emit import tell
from sojourn.intake.endings import GUESS, Ending, mark_ended
from sojourn.intake.keeping import teller
from sojourn.intake.outbox import JourneyRunner
from sojourn.intake.process import BATCH, Processed, backlog, process_batch, waits
from sojourn.metrics import metrics
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.leases import Lease, this_process
from sojourn.store.outlast import outlast, repeat
from sojourn.store.pacing import Pace
from sojourn.store.tables import entries
from sojourn.store.watching import Watch
from sojourn.travel.registry import Registry

BUSY_POLL = 0.005  # seconds between two looks at the log while events come
IDLE_POLL = 0.05
BUSY_FOR = 1.0  # seconds after the last event
CALLS_FOR = 1.0  # seconds of calls between two marks of what was answered
CALL_RETRY = 0.5  # seconds before calls that failed are made again
EXPIRE_EVERY = timedelta(days=1)  # of the shop's time
EXPIRE_AT_MOST_EVERY = 60.0  # real seconds
DUE_POLL = 0.1  # seconds between two looks at whom a window passed
BUILD_POLL = 2.0  # seconds between two looks for definitions to go through everyone for
DUE_AT_ONCE = 500  # people judged in one transaction
REST = 0.25  # of the time that a part of a build's page took, between two parts; who waits for the store goes first anyway
FIRST_BATCH, SMALLEST_BATCH = 100, 20  # events, or people who are due, in one transaction: at first, and on the slowest machine
BACKLOG = 1_000  # events that wait to be routed, above which a build stands back
CLOSED = "closed"
CALLER = "caller"  # the role of whoever makes the calls

log = structlog.get_logger(__name__)


@dataclass
class Router:
    """Routes until stopped. Several may run: they take turns at the log, and one of them makes the calls.

    Args:
        database: the store.
        registry: the definitions.
        runner: who runs journeys.
        clock: the shop's.
    """

    database: Database
    registry: Registry
    runner: JourneyRunner
    clock: SystemClock
    _calls: asyncio.Event = field(default_factory=asyncio.Event)
    _busy_until: float = 0.0
    _is_behind: bool = False  # whether the last batch took as many events as it may
    _batch: Pace = field(default_factory=lambda: Pace(FIRST_BATCH, SMALLEST_BATCH, BATCH))
    _due: Pace = field(default_factory=lambda: Pace(FIRST_BATCH, SMALLEST_BATCH, DUE_AT_ONCE))

    def __post_init__(self) -> None:
        self._lease = Lease(self.database, CALLER, this_process())
        self._told = teller(self.registry)
        self._look, self._part = rebuild.new_paces(self.database.is_served)
        self._log, self._outbox, self._moments = (Watch(self.database) for _ in range(3))
        self._upcoming = _Upcoming()

    async def run(self) -> None:
        """Route, call and keep segments live, until cancelled."""
        await outlast("definitions", lambda: self.database.write(self.registry.store, self.clock.now()))
        self._calls.set()  # what an earlier life left unanswered
        try:
            async with asyncio.TaskGroup() as tasks:
                # First: what a definition that is new makes of people must not be laid to what they did.
                await outlast("segments", lambda: self.database.write(rebuild.sync, self.registry.book, self.clock.now()))
                for job in (self._route, self._lease.keep, self._call):
                    tasks.create_task(repeat(job.__qualname__, job))
                if self.registry.book.judged:
                    tasks.create_task(repeat("segments due", self._judge_due))
                tasks.create_task(repeat("segments", self._build))
                tasks.create_task(self._forget_gone())
                tasks.create_task(repeat("retention", self._expire))
        finally:
            for watch in (self._log, self._outbox, self._moments):
                watch.close()
            with suppress(SojournError, SQLAlchemyError):  # it runs out by itself
                await self._lease.give_up()

    async def _route(self) -> None:
        # Looked at first: a writing transaction that finds nothing would keep the worker from writing.
        if not self._log.is_still() and await self.database.read(waits):
            processed = await self.database.write(self._batch.timed(process_batch), self.registry, self.clock.now(), self._batch.size)
            self._is_behind = processed.events >= self._batch.size
            self._batch.ended(processed.events)
            self._observe(processed)
            self._busy_until = monotonic() + BUSY_FOR
            if processed.calls:
                self._calls.set()
        else:
            self._log.found_nothing()
            await asyncio.sleep(BUSY_POLL if monotonic() < self._busy_until else IDLE_POLL)

    def _observe(self, processed: Processed) -> None:
        measured = metrics()
        measured.router_delay.observe(processed.lag / self.clock.scale.scale)
        for journey in processed.began:
            measured.entries_started.labels(journey).inc()
        for journey, outcome in processed.ended:
            measured.entries_ended.labels(journey, outcome).inc()
        _count(processed.changes)

    async def _call(self) -> None:
        """Make the calls that wait. One router does, or two would make those of one workflow out of their order."""
        with suppress(TimeoutError):  # another router's batch rings no bell here
            async with asyncio.timeout(IDLE_POLL):
                await self._calls.wait()
        term = self._lease.term
        if not self._lease.holds(term):
            await asyncio.sleep(IDLE_POLL)
            return
        self._calls.clear()
        if self._outbox.is_still():
            return
        rows = await self.database.read(outbox.pending)
        metrics().outbox_depth.set(len(rows))
        if not rows:
            self._outbox.found_nothing()
            return
        for key in {row.body["version"] for row in rows if row.kind == "start"}:
            await self.database.read(self.registry.get, key)
        versions, now = self.registry.versions.__getitem__, self.clock.now()
        may = partial(self._lease.holds, term)
        made = await outbox.call_all(rows, self.runner, versions, now, self.clock.scale, seconds=CALLS_FOR, may=may)
        await self.database.write(self._answered, made)
        if made.failed:
            log.warning("calls to Temporal failed and are made again", count=len(made.failed), first=made.failed[0])
            await asyncio.sleep(CALL_RETRY)
        self._calls.set()

    def _answered(self, connection: Connection, made: outbox.Outcome) -> None:
        locks.lock_rows(connection, entries, [*made.run_ids, *made.closed])
        outbox.answered(connection, made.done, made.run_ids, made.merged, self.clock.now())
        mark_ended(connection, [Ending(entry, CLOSED, "its workflow had closed", GUESS) for entry in made.closed], self.clock.now())

    # -- segments --------------------------------------------------------------------------------

    # -- retention -------------------------------------------------------------------------------

    async def _expire(self) -> None:
        """Forget what was kept long enough, a page of people or of notices at a time, once a day."""
        after: str | None = ""
        while after is not None:
            now = self.clock.now()
            page = await self.database.write(self._expire_page, now, after)
            after = page.after
        while await self.database.write(forgetting.forget, self.clock.now()):
            continue
        await asyncio.sleep(max(self.clock.scale.real_duration(EXPIRE_EVERY).total_seconds(), EXPIRE_AT_MOST_EVERY))

    def _expire_page(self, connection: Connection, now: datetime, after: str) -> retention.Expired:
        locks.router_turn(connection)
        page = retention.expire(connection, now, self.registry.rules, after)
        due.touch(connection, page.profile_ids, now, Cause.TIME)
        return page

    async def _judge_due(self) -> None:
        """Judge whom a window passed, within a second of it."""
        # Looked at first, as the log is.
        now = self.clock.now()
        if not self._moments.is_still():
            self._upcoming = await self.database.read(_upcoming)
            self._moments.found_nothing()
        if self._upcoming.release is not None and self._upcoming.release <= now:
            await self.database.write(releases.release, now, (live.ENTERED, live.EXITED), tell)
        if self._upcoming.due is not None and self._upcoming.due <= now:
            judged = await self.database.write(self._due.timed(live.judge_due), self.registry.book, now, self._due.size, self._told)
            self._due.ended(judged.people)
            _count(judged.changes)
        else:
            await asyncio.sleep(DUE_POLL)

    async def _build(self) -> None:
        """Go through the next page of people for definitions that came or changed, beside all else."""
        page = None
        if await self.database.read(rebuild.is_building):
            began = monotonic()
            page = await self.database.read(rebuild.look, self.registry.book, self.clock.now(), self._look.size)
            if page is not None:
                self._look.settle(len(page.people), monotonic() - began)
        if page is None:
            await asyncio.sleep(BUILD_POLL)
            return
        after: str | None = page.start
        while after is not None:
            # What it tells would keep live events waiting.
            if self._is_behind and await self.database.read(backlog, BACKLOG) >= BACKLOG:
                await asyncio.sleep(IDLE_POLL)
                continue
            now = self.clock.now()
            work = self._part.timed(rebuild.settle)
            settled = await self.database.write(work, self.registry.book, page, after, now, self._told, self._part.size)
            self._part.ended(settled.rows)
            _count(settled.changes)
            after = settled.after
            await asyncio.sleep(self._part.took * REST)

    async def _forget_gone(self) -> None:
        """Forget who was in segments that are defined no more."""
        for name in await outlast("gone segments", lambda: self.database.read(builds.gone, self.registry.book)):
            forget = partial(self.database.write, builds.forget, name)
            while await outlast("gone segments", forget):
                continue


@dataclass(frozen=True)
class _Upcoming:
    """When the next change is told, and when anyone is due next."""

    release: datetime | None = None
    due: datetime | None = None


def _upcoming(connection: Connection) -> _Upcoming:
    return _Upcoming(releases.next_release(connection), due.upcoming(connection))


def _count(changes: Iterable[Change]) -> None:
    counted = Counter((change.segment, "entered" if change.entered else "exited") for change in changes)
    for which, count in counted.items():
        metrics().segment_changes.labels(*which).inc(count)
