"""The first build of thirty segments after an import, beside an api and a router that live on: cost, intake meanwhile, signs of life.

    python -m bench.builds [--people 100000] [--orders 10] [--stores sqlite postgresql]

People and orders are written into the store as an import leaves them, everyone due to be judged. Then `sojourn api` and a router
run as processes of their own, the router with a Temporal that takes every call at once, and single events come in at a
constant rate until every segment is live. Processor time is the router's, and on PostgreSQL the server's too, whole: with
the routing of the events that come meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from sqlalchemy import Connection, text

from bench.definitions import write_definitions
from bench.intake import WRITE_KEY, api
from bench.measuring import Report, cpu_seconds, percentile
from bench.population import PAGE, populate, segments
from bench.segments import Clockwork, stores
from bench.servers import ONE_THREAD, ROOT, folder, stop
from sojourn.clock import SystemClock, real_now
from sojourn.customers.segments import builds
from sojourn.intake.outbox import StartCall
from sojourn.intake.process import waits
from sojourn.intake.router import Router
from sojourn.language.loader import load
from sojourn.longevity import settle_down
from sojourn.store.database import Database
from sojourn.store.heartbeats import SILENT_AFTER, keep_beating, last_beats
from sojourn.store.sqlite import Sqlite
from sojourn.store.writing import WriteLock
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Arrived

CPU_GOAL_S, P99_GOAL_S = 60.0, 0.2
PACE_S = 0.1  # between two events
LOOK_EVERY_S = 1.0
LIMIT_S = 1_800.0


class Taking:
    """A Temporal that takes every call."""

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        """Take a start."""
        return workflow_id

    async def signal(self, workflow_id: str, arrived: Arrived) -> bool:
        """Take a signal."""
        return True

    async def terminate(self, workflow_id: str, run_id: str | None, reason: str) -> bool:
        """Take an end."""
        return True


class Holds:
    """How long the router held SQLite's write lock each time, a line of seconds for each in a file."""

    def __init__(self, lock: WriteLock, to: Path) -> None:
        self._file, self._since = to.open("w", buffering=1), 0.0
        self._begin, self._ended = lock.begin, lock.ended
        lock.begin, lock.ended = self.begin, self.ended  # type: ignore[method-assign]

    def begin(self, connection: sqlite3.Connection) -> None:
        """Note when the lock is ours."""
        self._begin(connection)
        self._since = time.monotonic()

    def ended(self) -> None:
        """Note for how long it was."""
        self._file.write(f"{time.monotonic() - self._since}\n")
        self._ended()


async def _route(url: str, journeys: Path, holds: Path) -> None:
    database = Database(url)
    if isinstance(database._store, Sqlite) and database._store._lock is not None:
        Holds(database._store._lock, holds)
    router = Router(database, Registry(load(journeys)), Taking(), SystemClock())
    settle_down()  # as the role does
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_beating(database, "router"))
        tasks.create_task(router.run())


@contextmanager
def routing(url: str, journeys: Path, data: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a router; what it says, and how long it holds the lock, stands in files of a folder."""
    command = [sys.executable, "-m", "bench.builds", "--as-router", url, str(journeys), str(data / "holds")]
    with (data / "router.log").open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | ONE_THREAD, stdout=errors, stderr=errors)
    try:
        yield process
    finally:
        stop(process)


def _due(connection: Connection, now: int) -> None:
    connection.execute(text("INSERT INTO segment_due (profile, at, cause) SELECT id, :now, 'import' FROM profiles"), {"now": now})


def measure(store: str, data: Path, database: Database, clock: Clockwork, people: int, orders: int, report: Report) -> None:
    """Measure one store."""
    case = f"{store}, {people:,} people, {people * orders:,} orders"
    report.advance(f"{case}: making them up")
    asyncio.run(database.create())
    now = datetime.now(UTC)
    for first in range(0, people, PAGE):
        database.write_now(populate, first, min(PAGE, people - first), orders, now, orders_only=True)
    database.write_now(_due, int(now.timestamp() * 1_000_000))
    journeys = write_definitions(data)
    for shipped in (journeys / "segments").glob("*.yaml"):
        shipped.unlink()
    for name, condition in segments().items():
        (journeys / "segments" / f"{name}.yaml").write_text(f"segment: {name}\ndescription: measured\nmembers: '{condition}'\n")
    url = database.url.render_as_string(hide_password=False)
    report.advance(f"{case}: building")
    with api(data, journeys, url) as (at, served), routing(url, journeys, data) as router:
        began, before = time.monotonic(), clock.seconds() - time.process_time()
        waited, silences, shown = _send_until_live(at, database)
        took = time.monotonic() - began
        mine = clock.seconds() - time.process_time() - before
        spent = cpu_seconds(router.pid) + mine
        alive = router.poll() is None and max(silences) < SILENT_AFTER.total_seconds()
        assert cpu_seconds(served) > 0, "the api has ended"
        last = time.monotonic()
        while database.read_now(waits):
            time.sleep(0.02)
        routed = time.monotonic() - last
    holds = [float(line) for line in (data / "holds").read_text().split()] if (data / "holds").exists() else []
    locks = {f"hold_p{round(share * 100)}_ms": percentile(holds, share) * 1000 for share in (0.5, 0.99, 1.0) if holds}
    p99 = percentile(waited, 0.99)
    report.case(
        f"{case}: first build of 30", cpu_s=spent, wall_s=took, events=len(waited), p50_ms=percentile(waited, 0.5) * 1000,
        p99_ms=p99 * 1000, worst_ms=max(waited) * 1000, longest_silence_s=max(silences), last_event_routed_after_s=routed,
        steps_of_progress=shown, **locks,
    )  # fmt: skip
    if people >= 100_000:
        report.goal(f"{case}: built within {CPU_GOAL_S:.0f} s of processor time", spent, spent <= CPU_GOAL_S)
        report.goal(f"{case}: intake's p99 within 0.2 s meanwhile", p99, p99 <= P99_GOAL_S)
        if holds:
            report.goal(f"{case}: the router's longest hold of the write lock within 0.1 s", max(holds), max(holds) <= 0.1)
        report.goal(f"{case}: api and router live on, their longest silence (s)", max(silences), alive)


def _send_until_live(at: str, database: Database) -> tuple[list[float], list[float], int]:
    """Send events until all is built; return how long each took, how long the roles were silent, and how often the progress moved."""
    waited: list[float] = []
    silences, seen = [0.0], set()
    looked, until = 0.0, time.monotonic() + LIMIT_S
    with httpx.Client(base_url=at, auth=(WRITE_KEY, ""), timeout=60) as http:
        while True:
            began = time.monotonic()
            call = {"userId": f"u{len(waited)}", "event": "Product Viewed", "messageId": f"m{len(waited)}"}
            answer = http.post("/v1/track", json=call)
            assert answer.status_code == 200, answer.text
            waited.append(time.monotonic() - began)
            if time.monotonic() - looked > LOOK_EVERY_S:
                looked = time.monotonic()
                beats = database.read_now(last_beats)
                silences += [(real_now() - beat).total_seconds() for beat in beats.values()]
                found = database.read_now(builds.builds)
                seen.add(sum(build.done for build in found))
                if len(found) == len(segments()) and all(build.state == "live" for build in found):
                    return waited, silences, len(seen)
                assert looked < until, "it is not built"
            time.sleep(max(0.0, PACE_S - (time.monotonic() - began)))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--orders", type=int, default=10, help="of each person (10)")
    parser.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--as-router", nargs=3, metavar=("URL", "FOLDER", "HOLDS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.as_router:
        asyncio.run(_route(asked.as_router[0], Path(asked.as_router[1]), Path(asked.as_router[2])))
        return
    with Report("builds", 2 * len(asked.stores)) as report:
        for name in asked.stores:
            with folder() as data, stores(name, data) as (database, clock):
                measure(name, data, database, clock, asked.people, asked.orders, report)
                database.close_now()


if __name__ == "__main__":
    main()
