"""P9: a router that dies between its decision, the call to Temporal and the mark repeats itself harmlessly."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, select

from sojourn.clock import REAL_TIME
from sojourn.intake import outbox
from sojourn.intake.appender import append
from sojourn.intake.envelope import read_call
from sojourn.intake.outbox import StartCall
from sojourn.intake.process import position, process_batch
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import entries
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Arrived

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parents[2] / "real/journeys_faults"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
PEOPLE = 120
LEAST_HITS = 10  # fewer prove nothing (P20)
POINTS = ("before the call", "after the call", "between call and mark", "between decision and commit")


class Died(BaseException):
    """The process is gone: nothing catches this."""


class Engine:
    """Temporal's promises and no more: a start with a known request id, or a signal with one, changes nothing."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.started: dict[str, list[str]] = {}  # workflow id to entries
        self.heard: dict[str, list[str]] = {}  # workflow id to event ids
        self.ended: set[str] = set()
        self.repeats: Counter[str] = Counter()

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        self.faults.strike("before the call")
        known = self.started.setdefault(workflow_id, [])
        if call.entry_id in known:
            self.repeats["start"] += 1
        else:
            known.append(call.entry_id)
        self.faults.strike("after the call")
        return f"run of {call.entry_id}"

    async def signal(self, workflow_id: str, arrived: Arrived) -> bool:
        assert workflow_id in self.started, "a signal must not come before the start"
        self.faults.strike("before the call")
        heard = self.heard.setdefault(workflow_id, [])
        if arrived.id in heard:
            self.repeats["signal"] += 1
        else:
            heard.append(arrived.id)
        self.faults.strike("after the call")
        return True

    async def terminate(self, workflow_id: str, run_id: str | None, reason: str) -> bool:
        assert workflow_id in self.started, "an end must not come before the start"
        assert run_id is not None, "without its run id, the end could meet a later entry under the same id"
        self.faults.strike("before the call")
        first = workflow_id not in self.ended
        self.repeats["terminate"] += not first
        self.ended.add(workflow_id)
        self.faults.strike("after the call")
        return first


class Faults:
    """Fails at points by the dice, and counts."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.hits: Counter[str] = Counter()
        self.chances = dict.fromkeys(POINTS, 0.3) | dict.fromkeys(POINTS[:2], 0.07)  # a round has many calls, and one of the others

    def strike(self, point: str) -> None:
        if self.dice.random() < self.chances[point]:
            self.hits[point] += 1
            if self.dice.random() < 0.5:
                raise Died(point)
            self.hits["answer lost"] += 1
            raise ConnectionError(point)


@pytest.fixture
def database(store_url: str) -> Database:
    opened = Database(store_url, durable=False)
    asyncio.run(opened.create())
    return opened


def say(database: Database, now: datetime, kind: str, **event: Any) -> None:
    call = read_call(kind, orjson.dumps(event), received_at=now)
    assert call.quarantined == []
    database.write_now(append, call.envelopes)


async def one_life(database: Database, registry: Registry, engine: Engine, now: datetime, faults: Faults) -> bool:
    """Route and call once, as a router does from its start; tell whether it lived."""
    try:
        database.write_now(_route, registry, now, faults)
        rows = database.read_now(outbox.pending)
        made = await outbox.call_all(rows, engine, registry.versions.__getitem__, now, REAL_TIME)
        faults.strike("between call and mark")
        database.write_now(outbox.answered, made.done, made.run_ids)
    except (Died, ConnectionError):
        return False
    return not database.read_now(outbox.pending)


def _route(connection: Connection, registry: Registry, now: datetime, faults: Faults) -> None:
    process_batch(connection, registry, now, limit=3)
    faults.strike("between decision and commit")


@pytest.mark.parametrize("seed", range(3))
def test_a_router_that_dies_at_any_point_starts_each_entry_once_and_tells_each_event_once(database: Database, seed: int) -> None:
    registry = Registry(load(FOLDER))
    database.write_now(registry.store, START)
    faults = Faults(seed)
    engine = Engine(faults)
    consent = {"consent": {"categoryPreferences": {"marketing": True}}}
    for number in range(PEOPLE):
        who = f"p{number}"
        say(database, START, "identify", messageId=f"i{number}", userId=who, traits={"email": "a@b.example"}, context=consent)
        say(database, START, "track", messageId=f"c{number}", userId=who, event="Cart Started")
        if number % 2:  # while the workflow sleeps, which ends it; or later, which is a signal
            bought = START + timedelta(seconds=1 if number % 4 == 1 else 9)
            say(database, bought, "track", messageId=f"o{number}", userId=who, event="Order Completed")
    now = START + timedelta(seconds=1)
    for _ in range(2_000):
        lived = asyncio.run(one_life(database, registry, engine, now, faults))
        if lived and database.read_now(position) == PEOPLE * 2 + PEOPLE // 2:
            break
    kept = database.read_now(lambda c: c.execute(select(entries.c.workflow_id, entries.c.id, entries.c.run_id, entries.c.trigger_id)).all())
    assert sorted(row.trigger_id for row in kept) == sorted(f"c{number}" for number in range(PEOPLE))
    assert engine.started == {row.workflow_id: [row.id] for row in kept}
    assert all(row.run_id == f"run of {row.id}" for row in kept)
    assert len(engine.ended) + sum(map(len, engine.heard.values())) == PEOPLE // 2
    assert min(engine.repeats[kind] for kind in ("start", "signal", "terminate")) >= 1, engine.repeats
    assert min(faults.hits[point] for point in (*POINTS, "answer lost")) >= LEAST_HITS, faults.hits


def test_what_a_slow_server_answered_is_marked_before_the_rest_is_asked(database: Database) -> None:
    registry = Registry(load(FOLDER))
    database.write_now(registry.store, START)
    faults = Faults(0)
    faults.chances = dict.fromkeys(POINTS, 0.0)

    class Slow(Engine):
        async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
            await asyncio.sleep(0.02)
            return await super().start(workflow_id, call, definition, delay)

    consent = {"consent": {"categoryPreferences": {"marketing": True}}}
    for number in range(PEOPLE):
        say(database, START, "identify", messageId=f"i{number}", userId=f"p{number}", context=consent)
        say(database, START, "track", messageId=f"c{number}", userId=f"p{number}", event="Cart Started")
    database.write_now(process_batch, registry, START)
    engine, rounds = Slow(faults), 0
    while rows := database.read_now(outbox.pending):
        made = asyncio.run(outbox.call_all(rows, engine, registry.versions.__getitem__, START, REAL_TIME, seconds=0.01))
        assert 0 < len(made.done) <= outbox.CALLS_AT_ONCE
        assert made.failed == []
        database.write_now(outbox.answered, made.done, made.run_ids)
        rounds += 1
    assert rounds >= PEOPLE / outbox.CALLS_AT_ONCE
    assert engine.repeats["start"] == 0
