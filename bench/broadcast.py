"""A broadcast: how many messages a second two senders get through gate and ledger to a provider that takes them at once.

    python -m bench.broadcast [--recipients N] [--senders 2] [--store sqlite|postgresql]

Recipients are made up by `bench/population.py`; each sender is a process with lanes of its own, as workers of
`sojourn up` have, without Temporal between (an activity of 20 seconds costs it a few events). Memory is that of a
sender at a tenth, and at the end. Last it is paused amid sending, and what still goes out is timed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, func, insert, select

from bench.measuring import Report, cpu_seconds, resident_mb
from bench.population import PAGE, populate, profile_id
from bench.segments import stores
from bench.servers import folder
from sojourn.broadcasts import standing
from sojourn.broadcasts.gathering import LANES
from sojourn.broadcasts.sending import Broadcasting
from sojourn.clock import SystemClock
from sojourn.content import Contents
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import Klass, Receipt
from sojourn.delivery.tokens import Links, Tokens
from sojourn.intake.emit import emit
from sojourn.language.loader import load
from sojourn.language.moments import zone_named
from sojourn.longevity import settle_down
from sojourn.prediction import Models
from sojourn.store.database import Database
from sojourn.store.tables import consents, sends
from sojourn.store.types import to_micros
from sojourn.travel.registry import Registry
from sojourn.travel.stored import StoredJourneys

GOAL = 500.0  # messages a second
PAUSE_GOAL = 2.0  # seconds
JOURNEYS = Path(__file__).parents[1] / "journeys"
BROADCAST = """
broadcast: bench
description: Everyone.
to: profile.visits >= 0
content: whats_new
at: {at}
"""


class Taker:
    """A fake provider that takes every message at once; it writes it as MIME, as a real one has to."""

    name = "taker"
    klass = Klass.BLIND
    key_window = timedelta(0)

    async def deliver(self, message: Message) -> Receipt:
        """Take a message."""
        to_bytes(message)
        return Receipt(message.key)


def journeys_of(database: Database, folder: Path) -> StoredJourneys:
    """Return what advances entries, on a store."""
    return StoredJourneys(
        store=database, registry=Registry(load(folder)), contents=Contents.load(folder), models=Models.load(folder), provider=Taker(),
        clock=SystemClock(), links=Links("https://mail.shop.example", Tokens("a secret of the bench, long enough")),
        workspace=UUID(int=7), secret="a secret of the bench, long enough", emit=emit,
    )  # fmt: skip


def make_people(connection: Connection, first: int, count: int, now: datetime) -> None:
    """Write people who have an address and have agreed."""
    populate(connection, first, count, 1, now)
    ids = [profile_id(number) for number in range(first, first + count)]
    rows = [
        {"id": one, "profile_id": one, "purpose": "marketing", "granted": True, "wording": "w", "source": "bench", "at": now} for one in ids
    ]
    connection.execute(insert(consents), rows)


async def send(url: str, broadcast_id: str, lanes: list[int]) -> None:
    """Be a sender: send to lanes until they are done or it is paused, and say how much memory it took."""
    import os

    database = Database(url)
    broadcasting = Broadcasting(journeys_of(database, JOURNEYS))
    settle_down()  # as a worker does
    early: list[float] = []

    def beat(_: int) -> None:
        if not early:
            early.append(resident_mb(os.getpid()))

    done = await asyncio.gather(*(broadcasting.send(broadcast_id, lane, 3600.0, beat) for lane in lanes))
    print(json.dumps({"sent": sum(each.sent for each in done), "early_mb": early[0] if early else 0, "late_mb": resident_mb(os.getpid())}))
    await database.close()


def begin(url: str, broadcast_id: str, senders: int) -> list[subprocess.Popen[str]]:
    """Start senders, each with its share of the lanes."""
    command = [sys.executable, "-m", "bench.broadcast", "--be-sender", url, broadcast_id]
    shares = [list(range(LANES))[number::senders] for number in range(senders)]
    return [subprocess.Popen([*command, ",".join(map(str, share))], stdout=subprocess.PIPE, text=True) for share in shares]


def accepted(connection: Connection) -> int:
    """Return how many messages were accepted."""
    return int(connection.execute(select(func.count()).select_from(sends).where(sends.c.state == "accepted")).scalar_one())


def measure(store: str, recipients: int, senders: int, data: Path, database: Database, url: str, report: Report) -> None:
    """Measure one store."""
    from sojourn.language.loader import load_broadcast

    now = datetime.now(UTC)
    report.advance(f"{store}: making up {recipients:,} people")
    for first in range(0, recipients, PAGE):
        database.write_now(make_people, first, min(PAGE, recipients - first), now)
    broadcast = load_broadcast(BROADCAST.format(at=now.strftime("%Y-%m-%d %H:%M")))
    id_ = database.write_now(standing.schedule, broadcast, zone_named("UTC"), now)

    report.advance(f"{store}: gathering")
    began = time.monotonic()
    asyncio.run(Broadcasting(journeys_of(database, JOURNEYS)).gather(id_, 600.0))
    report.case(f"{store}: gathering", people_per_s=recipients / (time.monotonic() - began))

    report.advance(f"{store}: sending")
    running = begin(url, id_, senders)
    try:
        while database.read_now(accepted) == 0:
            time.sleep(0.02)
        at, was, cpu = time.monotonic(), database.read_now(accepted), cpu_seconds(*(one.pid for one in running))
        while database.read_now(accepted) < recipients * 0.8:
            time.sleep(1.0)
        sent, took = database.read_now(accepted) - was, time.monotonic() - at
        spent = cpu_seconds(*(one.pid for one in running)) - cpu
        report.case(f"{store}: sending by {senders}", messages_per_s=sent / took, cpu_ms_each=spent * 1000 / sent)
        report.goal(f"{store}: messages a second, at least {GOAL:.0f}", sent / took, sent / took >= GOAL)

        report.advance(f"{store}: pausing")
        at = time.monotonic()
        database.write_now(standing.pause, id_, "the bench")
        told: list[dict[str, Any]] = [json.loads(one.communicate(timeout=60)[0]) for one in running]
        report.case(f"{store}: pausing", seconds=time.monotonic() - at)
        last = database.read_now(_last_claim)
        late = max((last - to_micros(now)) / 1e6 - (datetime.now(UTC) - now).total_seconds() + (time.monotonic() - at), 0.0)
        report.goal(f"{store}: seconds from the pause to the last message, at most {PAUSE_GOAL:.0f}", late, late <= PAUSE_GOAL)
        growth = max(one["late_mb"] / one["early_mb"] for one in told)
        report.case(f"{store}: a sender's memory", early_mb=told[0]["early_mb"], late_mb=told[0]["late_mb"])
        report.goal(f"{store}: memory at the end beside that after the first page, level (under 1.25)", growth, growth < 1.25)
    finally:
        for one in running:
            one.kill()
            one.wait(10)


def _last_claim(connection: Connection) -> int:
    return to_micros(connection.execute(select(func.max(sends.c.claimed_at))).scalar_one())


def main() -> None:
    """Measure."""
    if sys.argv[1:2] == ["--be-sender"]:
        asyncio.run(send(sys.argv[2], sys.argv[3], [int(lane) for lane in sys.argv[4].split(",")]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipients", type=int, default=100_000, help="how many (100,000)")
    parser.add_argument("--senders", type=int, default=2, help="processes that send (2)")
    parser.add_argument("--store", choices=["sqlite", "postgresql"], help="only this one")
    asked = parser.parse_args()
    names = [asked.store] if asked.store else ["sqlite"]
    with Report("broadcast", 4 * len(names)) as report:
        for name in names:
            with folder() as data, stores(name, data) as (database, _):
                asyncio.run(database.create())
                measure(name, asked.recipients, asked.senders, data, database, database.url.render_as_string(hide_password=False), report)
                asyncio.run(database.close())


if __name__ == "__main__":
    main()
