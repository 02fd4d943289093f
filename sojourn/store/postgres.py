"""PostgreSQL as a store, by asyncpg.

The domain's functions are plain ones, and asyncpg knows only event loops. So the store owns a loop in a
thread of its own and runs each function there, under SQLAlchemy's `run_sync`, in one transaction.
Any thread and any other loop may ask.
"""

from __future__ import annotations

import asyncio
import random
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import orjson
import structlog
from asyncpg.exceptions import InterfaceError as DriverMisused  # type: ignore[import-untyped]
from asyncpg.exceptions import PostgresError
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, NotSupportedError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from sojourn.errors import SettingsError, StoreUnavailable
from sojourn.store.types import dump_json

T = TypeVar("T")

POOL_SIZE = 10  # connections of a process at the most
POOL_WAIT_S = 30.0  # for one of them
CONNECT_LIMIT_S = 5.0
STATEMENT_LIMIT_MS = 120_000  # a segment's rebuild is the longest
LIMITS = {
    "statement_timeout": str(STATEMENT_LIMIT_MS),
    "lock_timeout": "10000",
    # Of an open transaction: a process that was stopped in its midst must not hold its locks for ever.
    "idle_in_transaction_session_timeout": "15000",
}
COMMAND_LIMIT_S = STATEMENT_LIMIT_MS / 1000 + 10  # the server gives up first, and says why
CONFLICT_PAUSES_S = (0.005, 0.02, 0.08, 0.3, 1.0)  # between attempts of a transaction that another one stood in the way of
CLOSE_LIMIT_S = 10.0
LOST = "the connection to the database was lost; try again"

_CONFLICTS = {"40001", "40P01"}  # serialization failure, deadlock: nothing was written, and the next attempt may go through
_TOO_SLOW = {"57014", "55P03", "25P03", "25P04"}  # a time limit of a statement, of a lock, of an idle or long transaction
_SHORT_OF = {  # what a server lacks just now
    "53000": "PostgreSQL is short of something; see its log",
    "53100": "the disk of PostgreSQL is full; free some space",
    "53200": "PostgreSQL is out of memory",
    "53300": "PostgreSQL takes no more connections; raise its max_connections, or run fewer processes",
    "53400": "PostgreSQL has reached a limit that it was configured with; see its log",
    "57P03": "PostgreSQL is starting, or shutting down",
}
_REFUSED = {
    "28P01": "the user or its password is wrong",
    "28000": "this user may not connect",
    "3D000": "there is no such database",
    "42501": "this user may not use it",
}
# What a URL may say after its `?`, and what asyncpg calls it.
_OPTIONS = {"host": "host", "port": "port", "ssl": "ssl", "sslmode": "ssl", "passfile": "passfile"}
_SERVER_OPTIONS = ("application_name", "search_path")


class _Lost(Exception):
    """The connection was lost before the commit was asked for: nothing was written."""


class Postgres:
    """Runs functions of a connection on PostgreSQL.

    Args:
        url: `postgresql://user:password@host:port/name`; `host` may be a socket's folder, as `?host=/path`.
        durable: whether a commit is on the disk before it returns (synchronous_commit).

    Raises:
        SettingsError: the URL names another driver, or an option that is not known.
    """

    def __init__(self, url: URL, *, durable: bool) -> None:
        self._arguments, self._server = _options(url)
        self._url, self._durable = url, durable
        self._where = f"{url.host or url.query.get('host') or 'localhost'}/{url.database or ''}"
        self._engine = self._open(POOL_SIZE, LIMITS, COMMAND_LIMIT_S)
        self._writing = self._engine.execution_options(isolation_level="READ COMMITTED")
        # A reading transaction sees one moment, as on SQLite.
        self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._met = False  # whether the server ever answered

    def _open(self, connections: int, limits: Mapping[str, str], command_limit: float | None) -> AsyncEngine:
        return create_async_engine(
            self._url.set(drivername="postgresql+asyncpg", query=self._arguments),
            json_serializer=dump_json,
            json_deserializer=orjson.loads,
            hide_parameters=True,  # an error's text ends up in logs, and parameters are personal data
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            connect_args={
                "timeout": CONNECT_LIMIT_S,
                "command_timeout": command_limit,
                "server_settings": {
                    "application_name": "sojourn",
                    "synchronous_commit": "on" if self._durable else "off",
                    "jit": "off",  # it costs more than any of our statements
                    **limits,
                    **self._server,
                },
            },
        )

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Run work in one transaction, and wait for it in this thread."""
        assert threading.current_thread() is not self._thread, "a transaction must not wait for another one"
        return asyncio.run_coroutine_threadsafe(self._transaction(work, writes), self._started()).result()

    async def run_async(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Run work in one transaction; one that was begun is brought to its end even where the caller is cancelled."""
        begun = asyncio.run_coroutine_threadsafe(self._transaction(work, writes), self._started())
        return await asyncio.shield(asyncio.wrap_future(begun))

    def run_schema(self, work: Callable[[Connection], T]) -> T:
        """Run work that changes tables in one transaction, however long it takes."""
        return self._run_long(work)

    def run_whole(self, work: Callable[[Connection], T]) -> T:
        """Run work that reads everything as it is at one moment, however long it takes."""
        return self._run_long(work, isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _run_long(self, work: Callable[[Connection], T], **options: Any) -> T:
        async def run() -> T:
            engine = self._open(1, {}, None)
            try:
                async with engine.execution_options(**options).begin() as connection:
                    return await connection.run_sync(work)
            finally:
                await engine.dispose()

        return asyncio.run_coroutine_threadsafe(run(), self._started()).result()

    def close(self) -> None:
        """Close every connection and the thread; what was begun is finished first."""
        with self._starting:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._finish(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _started(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if loop is None:
            with self._starting:
                if self._loop is None:
                    self._loop = asyncio.new_event_loop()
                    self._thread = threading.Thread(target=self._loop.run_forever, name="store", daemon=True)
                    self._thread.start()
                loop = self._loop
        return loop

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {task for task in (asyncio.current_task(),) if task is not None}
        if others:
            await asyncio.wait(others, timeout=CLOSE_LIMIT_S)
        await self._engine.dispose()

    # -- one transaction -------------------------------------------------------------------------

    async def _transaction(self, work: Callable[[Connection], T], writes: bool) -> T:
        lost = 0
        for pause in (*CONFLICT_PAUSES_S, None):
            try:
                return await self._attempt(work, writes)
            except _Lost as error:
                lost += 1
                if pause is None or lost > 1:  # after the first, the pool has forgotten all that the server closed meanwhile
                    raise StoreUnavailable(LOST) from error
                continue
            except DBAPIError as error:
                if pause is None or not _is_conflict(error):
                    raise _said(error) from error
                structlog.get_logger(__name__).info("a transaction is tried again: another one stood in its way", code=_code(error))
            except (OSError, PostgresError, DriverMisused) as error:  # past SQLAlchemy: its time limits, and COPY
                if not _of_driver(error):
                    raise
                raise _said(error) from error
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that two do not meet again
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(self, work: Callable[[Connection], T], writes: bool) -> T:
        connection = await self._connect(writes)
        try:
            async with connection.begin():
                try:
                    return await connection.run_sync(work)
                except DBAPIError as error:
                    if error.connection_invalidated:
                        raise _Lost from error
                    raise
        finally:
            await connection.close()

    async def _connect(self, writes: bool) -> AsyncConnection:
        try:
            connection = await (self._writing if writes else self._reading).connect()
        except PoolTimeout as error:
            raise StoreUnavailable("every connection to the database is in use; try again") from error
        except (OSError, TimeoutError, DBAPIError) as error:
            raise self._unreachable(error) from error
        self._met = True
        return connection

    def _unreachable(self, error: Exception) -> Exception:
        refused = _REFUSED.get(_code(error) or "")
        if refused is not None:
            return SettingsError(f"PostgreSQL at {self._where} says: {refused}; correct SOJOURN_DATABASE_URL")
        short_of = _SHORT_OF.get(_code(error) or "")
        if short_of is not None:
            return StoreUnavailable(f"{short_of}; trying again may help")
        if self._met:
            return StoreUnavailable("PostgreSQL does not answer; try again")
        return SettingsError(f"no PostgreSQL answers at {self._where}; start it, or correct SOJOURN_DATABASE_URL")


def _options(url: URL) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what asyncpg is to be told beside the address, and what the server is."""
    driver = url.drivername.partition("+")[2]
    if driver not in ("", "asyncpg"):
        raise SettingsError(f"the database URL names the driver {driver}; write postgresql://… without one")
    arguments: dict[str, Any] = {}
    server: dict[str, str] = {}
    for name, value in url.query.items():
        if name in _OPTIONS:
            arguments[_OPTIONS[name]] = value
        elif name in _SERVER_OPTIONS and isinstance(value, str):
            server[name] = value
        else:
            known = ", ".join((*_OPTIONS, *_SERVER_OPTIONS))
            raise SettingsError(f"the database URL has the option {name}, which is not known; there are {known}")
    return arguments, server


def _code(error: BaseException) -> str | None:
    """Return PostgreSQL's code of an error, such as 40P01."""
    code = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", None)
    return code if isinstance(code, str) else None


def _is_conflict(error: DBAPIError) -> bool:
    # The second: tables changed under a prepared statement, which SQLAlchemy has forgotten by now.
    return _code(error) in _CONFLICTS or (isinstance(error, NotSupportedError) and "cached statement plan" in str(error.orig))


def _of_driver(error: Exception) -> bool:
    """Tell whether an error was met in asyncpg; a file that the work itself misses is no lost connection."""
    return any(frame.f_globals.get("__name__", "").split(".")[0] == "asyncpg" for frame, _ in traceback.walk_tb(error.__traceback__))


def _said(error: Exception) -> Exception:
    """Return an error as callers are to see it: what time may mend is Transient."""
    code = _code(error) or ""
    if code in _TOO_SLOW or code in _CONFLICTS or isinstance(error, TimeoutError):
        return StoreUnavailable(f"the database was too busy to answer in time ({code or 'no answer'}); try again")
    if code in _SHORT_OF:
        return StoreUnavailable(f"{_SHORT_OF[code]}; trying again may help")
    invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    if invalidated or code.startswith(("08", "57P")) or isinstance(error, InterfaceError | DriverMisused | OSError):
        return StoreUnavailable(LOST)
    return error
