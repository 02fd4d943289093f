"""SQLite as a store: one thread writes, so that writers queue in memory and not at the file's lock."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from sojourn.clock import monotonic
from sojourn.errors import StoreUnavailable
from sojourn.local_time import DATE, parse_moment, zone_named
from sojourn.store.turns import Turns
from sojourn.store.types import dump_json, to_micros
from sojourn.store.writing import WriteLock, said

T = TypeVar("T")

MICROS = "sojourn_micros"
"""A function of SQL: the microseconds since 1970 that a text names, null where it names no moment.

Arguments: the text; the zone of a date by itself; another zone, where that is missing or none.
"""
BUSY_TIMEOUT_MS = 15_000
LOOK_AGAIN_SECONDS = 0.02
READERS = 2


class Sqlite:
    """Runs functions of a connection on SQLite: a file, or memory.

    Args:
        url: of the file; without a path it is in memory.
        durable: whether a commit is on the disk before it returns (synchronous=FULL, else NORMAL).
    """

    def __init__(self, url: URL, *, durable: bool) -> None:
        self._in_memory = url.database in (None, "", ":memory:")
        self._path = None if self._in_memory else Path(str(url.database))
        if not self._in_memory:
            Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
        self._lock = None if self._in_memory else WriteLock(Path(str(url.database)), BUSY_TIMEOUT_MS / 1000)
        self._engine = self._open(url, durable)
        self._turns = Turns()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._readers = self._writer if self._in_memory else ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")

    def _open(self, url: URL, durable: bool) -> Engine:
        engine = create_engine(
            url.set(drivername="sqlite+pysqlite"),
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are personal data
            connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000, "isolation_level": None},
            **({"poolclass": StaticPool} if self._in_memory else {"pool_size": READERS + 2}),
        )

        @event.listens_for(engine, "connect")
        def _set_pragmas(connection: Any, _record: Any) -> None:
            connection.create_function(MICROS, 3, _micros, deterministic=True)
            cursor = connection.cursor()
            _keep_a_log(cursor)
            cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.execute("PRAGMA cache_size=-32000")
            cursor.close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            # A transaction that will write takes the write lock at once: upgrading a read lock later can deadlock.
            writes = connection.get_execution_options().get("sojourn_writes", True)
            driver = connection.connection.driver_connection
            if writes and self._lock is not None and driver is not None:
                self._lock.begin(driver)
            else:
                connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Run work in one transaction, in this thread.

        Raises:
            StoreUnavailable: others kept it from the lock all the time, or the disk is full.
        """
        with _told_apart():
            return self._write(work) if writes else self._read(work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.begin() as connection, self._turns.writing():
                return work(connection)
        finally:
            if self._lock is not None:
                self._lock.ended()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._engine.connect().execution_options(sojourn_writes=False) as connection:
            if not self._in_memory:  # there one thread does both
                self._turns.known_to(connection)
            return work(connection)

    async def run_async(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Run work in one transaction, in the writer's thread or a reader's."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writer if writes else self._readers, lambda: self.run(work, writes=writes))

    def run_schema(self, work: Callable[[Connection], T]) -> T:
        """Run work that changes tables in one transaction.

        SQLite changes a table by making it anew, so what refers to it is checked at the end and not on the way.
        """
        with _told_apart(), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    result = work(connection)
                    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                    assert not broken, f"an upgrade left rows of {sorted({row[0] for row in broken})} without what they refer to"
                    return result
            finally:
                driver.execute("PRAGMA foreign_keys=ON")

    def run_whole(self, work: Callable[[Connection], T]) -> T:
        """Run work that reads everything as it is at one moment, however long it takes."""
        return self.run(work, writes=False)

    def close(self) -> None:
        """Close every connection and thread; what was begun is finished first, and folded into the file."""
        self._writer.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self._engine.dispose()
        if self._path is not None:
            fold_in(self._path)


@contextmanager
def _told_apart() -> Iterator[None]:
    """Tell what time may mend from all else: a store that is busy ends nobody's work."""
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("every connection to the database is in use; try again") from error
    except (DBAPIError, sqlite3.Error) as error:
        sentence = said(error.orig if isinstance(error, DBAPIError) else error)
        if sentence is None:
            raise
        raise StoreUnavailable(sentence) from error


def fold_in(path: Path) -> None:
    """Write a file's log of writes into the file, so that a copy of it is whole; where another process uses it, it does so later."""
    if not path.with_name(f"{path.name}-wal").exists():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(path, timeout=0)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _micros(text: str | None, zone: str | None, otherwise: str) -> int | None:
    if text is None or len(text) < DATE or text[0] not in "12":
        return None
    try:
        where = zone_named(zone or otherwise)
    except ValueError:  # what a client said is a zone, and is none
        where = zone_named(otherwise)
    moment = parse_moment(text, where)
    return None if moment is None else to_micros(moment)


def _keep_a_log(cursor: sqlite3.Cursor) -> None:
    """Turn a new file to a write-ahead log; where another process is about to, wait for it, which SQLite itself does not."""
    until = monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > until:
                raise
            Event().wait(LOOK_AGAIN_SECONDS)
        else:
            return
