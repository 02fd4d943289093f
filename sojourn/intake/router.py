"""The router: takes acknowledged events from the log, decides, and makes the calls that follow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection

from sojourn.clock import SystemClock, monotonic
from sojourn.customers.segments import Change, due, live, rebuild
from sojourn.intake import outbox
from sojourn.intake.emit import tell
from sojourn.intake.endings import Ending, mark_ended
from sojourn.intake.outbox import JourneyRunner
from sojourn.intake.process import Processed, process_batch, waits
from sojourn.metrics import metrics
from sojourn.store.database import Database
from sojourn.travel.registry import Registry

BUSY_POLL = 0.005  # seconds between two looks at the log while events come
IDLE_POLL = 0.05
BUSY_FOR = 1.0  # seconds after the last event
CALLS_FOR = 1.0  # seconds of calls between two marks of what was answered
CALL_RETRY = 0.5  # seconds before calls that failed are made again
DUE_POLL = 0.1  # seconds between two looks at whom a window passed
DUE_AT_ONCE = 500  # people judged in one transaction
REST = 0.25  # of the time that a page of a rebuild took, between two pages
CLOSED = "closed"

log = structlog.get_logger(__name__)


@dataclass
class Router:
    """Routes until stopped.

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

    async def run(self) -> None:
        """Route, call and keep segments live, until cancelled."""
        await self.database.write(self.registry.store, self.clock.now())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._route())
            tasks.create_task(self._call())
            if self.registry.book.judged:
                tasks.create_task(self._judge_due())
                tasks.create_task(self._build())

    async def _route(self) -> None:
        busy_until = 0.0
        while True:
            # Looked at first: a writing transaction that finds nothing would keep the worker from writing.
            if await self.database.read(waits):
                processed = await self.database.write(process_batch, self.registry, self.clock.now())
                self._observe(processed)
                busy_until = monotonic() + BUSY_FOR
                if processed.calls:
                    self._calls.set()
            else:
                await asyncio.sleep(BUSY_POLL if monotonic() < busy_until else IDLE_POLL)

    def _observe(self, processed: Processed) -> None:
        measured = metrics()
        measured.router_delay.observe(processed.lag / self.clock.scale.scale)
        for journey in processed.began:
            measured.entries_started.labels(journey).inc()
        for journey, outcome in processed.ended:
            measured.entries_ended.labels(journey, outcome).inc()
        _count(processed.changes)

    async def _call(self) -> None:
        self._calls.set()  # what an earlier life left unanswered
        while True:
            await self._calls.wait()
            self._calls.clear()
            rows = await self.database.read(outbox.pending)
            metrics().outbox_depth.set(len(rows))
            if not rows:
                continue
            for key in {row.body["version"] for row in rows if row.kind == "start"}:
                await self.database.read(self.registry.get, key)
            versions, now = self.registry.versions.__getitem__, self.clock.now()
            made = await outbox.call_all(rows, self.runner, versions, now, self.clock.scale, seconds=CALLS_FOR)
            await self.database.write(self._answered, made)
            if made.failed:
                log.warning("calls to Temporal failed and are made again", count=len(made.failed), first=made.failed[0])
                await asyncio.sleep(CALL_RETRY)
            self._calls.set()

    def _answered(self, connection: Connection, made: outbox.Outcome) -> None:
        outbox.answered(connection, made.done, made.run_ids)
        mark_ended(connection, [Ending(entry, CLOSED, "its workflow had closed") for entry in made.closed], self.clock.now())

    # -- segments --------------------------------------------------------------------------------

    async def _judge_due(self) -> None:
        """Judge whom a window passed, within a second of it."""
        book = self.registry.book
        while True:
            # Looked at first, as the log is.
            if await self.database.read(due.is_due, self.clock.now()):
                changes = await self.database.write(live.judge_due, book, self.clock.now(), DUE_AT_ONCE, tell)
                _count(changes)
            else:
                await asyncio.sleep(DUE_POLL)

    async def _build(self) -> None:
        """Go through everyone for definitions that came or changed, page by page, beside all else."""
        book = self.registry.book
        started = await self.database.write(rebuild.sync, book, self.clock.now())
        if not started:
            return
        log.info("going through everyone for segments that came or changed", segments=started)
        size = rebuild.FIRST_PAGE
        while True:
            began = monotonic()
            count = await self.database.write(rebuild.build_page, book, self.clock.now(), tell, size)
            took = monotonic() - began
            if not count:
                break
            size = rebuild.next_size(size, took)
            await asyncio.sleep(took * REST)
        log.info("went through everyone", segments=started)


def _count(changes: Iterable[Change]) -> None:
    for change in changes:
        metrics().segment_changes.labels(change.segment, "entered" if change.entered else "exited").inc()
