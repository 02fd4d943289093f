"""Many rows into one table as fast as the store takes them, past SQLAlchemy's types: JSON is text, moments are microseconds.

SQLite takes them by its driver's executemany, PostgreSQL by COPY. Both are part of the transaction at hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

from asyncpg.exceptions import IntegrityConstraintViolationError  # type: ignore[import-untyped]
from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

Values = tuple[Any, ...]

_MAY = "sojourn.may_vouch"
_GRANTED = text("SELECT has_parameter_privilege('session_replication_role', 'SET')")
_SUPERUSER = text("SELECT current_setting('is_superuser') = 'on'")
_VOUCHED = text("SET LOCAL session_replication_role = replica")
_LOOKED_UP = text("SET LOCAL session_replication_role = origin")


def load(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Values], *, ignore: bool = False) -> None:
    """Insert rows.

    Args:
        connection: of a writing transaction.
        table: where to.
        columns: what the values of each row are.
        rows: in the store's own values.
        ignore: whether a row whose key is taken is left as it is; else it is an IntegrityError.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_sqlite(table.name, tuple(columns), ignore), list(rows))
    elif ignore:
        _through_staging(connection, table, columns, rows)
    else:
        _copy(connection, table.name, columns, rows)


@contextmanager
def owners_known(connection: Connection) -> Iterator[None]:
    """Have PostgreSQL not look up whom rows refer to, where its user may ask for that: this transaction has just written them.

    The looking up is two fifths of what a person costs the server. Keys are checked as ever. Who may is a superuser, and from
    PostgreSQL 15 on whoever was granted to set `session_replication_role`.
    """
    if not _may_vouch(connection):
        yield
        return
    connection.execute(_VOUCHED)
    yield
    connection.execute(_LOOKED_UP)  # where something failed, the transaction's end does so


def _may_vouch(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        return False
    notes = connection.info
    if _MAY not in notes:
        grants = (connection.dialect.server_version_info or (0,)) >= (15,)
        notes[_MAY] = bool(connection.execute(_GRANTED if grants else _SUPERUSER).scalar())
    return bool(notes[_MAY])


@cache
def _sqlite(table: str, columns: tuple[str, ...], ignore: bool) -> str:
    verb = "INSERT OR IGNORE" if ignore else "INSERT"
    return f"{verb} INTO {table} ({', '.join(f'{_quoted(name)}' for name in columns)}) VALUES ({', '.join('?' for _ in columns)})"


def _quoted(name: str) -> str:
    return f'"{name}"'


def _through_staging(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Values]) -> None:
    staged = f"staged_{table.name}"
    names = ", ".join(map(_quoted, columns))
    made = f"CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DELETE ROWS AS SELECT {names} FROM {table.name} LIMIT 0"  # noqa: S608 (our own names)
    connection.execute(text(made))
    connection.execute(text(f"TRUNCATE {staged}"))
    _copy(connection, staged, columns, rows)
    connection.execute(text(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM {staged} ON CONFLICT DO NOTHING"))  # noqa: S608 (our own names)


def _copy(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Values]) -> None:
    """COPY rows into a table; asyncpg's own call, since SQLAlchemy has none."""
    connection.execute(text("SELECT 1"))  # the transaction begins with its first statement, and COPY must be in it
    driver = connection.connection.driver_connection
    assert driver is not None, "a connection in use has its driver's"
    try:
        await_only(driver.copy_records_to_table(table, records=rows, columns=list(columns)))
    except IntegrityConstraintViolationError as error:  # as every other statement tells it; its own text repeats the row
        raise IntegrityError(f"COPY {table}", None, type(error)("a key is taken")) from None
