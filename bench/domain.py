"""Processor time of the domain alone, in one process without Temporal: routing, deciding, sending, rendering.

    python -m bench.domain [--people N] [--profile advance|route|render]

What is left beside it in a journey is Temporal's own. `--profile` shows where one of them spends it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bench.definitions import write_definitions
from bench.journeys import arrival
from bench.measuring import Report
from bench.ours import settings_of
from bench.servers import folder
from sojourn.clock import SystemClock
from sojourn.intake.appender import append
from sojourn.intake.process import process_batch
from sojourn.store.database import Database
from sojourn.store.tables import entries, outbox
from sojourn.travel.state import Advance
from worker import House

SHOWN = 45


def measure(people: int, data: Path, report: Report, profiled: str | None) -> None:
    """Let people enter and be sent a mail, one after another, and tell what each part cost."""
    house = House(settings_of("127.0.0.1:1", data, write_definitions(data)), SystemClock(), Database(f"sqlite:///{data / 'sojourn.db'}"))
    asyncio.run(house.database.create())
    house.database.write_now(house.registry.store, house.clock.now())

    def timed(part: str, count: int, work: Callable[[], Any]) -> None:
        report.advance(part)
        with cProfile.Profile() if profiled == part else nullcontext() as profile:
            began, wall = time.process_time(), time.monotonic()
            work()
            spent, took = time.process_time() - began, time.monotonic() - wall
        report.case(part, cpu_ms=spent * 1000 / count, wall_ms=took * 1000 / count, per_s_of_cpu=count / spent)
        if profile is not None:
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(SHOWN)
            pstats.Stats(profile, stream=sys.stderr).sort_stats("cumtime").print_stats(SHOWN * 2)

    moment = house.clock.now()
    events = [call for number in range(people) for call in arrival(str(number), moment)]
    timed("append", len(events), lambda: house.database.write_now(append, events))
    timed("route", len(events), lambda: _drain(house))
    ids = house.database.read_now(lambda connection: list(connection.execute(select(entries.c.id)).scalars()))
    house.database.write_now(lambda connection: connection.execute(outbox.delete()))
    journeys = house.journeys

    async def advance() -> None:
        for entry_id in ids:
            progress = await journeys.advance(Advance(entry_id=entry_id, cursor="1"))
            assert progress.sent == "reminder", progress

    timed("advance", people, lambda: asyncio.run(advance()))
    contents = house.journeys.contents
    facts = contents.sample("cart_reminder", house.registry.shop.model_dump(mode="json", by_alias=True))
    timed("render", people, lambda: [contents.render("cart_reminder", facts) for _ in range(people)])
    asyncio.run(house.database.close())


def _drain(house: House) -> None:
    while house.database.write_now(process_batch, house.registry, house.clock.now()).events:
        pass


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=300, help="how many enter and get a mail (300)")
    parser.add_argument("--profile", choices=["append", "route", "advance", "render"], help="show where the time goes")
    asked = parser.parse_args()
    with folder() as data, Report("domain", 4) as report:
        measure(asked.people, data, report, asked.profile)


if __name__ == "__main__":
    main()
