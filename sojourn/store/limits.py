"""A time limit for one question to the database, the same on every store: for what a person asks, and not the program."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from sojourn.clock import monotonic
from sojourn.errors import Transient

P = ParamSpec("P")
T = TypeVar("T")
STEPS = 50_000  # of SQLite's machine between two looks at the clock: some milliseconds
_CANCELLED = ("interrupted", "statement timeout")


class TookTooLong(Transient):
    """A question to the database was given up."""


def limited(
    connection: Connection, seconds: float, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a function of a connection, each statement of which may take so long.

    Raises:
        TookTooLong: one took longer; what the function wrote is rolled back with its transaction.
    """
    raw = _sqlite(connection)
    deadline = monotonic() + seconds
    if raw is not None:
        raw.set_progress_handler(lambda: monotonic() > deadline, STEPS)
    else:
        connection.execute(text(f"SET LOCAL statement_timeout = {max(round(seconds * 1000), 1)}"))
    try:
        return function(connection, *args, **kwargs)
    except DBAPIError as error:
        if any(word in str(error.orig) for word in _CANCELLED):
            raise TookTooLong(f"the database was asked for longer than {seconds:g} seconds and was stopped") from None
        raise
    finally:
        if raw is not None:
            raw.set_progress_handler(None, 0)


def _sqlite(connection: Connection) -> Any:
    raw = connection.connection.driver_connection
    return raw if isinstance(raw, sqlite3.Connection) else None
