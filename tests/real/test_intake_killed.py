"""P1: what was answered 2xx is in the log, whatever is killed and when; and it is in it once."""

import asyncio
import random
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from intake_server import PATIENCE, WRITE_KEY
from sqlalchemy import func, select

from sojourn.store.database import Database
from sojourn.store.tables import inbound

pytestmark = pytest.mark.real
KILLS = 12

SERVER = """
import asyncio, sys, uvicorn
from starlette.applications import Starlette
from sojourn.clock import SystemClock
from sojourn.intake.appender import Appender
from sojourn.intake.http import IntakeSettings, intake_routes
from sojourn.store.database import Database

async def main(url, port, key):
    database = Database(url)
    await database.create()
    app = Starlette(routes=intake_routes(Appender(database), IntakeSettings([key]), SystemClock()))
    await uvicorn.Server(uvicorn.Config(app, port=int(port), log_level="error", access_log=False)).serve()

asyncio.run(main(*sys.argv[1:]))
"""


def start(url, port):
    process = subprocess.Popen([sys.executable, "-c", SERVER, url, str(port), WRITE_KEY])
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "the server ended by itself"
        assert time.monotonic() < deadline, "the server did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process


async def send(url, sender, acknowledged, attempted, under_way, stop):
    """Send batches with some ids sent before; keep the ids of those that were answered 200."""
    dice, number = random.Random(sender), 0
    async with httpx.AsyncClient(base_url=url, auth=(WRITE_KEY, ""), timeout=5) as client:
        while not stop.is_set():
            ids = []
            for _ in range(20):
                number += 1
                again = attempted and dice.random() < 0.1
                ids.append(dice.choice(attempted) if again else f"{sender}-{number}")
            attempted.extend(ids)
            events = [{"type": "track", "messageId": one, "userId": f"u{sender}", "event": "Product Viewed"} for one in ids]
            under_way.add(sender)
            try:
                answer = await client.post("/v1/batch", json={"batch": events})
            except httpx.TransportError:
                await asyncio.sleep(0.02)
                continue
            finally:
                under_way.discard(sender)
            if answer.status_code == 200:
                acknowledged.update(ids)


async def test_what_was_acknowledged_survives_kill_nine_and_is_there_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    acknowledged, attempted, under_way, stop, hits = set(), [], set(), asyncio.Event(), 0
    process = await asyncio.to_thread(start, url, port)
    senders = [asyncio.create_task(send(f"http://127.0.0.1:{port}", i, acknowledged, attempted, under_way, stop)) for i in range(4)]
    try:
        for kill in range(KILLS):
            before = len(acknowledged)
            await asyncio.sleep(0.1 + random.Random(kill).random() / 4)
            hits += bool(under_way) and len(acknowledged) > before
            process.send_signal(signal.SIGKILL)
            process.wait()
            process = await asyncio.to_thread(start, url, port)
        stop.set()
        await asyncio.gather(*senders)
    finally:
        stop.set()
        process.kill()
        process.wait()
    database = Database(url)
    stored = set(database.read_now(lambda c: c.execute(select(inbound.c.message_id)).scalars().all()))
    count = database.read_now(lambda c: c.execute(select(func.count()).select_from(inbound)).scalar())
    await database.close()
    assert hits >= 10, "a kill proves something only while calls are under way and after some were answered"
    assert len(acknowledged) > 200
    assert acknowledged - stored == set()
    assert stored <= set(attempted)
    assert count == len(stored)
