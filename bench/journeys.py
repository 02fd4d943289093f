"""Journeys a second beside Temporal workflows written by hand, of the same shape, on the same server, in turns.

    python -m bench.journeys [--people N] [--rounds N]

Each round starts all its people at once and ends when the last journey has ended. A reader clicks a
second after the mail. Ours goes the real way: the router's batch writes entries and outbox, the
outbox calls Temporal through JourneyCalls, the shipped worker reads and writes a SQLite file
(synchronous=FULL), scores, judges, renders, asks the gate and delivers into the inbox. The peer's
activities only answer. Processor time is the server's, the worker's and the caller's.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench import raw
from bench.definitions import write_definitions
from bench.measuring import Report, cpu_seconds, median
from bench.servers import Child, Server, child, folder, temporal
from sojourn.clock import REAL_TIME, SystemClock
from sojourn.delivery.ledger import send_key
from sojourn.intake import outbox
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope
from sojourn.intake.outbox import StartCall
from sojourn.intake.process import process_batch
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import entries
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Arrived
from worker import WORKSPACE
from workflows.client import JourneyCalls
from workflows.runtime import connect, ensure_search_attributes

DWELL = 1.0
STARTS_AT_ONCE = 32
ROUND_LIMIT = 120.0
SAMPLE = 5
ACTIONS = ("WORKFLOW_EXECUTION_STARTED", "TIMER_STARTED", "ACTIVITY_TASK_SCHEDULED", "WORKFLOW_EXECUTION_SIGNALED",
           "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES", "MARKER_RECORDED")  # fmt: skip
JOURNEY, SEND_CURSOR = "bench_wait", "3"


@dataclass(frozen=True)
class Round:
    """What a round came to: journeys a second, and processor milliseconds a journey."""

    rate: float
    server: float
    worker: float
    caller: float
    ids: list[str]

    @property
    def total(self) -> float:
        """All processor time of a journey."""
        return self.server + self.worker + self.caller


class Undelayed(JourneyCalls):
    """Starts journeys without a delay: their first wait is a timer in the workflow."""

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        """Start an entry that enters now."""
        return await super().start(workflow_id, call.model_copy(update={"entered_at": SystemClock().now()}), definition, timedelta())


class Bench:
    """One server, both workers, and the client that starts and clicks."""

    def __init__(self, server: Server, peer: Child, own: Child, client: Client, database: Database, registry: Registry) -> None:
        self.server, self.peer, self.own = server, peer, own
        self.client, self.database, self.registry = client, database, registry
        self.calls = JourneyCalls(client)
        self._numbers = itertools.count()
        self._clicks: set[asyncio.Task[None]] = set()

    # -- the peer --------------------------------------------------------------------------------

    async def peer_round(self, kind: Any, people: int) -> Round:
        """Start hand-written workflows of a kind and return what it came to."""
        batch = next(self._numbers)
        ids = [f"raw-{kind.__name__}-{batch}-{number}" for number in range(people)]
        delay = timedelta(seconds=DWELL) if kind is raw.StartDelay else None
        gate = asyncio.Semaphore(STARTS_AT_ONCE)

        async def start(workflow_id: str) -> None:
            async with gate:
                begin = raw.Begin(workflow_id, DWELL)
                await self.client.start_workflow(kind.run, begin, id=workflow_id, task_queue=raw.QUEUE, start_delay=delay)

        async def click(key: str) -> None:
            await self.client.get_workflow_handle(key).signal("click", f"click-{key}")

        async def go() -> None:
            await asyncio.gather(*(start(one) for one in ids))

        done = self.peer.count("done")
        return await self._round(self.peer, ids, go, click, lambda: self.peer.count("done") - done)

    # -- ours ------------------------------------------------------------------------------------

    async def own_round(self, calls: JourneyCalls, people: int) -> Round:
        """Let people enter, start them through the outbox, and return what it came to."""
        moment = SystemClock().now()
        batch = next(self._numbers)
        arrivals = [call for number in range(people) for call in arrival(f"{batch}-{number}", moment)]
        await self.database.write(append, arrivals)
        while (await self.database.write(process_batch, self.registry, moment)).events:
            pass
        rows = []
        pending = await self.database.read(outbox.pending, people)
        keys: dict[str, tuple[str, str]] = {}
        for row in pending:
            rows.append(row)
            keys[send_key(WORKSPACE, row.entry_id, SEND_CURSOR)] = (row.workflow_id, row.entry_id)
        ids = [row.workflow_id for row in rows]
        assert len(ids) == people, f"{len(ids)} of {people} people entered"

        async def go() -> None:
            made = await outbox.call_all(rows, calls, self.registry.versions.__getitem__, moment, REAL_TIME)
            assert not made.failed, made.failed[0]
            await self.database.write(outbox.answered, made.done, made.run_ids)

        async def click(key: str) -> None:
            workflow_id, entry_id = keys[key]
            handle = next(listener.handle for listener in self.registry.live[JOURNEY].listeners)
            arrived = Arrived(id=f"click-{key}", entry_id=entry_id, event="Email Link Clicked", time=SystemClock().now(), meets=(handle,))
            await self.calls.signal(workflow_id, arrived)

        before = await self.database.read(_ended)

        def ended() -> int:
            return self.database.read_now(_ended) - before

        return await self._round(self.own, ids, go, click, ended)

    # -- either ----------------------------------------------------------------------------------

    async def _round(
        self,
        worker: Child,
        ids: list[str],
        go: Callable[[], Awaitable[None]],
        click: Callable[[str], Coroutine[Any, Any, None]],
        ended: Callable[[], int],
    ) -> Round:
        loop = asyncio.get_running_loop()

        def heard(word: str, about: str) -> None:
            if word == "sent":
                loop.call_soon_threadsafe(loop.call_later, DWELL, click_later, about)

        def click_later(key: str) -> None:
            task = loop.create_task(click(key))
            self._clicks.add(task)
            task.add_done_callback(self._clicks.discard)

        worker.heard = heard
        pids = (self.server.pid, worker.pid, os.getpid())
        before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
        await go()
        while ended() < len(ids):
            if time.monotonic() - began > ROUND_LIMIT:
                raise TimeoutError(f"{ended()} of {len(ids)} journeys ended within {ROUND_LIMIT:.0f} s")
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
        spent = [(cpu_seconds(pid) - was) * 1000 / len(ids) for pid, was in zip(pids, before, strict=True)]
        worker.heard = None
        return Round(len(ids) / took, spent[0], spent[1], spent[2], ids)

    async def history(self, ids: Sequence[str]) -> Mapping[str, float]:
        """Return what some journeys cost Temporal: events, bytes, billed actions."""
        events, size, actions = [], [], []
        for workflow_id in ids[:SAMPLE]:
            handle = self.client.get_workflow_handle(workflow_id)
            kinds = Counter([EventType.Name(event.event_type)[11:] async for event in handle.fetch_history_events()])
            events.append(sum(kinds.values()))
            size.append((await handle.describe()).raw_description.workflow_execution_info.history_size_bytes)
            actions.append(sum(kinds[name] for name in ACTIONS))
        return {"events": round(median(events)), "bytes": round(median(size)), "actions": round(median(actions))}


def _ended(connection: Any) -> int:
    return int(connection.execute(select(func.count()).select_from(entries).where(entries.c.state == "ended")).scalar())


def arrival(who: str, moment: datetime) -> list[Envelope]:
    """Return the two events by which someone becomes known and enters a journey."""
    common = {"user_id": f"user-{who}", "time": moment, "received_at": moment}
    traits = {"email": f"user-{who}@customer.example", "first_name": "Ada"}
    consent = {"consent": {"categoryPreferences": {"marketing": True}}}
    properties = {"price": 45, "name": "Lamp", "cart_id": f"cart-{who}"}
    return [
        Envelope(message_id=f"identify-{who}", kind="identify", name="identify", traits=traits, context=consent, **common),
        Envelope(message_id=f"track-{who}", kind="track", name="Product Added", properties=properties, **common),
    ]


async def measure(people: int, rounds: int, data: Path, report: Report) -> None:
    """Take all rounds in turns and tell their medians."""
    journeys = write_definitions(data)
    registry = Registry(load(journeys))
    database = Database(f"sqlite:///{data / 'sojourn.db'}")
    await database.create()
    await database.write(registry.store, SystemClock().now())
    with temporal(data) as server:
        client = await connect(server.address, "default")
        await ensure_search_attributes(client)
        with (
            child("bench.raw", server.address, log=data / "raw.log") as peer,
            child("bench.ours", server.address, str(data), str(journeys), log=data / "ours.log") as own,
        ):
            bench = Bench(server, peer, own, client, database, registry)
            pairs: list[tuple[str, str, Callable[[int], Awaitable[Round]]]] = [
                ("timer", "peer", lambda n: bench.peer_round(raw.TimerFirst, n)),
                ("timer", "ours", lambda n: bench.own_round(Undelayed(client), n)),
                ("start delay", "peer", lambda n: bench.peer_round(raw.StartDelay, n)),
                ("start delay", "ours", lambda n: bench.own_round(bench.calls, n)),
            ]
            report.advance("warming up")
            for _, _, go in pairs:
                await go(max(people // 8, 5))
            found: dict[tuple[str, str], list[Round]] = {}
            for number in range(rounds):
                for shape, who, go in pairs:
                    report.advance(f"{shape}, {who}, round {number + 1} of {rounds}")
                    found.setdefault((shape, who), []).append(await go(people))
            await _tell(bench, found, report)
    await database.close()


async def _tell(bench: Bench, found: Mapping[tuple[str, str], list[Round]], report: Report) -> None:
    for (shape, who), rounds in found.items():
        report.case(
            f"{shape}, {who}",
            journeys_per_s=median(one.rate for one in rounds),
            server_ms=median(one.server for one in rounds),
            worker_ms=median(one.worker for one in rounds),
            caller_ms=median(one.caller for one in rounds),
            cpu_ms=median(one.total for one in rounds),
            **await bench.history(rounds[-1].ids),
        )
    for shape in dict.fromkeys(shape for shape, _ in found):
        pairs = list(zip(found[shape, "ours"], found[shape, "peer"], strict=True))
        rate = median(own.rate / peer.rate for own, peer in pairs)
        report.goal(f"{shape}: ours at ≥ 0.9 of the peer's journeys/s", rate, rate >= 0.9)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=150, help="journeys a round (150)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each of the four cases (3)")
    asked = parser.parse_args()
    with folder() as data, Report("journeys", 1 + 4 * asked.rounds) as report:
        asyncio.run(measure(asked.people, asked.rounds, data, report))


if __name__ == "__main__":
    main()
    os._exit(0)  # the SDK's core may abort at interpreter exit after all work is done
