"""A store that others keep busy: it is said as what may be over soon, it ends no role, and whoever waits has a turn."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import stores
from several import FOLDER, Several, event, on_postgresql
from sqlalchemy import insert, make_url, select

from sojourn.clock import SystemClock
from sojourn.console.api import admin_app
from sojourn.errors import StoreUnavailable
from sojourn.intake.appender import append
from sojourn.intake.process import waits
from sojourn.intake.router import Router
from sojourn.language.loader import load
from sojourn.store import heartbeats, outlast, postgres, sqlite
from sojourn.store.database import Database
from sojourn.store.tables import cursors
from sojourn.store.tables import heartbeats as beats
from sojourn.travel.registry import Registry

SHORT_MS = 150
PATIENCE = 20.0
# Another process that holds the write lock until its standard input ends.
HOLDS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
connection.execute("ROLLBACK")
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the store give up sooner than it does: the time-out is what is met, however long it is."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_MS", SHORT_MS)
    monkeypatch.setitem(postgres.LIMITS, "lock_timeout", str(SHORT_MS))
    monkeypatch.setattr(outlast, "AWAY_PAUSE_S", 0.02)


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Keep every writer from the store, from another process or connection, until left."""
    if make_url(url).get_backend_name() == "sqlite":
        holder = subprocess.Popen([sys.executable, "-c", HOLDS, str(make_url(url).database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            holder.communicate(timeout=PATIENCE)
        return
    other, begun, ended = Database(url), threading.Event(), threading.Event()

    def hold(connection) -> None:  # type: ignore[no-untyped-def]
        connection.exec_driver_sql("LOCK TABLE cursors, heartbeats, leases, inbound, segment_builds, definitions IN SHARE MODE")
        begun.set()
        ended.wait(PATIENCE)

    thread = threading.Thread(target=other.write_now, args=(hold,))
    thread.start()
    assert begun.wait(PATIENCE)
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE)
        other.close_now()


async def until(true) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(PATIENCE):
        while not await true():
            await asyncio.sleep(0.02)


def test_a_store_that_others_keep_busy_is_said_as_what_may_be_over_soon(store_url: str) -> None:
    database = Database(store_url)
    add = insert(cursors).values(name="a", seq=1)
    with locked(store_url):
        with pytest.raises(StoreUnavailable, match="too busy to answer in time"):
            database.write_now(lambda c: c.execute(add))
        assert database.read_now(lambda c: c.execute(select(cursors)).all()) == []
    database.write_now(lambda c: c.execute(add))
    assert outlast.outlast_now(lambda: database.read_now(lambda c: len(c.execute(select(cursors)).all()))) == 1
    database.close_now()


@on_postgresql
def test_a_server_that_is_short_of_connections_disk_or_memory_may_have_them_soon(store_url: str) -> None:
    database = Database(store_url)
    for code in ("53100", "53200", "53300", "57P03", "40001", "55P03"):
        raises = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$"
        with pytest.raises(StoreUnavailable):
            database.write_now(lambda c, raises=raises: c.exec_driver_sql(raises))
    database.close_now()


class Nobody:
    """Runs no journey."""

    async def start(self, *_: object) -> str:
        return "run"

    async def signal(self, *_: object) -> bool:
        return True

    async def terminate(self, *_: object) -> bool:
        return True


async def test_router_and_heartbeat_outlast_a_store_that_is_busy_for_longer_than_its_time_out(store_url: str) -> None:
    database, beside = Database(store_url), Database(store_url)
    met: list[str] = []
    told = outlast.log.warning

    def heard(*args: object, **facts: str) -> None:
        met.append(facts["job"])
        told(*args, **facts)

    with pytest.MonkeyPatch.context() as patch, locked(store_url):
        patch.setattr(outlast.log, "warning", heard)
        patch.setattr(heartbeats, "INTERVAL_S", 0.05)
        running = [
            asyncio.create_task(Router(database, Registry(load(FOLDER)), Nobody(), SystemClock()).run()),
            asyncio.create_task(heartbeats.keep_beating(beside, "router")),
        ]

        async def both_gave_up() -> bool:
            return {"heartbeat", "definitions"} <= set(met)

        await until(both_gave_up)
    await until(lambda: beside.read(lambda c: c.execute(select(beats)).first() is not None))
    await beside.write(append, [event("e1")])

    async def routed() -> bool:
        return not await beside.read(waits)

    await until(routed)
    met.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outlast.log, "warning", heard)
        with locked(store_url):  # once more, in the midst of its life

            async def lease_gave_up() -> bool:
                return any("keep" in job for job in met)

            await until(lease_gave_up)
    await beside.write(append, [event("e2")])
    await until(routed)
    assert not any(task.done() for task in running)
    for task in running:
        task.cancel()
    await asyncio.wait(running, timeout=PATIENCE)
    await database.close()
    await beside.close()


@pytest.mark.skipif(stores.STORE != "sqlite", reason="PostgreSQL has many writers")
def test_whoever_waits_for_sqlites_one_lock_is_let_in_before_one_who_writes_all_the_time(several: Several) -> None:
    hog, other = several(), several()
    asked, done, began = threading.Event(), threading.Event(), threading.Event()
    meanwhile = []

    def write(connection) -> None:  # type: ignore[no-untyped-def]
        if asked.is_set():
            meanwhile.append(1)
        began.set()
        done.wait(0.03)  # the whole interpreter is free: only the lock is held

    def write_all_the_time() -> None:
        while not done.is_set():
            hog.write_now(write)

    thread = threading.Thread(target=write_all_the_time)
    thread.start()
    assert began.wait(PATIENCE)
    for number in range(5):
        asked.set()
        other.write_now(lambda c, number=number: c.execute(insert(cursors).values(name=f"n{number}", seq=1)))
        asked.clear()
        assert len(meanwhile) <= 3, "the other process wrote again and again while this one waited"
        meanwhile.clear()
    done.set()
    thread.join(PATIENCE)


@pytest.mark.skipif(stores.STORE != "sqlite", reason="of SQLite's own errors")
def test_a_full_disk_is_said_and_may_be_over_soon_and_a_mistake_is_not_taken_for_one(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    database.write_now(lambda c: c.exec_driver_sql("CREATE TABLE t (x BLOB)"))

    def fill(connection) -> None:  # type: ignore[no-untyped-def]
        connection.exec_driver_sql("PRAGMA max_page_count = 4")
        connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")

    with pytest.raises(StoreUnavailable, match="the disk that holds the database is full"):
        database.write_now(fill)
    with pytest.raises(Exception, match="no such table") as caught:
        database.write_now(lambda c: c.exec_driver_sql("INSERT INTO nowhere VALUES (1)"))
    assert not isinstance(caught.value, StoreUnavailable)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    database.close_now()


class Away(Database):
    """A store that is busy."""

    async def read(self, *_: object, **__: object) -> None:  # type: ignore[override]
        raise StoreUnavailable("the database was too busy to answer in time; try again")


async def test_what_is_asked_of_a_busy_store_is_to_be_asked_again() -> None:
    async def reachable() -> bool:
        return True

    app = admin_app(Away("sqlite://"), {}, SystemClock(), "token", reachable)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sojourn.test") as client:
        answer = await client.get("/api/journeys", headers={"authorization": "Bearer token"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "try again" in answer.json()["detail"]
