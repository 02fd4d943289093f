"""What waiting costs: memory and disk of each journey that waits, beside hand-written ones.

    python -m bench.waiting [--people N]

Two ways to wait: before the first task (a start delay), and at a timer in the middle. Disk is
Temporal's database with its log folded in; memory is the growth of the server and of the worker,
which keeps at most a thousand journeys in its cache.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import sqlite3
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench import raw
from bench.definitions import write_definitions
from bench.journeys import STARTS_AT_ONCE, Undelayed, arrival
from bench.measuring import Report, cpu_seconds, resident_mb
from bench.servers import Child, Server, child, folder, temporal
from sojourn.clock import REAL_TIME, SystemClock
from sojourn.intake import outbox
from sojourn.intake.appender import append
from sojourn.intake.process import process_batch
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.travel.registry import Registry
from workflows.client import JourneyCalls
from workflows.runtime import connect, ensure_search_attributes

DWELL = "2d"
DWELL_SECONDS = 172_800.0
PARK_LIMIT = 300.0
Start = Callable[[], Awaitable[None]]
"""Starts everyone."""


def disk_mb(server: Server) -> float:
    """Return the size of Temporal's database with its write-ahead log folded in."""
    with sqlite3.connect(server.database, timeout=15) as connection:
        pages, size = (connection.execute(f"pragma {name}").fetchone()[0] for name in ("page_count", "page_size"))
        free = connection.execute("pragma freelist_count").fetchone()[0]
    return float((pages - free) * size) / 1e6


async def measure(people: int, data: Path, report: Report) -> None:
    """Park everyone in each way and tell what each one costs."""
    journeys = write_definitions(data, dwell=DWELL)
    registry = Registry(load(journeys))
    database = Database(f"sqlite:///{data / 'sojourn.db'}")
    await database.create()
    await database.write(registry.store, SystemClock().now())
    with temporal(data) as server:
        client = await connect(server.address, "default")
        await ensure_search_attributes(client)
        numbers = itertools.count()

        def peer(kind: Any, delayed: bool) -> Start:
            async def go() -> None:
                gate = asyncio.Semaphore(STARTS_AT_ONCE)

                async def start(name: str) -> None:
                    async with gate:
                        delay = timedelta(seconds=DWELL_SECONDS) if delayed else None
                        await client.start_workflow(
                            kind.run, raw.Begin(name, DWELL_SECONDS), id=name, task_queue=raw.QUEUE, start_delay=delay
                        )

                await asyncio.gather(*(start(f"raw-{next(numbers)}") for _ in range(people)))

            return go

        def ours(calls: JourneyCalls) -> Start:
            async def go() -> None:
                moment = SystemClock().now()
                await database.write(append, [call for _ in range(people) for call in arrival(str(next(numbers)), moment)])
                while (await database.write(process_batch, registry, moment)).events:
                    pass
                while rows := await database.read(outbox.pending):
                    made = await outbox.call_all(rows, calls, registry.versions.__getitem__, moment, REAL_TIME)
                    await database.write(outbox.answered, made.done, made.run_ids)

            return go

        with (
            child("bench.raw", server.address, log=data / "raw.log") as raw_worker,
            child("bench.ours", server.address, str(data), str(journeys), log=data / "ours.log") as own_worker,
        ):
            for case, start, worker in (
                ("start delay, peer", peer(raw.StartDelay, delayed=True), raw_worker),
                ("start delay, ours", ours(JourneyCalls(client)), own_worker),
                ("timer, peer", peer(raw.TimerFirst, delayed=False), raw_worker),
                ("timer, ours", ours(Undelayed(client)), own_worker),
            ):
                report.advance(case)
                await _park(report, case, people, start, server, worker)
    await database.close()


async def _park(report: Report, case: str, people: int, start: Start, server: Server, worker: Child) -> None:
    pids = (server.pid, worker.pid)
    before = [resident_mb(pid) for pid in pids]
    disk, spent = disk_mb(server), [cpu_seconds(pid) for pid in pids]
    await start()
    await _quiet(pids)
    report.case(
        case,
        disk_kB=(disk_mb(server) - disk) * 1000 / people,
        server_kB=(resident_mb(server.pid) - before[0]) * 1000 / people,
        worker_kB=(resident_mb(worker.pid) - before[1]) * 1000 / people,
        server_ms=(cpu_seconds(server.pid) - spent[0]) * 1000 / people,
        worker_ms=(cpu_seconds(worker.pid) - spent[1]) * 1000 / people,
        worker_rss_MB=resident_mb(worker.pid),
        server_rss_MB=resident_mb(server.pid),
    )


async def _quiet(pids: tuple[int, ...]) -> None:
    """Return once server and worker have nothing to do any more: everyone waits."""
    for _ in range(int(PARK_LIMIT)):
        before = cpu_seconds(*pids)
        await asyncio.sleep(1)
        if cpu_seconds(*pids) - before < 0.15:
            return
    raise TimeoutError(f"not everyone was waiting within {PARK_LIMIT:.0f} s")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1000, help="waiting in each of the four ways (1000; 5000 takes ten minutes)")
    asked = parser.parse_args()
    with folder() as data, Report("waiting", 4) as report:
        asyncio.run(measure(asked.people, data, report))


if __name__ == "__main__":
    main()
    os._exit(0)  # the SDK's core may abort at interpreter exit after all work is done
