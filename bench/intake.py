"""Events accepted durably: single calls and batches of 100, at a constant rate; overload; the router's drain.

    python -m bench.intake [--seconds S]

The API is `sojourn api` as it ships, in a process of its own, on a SQLite file with synchronous=FULL; the
load comes open loop from a second process (bench.load). First as fast as the door takes it (offered far
more than it can), then at 70 % of that for the latencies, then at twice that for overload: what was
acknowledged must be in the log, and what was not, refused with Retry-After. Last, a router takes the
whole log in.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.definitions import write_definitions
from bench.measuring import Report, cpu_seconds
from bench.servers import ONE_THREAD, ROOT, START_LIMIT, folder, stop, wait_until
from sojourn.clock import SystemClock
from sojourn.embedded import LOCAL, answers, free_port
from sojourn.intake.process import process_batch
from sojourn.language.loader import load
from sojourn.launch import PYTHON
from sojourn.store.database import Database
from sojourn.travel.registry import Registry

WRITE_KEY = "wk_for_bench_1"
GOAL = 5_000.0
PROBE = {1: 4_000.0, 100: 300.0}  # calls a second, more than can be taken on two cores
CROWD = 400  # connections: more calls at once than may wait, so that the door must refuse
DRAINED = 20_000  # events at the most


@contextmanager
def api(data: Path, journeys: Path, database_url: str | None = None) -> Iterator[tuple[str, int]]:
    """Run the API alone and give its URL and process id."""
    port = free_port()
    settings = {
        "DATA_DIR": data, "JOURNEYS_DIR": journeys, "PORT": port, "WRITE_KEY": WRITE_KEY, "LOG_LEVEL": "error",
        "DATABASE_URL": database_url or f"sqlite:///{data / 'sojourn.db'}",
        "SECRET_KEY": secrets.token_hex(32), "ADMIN_TOKEN": secrets.token_hex(16),  # which a database server asks for
    }  # fmt: skip
    environment = os.environ | ONE_THREAD | {f"SOJOURN_{name}": str(value) for name, value in settings.items()}
    with (data / "api.log").open("wb") as log:
        process = subprocess.Popen([*PYTHON, "api"], cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(LOCAL, port) or process.poll() is not None, START_LIMIT, "the API")
        if process.poll() is not None:
            raise RuntimeError(f"the API did not start: {(data / 'api.log').read_text()[-2000:]}")
        yield f"http://{LOCAL}:{port}", process.pid
    finally:
        stop(process)


def offer(url: str, rate: float, seconds: float, batch: int, prefix: str, key: str = WRITE_KEY, connections: int = 32) -> dict[str, Any]:
    """Offer calls at a rate from another process and return what came of it."""
    command = [sys.executable, "-m", "bench.load", url, key, "--rate", str(rate), "--seconds", str(seconds)]
    command += ["--batch", str(batch), "--prefix", prefix, "--connections", str(connections)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=seconds + 60, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def stored(data: Path, prefix: str) -> int:
    """Return how many events of a run are in the log."""
    with sqlite3.connect(f"file:{data / 'sojourn.db'}?mode=ro", uri=True) as connection:
        return int(connection.execute("select count(*) from inbound where message_id like ?", (f"{prefix}-%",)).fetchone()[0])


def measure(seconds: float, data: Path, report: Report) -> None:
    """Take every case."""
    journeys = write_definitions(data)
    with api(data, journeys) as (url, pid):
        offer(url, 50, 1, 1, "warm")
        capacity: dict[int, float] = {}
        for batch in (1, 100):
            name = "batches of 100" if batch > 1 else "single"
            report.advance(f"{name}: as fast as it takes")
            capacity[batch] = _case(report, f"{name}, as fast as it takes", url, pid, data, PROBE[batch], seconds, batch)
            report.advance(f"{name}: at 70 %")
            _case(report, f"{name}, at 70 % of that", url, pid, data, 0.7 * capacity[batch] / batch, seconds, batch)
        report.goal("≥ 5,000 events/s accepted durably in batches", capacity[100], capacity[100] >= GOAL)
        report.advance("overload")
        _overload(report, url, data, 2 * capacity[100] / 100, seconds)
    report.advance("the router's drain")
    _drain(report, data, journeys)


def _case(report: Report, case: str, url: str, pid: int, data: Path, rate: float, seconds: float, batch: int) -> float:
    prefix = f"{batch}-{time.monotonic_ns()}"
    before = cpu_seconds(pid)
    found = offer(url, rate, seconds, batch, prefix)
    spent = cpu_seconds(pid) - before
    assert stored(data, prefix) == found["accepted"], "what was acknowledged is not what is stored"
    report.case(
        case, offered_per_s=found["offered"], events_per_s=found["rate"], p50_ms=found["p50"] * 1000, p99_ms=found["p99"] * 1000,
        api_cpu_ms_per_1000=spent * 1e6 / found["accepted"],
    )  # fmt: skip
    return float(found["rate"])


def _overload(report: Report, url: str, data: Path, rate: float, seconds: float) -> None:
    found = offer(url, rate, seconds, 100, "twice", connections=CROWD)
    kept = stored(data, "twice")
    statuses = found["statuses"]
    report.case("batches of 100, at twice that", offered_per_s=found["offered"], events_per_s=found["rate"], p99_ms=found["p99"] * 1000)
    refused = sum(count for status, count in statuses.items() if status in ("429", "503"))
    odd = sum(statuses.values()) - refused - statuses.get("200", 0) + found["without_retry_after"]
    lost = found["accepted"] - kept
    report.case("of these", accepted_events=found["accepted"], stored_events=kept, refused_calls=refused, never_sent_calls=found["unsent"])
    report.goal(
        "at twice that: acknowledged events not in the log, plus answers that are neither 200 nor Retry-After", lost + odd, lost == odd == 0
    )


def _drain(report: Report, data: Path, journeys: Path) -> None:
    registry = Registry(load(journeys))
    database = Database(f"sqlite:///{data / 'sojourn.db'}")
    database.write_now(registry.store, SystemClock().now())
    events, spent, began = 0, time.process_time(), time.monotonic()
    while events < DRAINED and (batch := database.write_now(process_batch, registry, SystemClock().now()).events):
        events += batch
    took = time.monotonic() - began
    report.case("router, draining this log", events_per_s=events / took, cpu_ms_per_1000=(time.process_time() - spent) * 1e6 / events)
    asyncio.run(database.close())


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each case (6)")
    asked = parser.parse_args()
    with folder() as data, Report("intake", 6) as report:
        measure(asked.seconds, data, report)


if __name__ == "__main__":
    main()
