"""Two routers at once, killed and stopped at random: each entry starts once, and each person's signals keep their order."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope
from sojourn.intake.router import CALLER
from sojourn.store.database import Database
from sojourn.store.leases import look
from sojourn.store.tables import entries, outbox

pytestmark = [pytest.mark.real, pytest.mark.store]

HERE = Path(__file__).parent
PEOPLE = 40
POKES = 12  # of each person
KILLS = 6
STALLS = 2
STALL_S = 3.0  # longer than the lease is good for, shorter than a store's patience with whoever was stopped amid a transaction
PATIENCE = 120.0
JOURNEY = """
journey: pokes
owner: tests@shop.example
purpose: transactional
description: Hears whatever comes.
enter: {on: Cart Started}
steps:
  - wait_for: Poked
    up_to: 30d
    then:
      - end: poked
    else:
      - end: silent
"""


class Temporal:
    """Temporal's promises and no more: a call whose request id is known changes nothing, and is answered alike."""

    def __init__(self) -> None:
        self.started: dict[str, list[str]] = defaultdict(list)
        self.heard: dict[str, list[str]] = defaultdict(list)
        self.wrong: list[str] = []
        self.repeats = 0
        self.dice = random.Random(3)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind, workflow_id, request = json.loads(await reader.readline())
        await asyncio.sleep(self.dice.uniform(0, 0.01))
        if kind == "signal" and workflow_id not in self.started:
            self.wrong.append(f"{request} came to {workflow_id} before it was started")
        known = (self.started if kind == "start" else self.heard)[workflow_id]
        if request in known:
            self.repeats += 1
        else:
            known.append(request)
        writer.write(json.dumps("run" if kind == "start" else True).encode() + b"\n")
        await writer.drain()
        writer.close()


def event(message_id: str, user_id: str, name: str) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(message_id=message_id, kind="track", name=name, user_id=user_id, time=now, received_at=now)


class Routers:
    """Two router processes, each started again when it is killed."""

    def __init__(self, url: str, folder: Path, port: int) -> None:
        self._command = [sys.executable, str(HERE / "router_process.py"), url, str(folder), str(port)]
        self.processes = [self._start(), self._start()]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, cwd=HERE.parents[1], env=os.environ | {"PYTHONPATH": str(HERE.parents[1])})

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(10)
        self.processes[self.processes.index(process)] = self._start()

    def holding(self, holder: str) -> subprocess.Popen[bytes] | None:
        return next((one for one in self.processes if str(one.pid) == holder.split(":")[1]), None)

    def stop(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(10)


async def until(check: Any, what: str, limit: float = PATIENCE) -> Any:
    deadline = time.monotonic() + limit
    while not (found := await check()):
        assert time.monotonic() < deadline, f"{what} did not come within {limit:.0f} s"
        await asyncio.sleep(0.02)
    return found


async def test_two_routers_that_are_killed_and_stopped_start_each_entry_once_and_keep_the_order_of_signals(
    store_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "journeys"
    folder.mkdir()
    (folder / "pokes.yaml").write_text(JOURNEY)
    shutil.copy(HERE / "journeys_faults/shop.yaml", folder)
    database, temporal = Database(store_url, durable=False), Temporal()
    server = await asyncio.start_server(temporal.serve, "127.0.0.1", 0)
    routers = Routers(store_url, folder, server.sockets[0].getsockname()[1])
    said: dict[str, list[str]] = defaultdict(list)
    dice = random.Random(5)
    overtaken: list[float] = []
    enough = asyncio.Event()

    async def speak() -> None:
        people = [f"p{number}" for number in range(PEOPLE)]
        for who in people:
            await database.write(append, [event(f"{who}-cart", who, "Cart Started")])
        for number in range(POKES):
            for who in dice.sample(people, PEOPLE):
                said[who].append(f"{who}-{number}")
                await database.write(append, [event(f"{who}-{number}", who, "Poked")])
                await asyncio.sleep(0.01)
        number = POKES
        while not enough.is_set():  # there is work in hand at every kill
            who = dice.choice(people)
            said[who].append(f"{who}-{number}")
            await database.write(append, [event(f"{who}-{number}", who, "Poked")])
            number += 1
            await asyncio.sleep(0.02)

    async def holder() -> str | None:
        seen = await database.read(look, CALLER)
        return seen.holder if seen is not None and routers.holding(seen.holder) is not None else None

    async def another(than: str) -> bool:
        seen = await holder()
        return seen is not None and seen != than

    async def torment() -> None:
        for number in range(KILLS + STALLS):
            held = await until(holder, "a caller")
            heard = sum(map(len, temporal.heard.values()))

            async def more(heard: int = heard) -> bool:
                return sum(map(len, temporal.heard.values())) > heard

            await until(more, "a call")
            await asyncio.sleep(dice.uniform(0, 0.3))
            process = routers.holding(held)
            assert process is not None
            if number % (KILLS // STALLS + 1) == KILLS // STALLS:
                process.send_signal(signal.SIGSTOP)
                await asyncio.sleep(STALL_S)
                process.send_signal(signal.SIGCONT)
            else:
                began = time.monotonic()
                routers.kill(process)
                await until(lambda held=held: another(held), "another caller")
                overtaken.append(time.monotonic() - began)
        enough.set()

    async def quiet() -> bool:
        waiting = await database.read(lambda c: c.execute(select(func.count()).select_from(outbox)).scalar())
        return waiting == 0 and sum(map(len, temporal.heard.values())) == sum(map(len, said.values()))

    try:
        async with asyncio.timeout(PATIENCE * 2):
            await asyncio.gather(speak(), torment())
            await until(quiet, "the last signal")
    finally:
        routers.stop()
        server.close()
    kept = await database.read(lambda c: c.execute(select(entries.c.workflow_id, entries.c.id, entries.c.trigger_id)).all())
    await database.close()
    assert temporal.wrong == []
    assert len(kept) == PEOPLE
    assert temporal.started == {row.workflow_id: [row.id] for row in kept}
    whose = {row.workflow_id: row.trigger_id.removesuffix("-cart") for row in kept}
    assert {whose[workflow_id]: heard for workflow_id, heard in temporal.heard.items()} == said
    assert len(overtaken) == KILLS
    print(f"\ntaken over after {sorted(round(one, 2) for one in overtaken)} s; {temporal.repeats} calls came twice")
