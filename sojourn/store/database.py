"""The database: one door for reading, one for writing, the same on SQLite and PostgreSQL.

The domain's functions are plain functions of a SQLAlchemy `Connection`. `Database` runs each in one
transaction, away from the caller's event loop: one hop a transaction instead of one a statement is
what makes the difference on small machines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import URL, Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from sojourn.errors import SettingsError
from sojourn.store import migrations
from sojourn.store.last import with_last
from sojourn.store.postgres import Postgres
from sojourn.store.sqlite import Sqlite

P = ParamSpec("P")
T = TypeVar("T")

SQLITE, POSTGRESQL = "sqlite", "postgresql"
_DAMAGED = ("not a database", "malformed")  # what SQLite says of a file
_EXAMPLES = "write sqlite:///var/sojourn.db, or postgresql://user:password@host/name"


class Store(Protocol):
    """What a kind of database must do."""

    def run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Run work in one transaction, and wait for it in this thread."""
        ...

    async def run_async(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        """Run work in one transaction."""
        ...

    def run_schema(self, work: Callable[[Connection], T]) -> T:
        """Run work that changes tables in one transaction, however long it takes."""
        ...

    def run_whole(self, work: Callable[[Connection], T]) -> T:
        """Run work that reads everything as it is at one moment, however long it takes."""
        ...

    def close(self) -> None:
        """Finish what was begun, and close."""
        ...


def open_store(url: URL, *, durable: bool) -> Store:
    """Open what a URL names; nothing is connected to yet."""
    return Postgres(url, durable=durable) if url.get_backend_name() == POSTGRESQL else Sqlite(url, durable=durable)


class Database:
    """A store, opened by its URL; nothing is connected to before the first use.

    Args:
        url: `sqlite://` (in memory), `sqlite:///path.db` or `postgresql://user:password@host/name`.
        durable: whether a commit is on the disk before it returns. What was acknowledged to someone needs True.

    Raises:
        SettingsError: the URL is none of these.
    """

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.url = _read(url)
        self._store = open_store(self.url, durable=durable)

    @property
    def is_served(self) -> bool:
        """Whether a server of its own does the work, and not this process."""
        return self.url.get_backend_name() == POSTGRESQL

    @property
    def path(self) -> Path | None:
        """The file that it is; None where it is in memory, or a server."""
        return None if self.is_served or self.url.database in (None, "", ":memory:") else Path(str(self.url.database))

    # -- for code without an event loop (the command line, tests, virtual time) ------------------

    def write_now(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one writing transaction, and wait for it.

        On PostgreSQL it may be run again where another transaction stood in its way: it must touch nothing but
        its connection.

        Raises:
            StoreUnavailable: the database went away, or was too busy.
            SettingsError: it cannot be reached at all.
        """
        return self._store.run(_whole(function, *args, **kwargs), writes=True)

    def read_now(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one reading transaction, and wait for it; see `write_now`."""
        return self._store.run(lambda connection: function(connection, *args, **kwargs), writes=False)

    def run_schema(self, work: Callable[[Connection], T]) -> T:
        """Run what changes tables, or all rows, in one transaction, however long it takes, and wait for it."""
        return self._store.run_schema(work)

    def run_whole(self, work: Callable[[Connection], T]) -> T:
        """Run what reads everything as it is at one moment, however long it takes, and wait for it."""
        return self._store.run_whole(work)

    # -- for code with one ------------------------------------------------------------------------

    async def write(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one writing transaction; it is committed when this returns. See `write_now`."""
        return await self._store.run_async(_whole(function, *args, **kwargs), writes=True)

    async def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one reading transaction; see `write_now`."""
        return await self._store.run_async(lambda connection: function(connection, *args, **kwargs), writes=False)

    async def create(self) -> list[str]:
        """Make the tables, or bring those of an earlier version up to date; return the steps that were made.

        Several processes may do so at once.

        Raises:
            SettingsError: a newer version's tables are there, or such as the code cannot work with; or the database
                cannot be reached.
        """
        try:
            if await self.read(migrations.is_ready):
                return []
        except DatabaseError as error:
            if not any(one in str(error.orig) for one in _DAMAGED):
                raise
            what = f"{self.url.database} is no database, or a damaged one ({error.orig})"
            raise SettingsError(f"{what}; restore a backup, or name another file in SOJOURN_DATABASE_URL") from error
        return await self.upgrade()

    async def upgrade(self) -> list[str]:
        """Do as `create` does, and make indexes anew that have gone; return what was made."""
        return await asyncio.to_thread(self._store.run_schema, migrations.upgrade)

    async def close(self) -> None:
        """Close every connection and thread."""
        self.close_now()

    def close_now(self) -> None:
        """Close every connection and thread, and wait for it; a second time changes nothing."""
        self._store.close()


def _whole(function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Callable[[Connection], T]:
    """Return a function as a transaction of its own, with what it leaves to be done last."""
    return lambda connection: with_last(connection, lambda inner: function(inner, *args, **kwargs))


def _read(url: str) -> URL:
    try:
        read = make_url(url)
    except ArgumentError:
        raise SettingsError(f"the database URL is not a URL; {_EXAMPLES}") from None
    if read.get_backend_name() not in (SQLITE, POSTGRESQL):
        raise SettingsError(f"{read.get_backend_name()} is not supported; {_EXAMPLES}")
    return read
