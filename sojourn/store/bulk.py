"""Writing and reading many rows at once, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

T = TypeVar("T")
CHUNK = 5_000  # values in one IN; both stores take about 32,000 parameters a statement


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that are new; one whose key is taken is left as it is."""
    if rows:
        connection.execute(_statement(connection.dialect.name, table), rows)


def insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row and tell whether it is new; one whose key is taken is left as it is."""
    return connection.execute(_statement(connection.dialect.name, table), row).rowcount > 0


@cache
def _statement(dialect: str, table: Table) -> Insert:
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Return the values in lists of a size that one statement takes."""
    known = list(values)
    return (known[i : i + size] for i in range(0, len(known), size))
