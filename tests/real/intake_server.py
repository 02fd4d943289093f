"""A real server of the intake on a free port, in a thread of its own, and what its log holds."""

import asyncio
import socket
import threading
import time
from contextlib import contextmanager

import uvicorn
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.clock import SystemClock
from sojourn.intake.absorb import InboundRow
from sojourn.intake.appender import Appender
from sojourn.intake.http import IntakeSettings, intake_routes
from sojourn.store.database import Database
from sojourn.store.tables import inbound, quarantine

WRITE_KEY = "wk_for_tests_1"
PATIENCE = 20.0


class Intake:
    """A running intake."""

    def __init__(self, url, database):
        self.url = url
        self.database = database

    def log(self):
        """Return the log's envelopes, in order."""
        rows = self.database.read_now(lambda c: c.execute(select(inbound).order_by(inbound.c.seq)).all())
        return [InboundRow.of(row).envelope for row in rows]

    def quarantined(self):
        """Return the reasons of quarantine."""
        return self.database.read_now(lambda c: c.execute(select(quarantine.c.reason)).scalars().all())

    def wait_for(self, count):
        """Return the log once it holds so many events."""
        deadline = time.monotonic() + PATIENCE
        while len(found := self.log()) < count:
            assert time.monotonic() < deadline, f"only {[(e.kind, e.name) for e in found]} arrived; quarantined: {self.quarantined()}"
            time.sleep(0.05)
        return found


@contextmanager
def running_intake(folder):
    """Serve the intake until the block ends."""
    database = Database(f"sqlite:///{folder / 'intake.db'}")
    asyncio.run(database.create())
    listener = socket.create_server(("127.0.0.1", 0))
    routes = intake_routes(Appender(database), IntakeSettings([WRITE_KEY]), SystemClock())
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    try:
        yield Intake(f"http://127.0.0.1:{listener.getsockname()[1]}", database)
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        asyncio.run(database.close())
