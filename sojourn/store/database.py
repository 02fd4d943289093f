"""The database: one door for reading, one for writing, the same on every store.

The domain's functions are plain functions of a SQLAlchemy `Connection`. `Database` runs each in one
transaction in a thread: one writer, so that writers queue in memory and not at the file's lock. One hop
a transaction instead of one a statement is what makes the difference on small machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from sojourn.errors import SettingsError
from sojourn.store.tables import metadata

P = ParamSpec("P")
T = TypeVar("T")

BUSY_TIMEOUT_MS = 15_000
READERS = 2


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


class Database:
    """A store, opened by its URL.

    Args:
        url: `sqlite://` (in memory) or `sqlite:///path.db`; PostgreSQL is not supported yet.
        durable: whether a commit is on the disk before it returns (SQLite's synchronous=FULL, else
            NORMAL). What was acknowledged to someone needs True.

    Raises:
        SettingsError: the URL is neither.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError:
            raise SettingsError("the database URL is not a URL; write sqlite:///var/sojourn.db") from None
        if self.url.get_backend_name() != "sqlite":
            raise SettingsError(
                f"{self.url.get_backend_name()} is not supported yet, only SQLite is; "
                "leave SOJOURN_DATABASE_URL out, or write sqlite:///var/sojourn.db"
            )
        self.in_memory = self.url.database in (None, "", ":memory:")
        if not self.in_memory:
            Path(str(self.url.database)).parent.mkdir(parents=True, exist_ok=True)
        self.engine = self._open_sqlite(durable)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = self._writer if self.in_memory else ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")

    def _open_sqlite(self, durable: bool) -> Engine:
        engine = create_engine(
            self.url.set(drivername="sqlite+pysqlite"),
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are personal data
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000, "isolation_level": None},
            **({"poolclass": StaticPool} if self.in_memory else {"pool_size": READERS + 2}),
        )

        @event.listens_for(engine, "connect")
        def _set_pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA cache_size=-32000")
            cursor.close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A transaction that will write takes the write lock at once: upgrading a read lock later can deadlock.
            writes = connection.get_execution_options().get("sojourn_writes", True)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    # -- for code without an event loop (the command line, tests, virtual time) ------------------

    def write_now(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one writing transaction, in this thread."""
        with self.engine.begin() as connection:
            return function(connection, *args, **kwargs)

    def read_now(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one reading transaction, in this thread."""
        with self.engine.connect().execution_options(sojourn_writes=False) as connection:
            return function(connection, *args, **kwargs)

    # -- for code with one ------------------------------------------------------------------------

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one writing transaction; it is committed when this returns."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer, lambda: self.write_now(function, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one reading transaction."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self.read_now(function, *args, **kwargs))

    async def create(self) -> None:
        """Create what tables are missing."""
        await self.write(metadata.create_all)

    async def close(self) -> None:
        """Close every connection and thread."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self.engine.dispose()
