"""Writing and reading many rows at once, alike on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar
from typing import cast as typed

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Select,
    String,
    Table,
    any_,
    bindparam,
    exists,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import ReturningInsert

T = TypeVar("T")
Many = Sequence[str] | str
CHUNK = 5_000  # values in one IN; both stores take about 32,000 parameters a statement


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that are new; one whose key is taken is left as it is."""
    if rows:
        connection.execute(_statement(connection.dialect.name, table), rows)


def insert_fast(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert the rows that are new, as `insert_new` does, past most of what SQLAlchemy and the server do for each."""
    _write_fast(connection, table, columns, rows, "DO NOTHING")


def upsert_fast(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows, as `upsert` does, past most of what SQLAlchemy and the server do for each; the columns are all of the table's."""
    keys = [column.name for column in table.primary_key]
    new = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    _write_fast(connection, table, columns, rows, f"({', '.join(keys)}) DO UPDATE SET {new}")


def _write_fast(connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], conflict: str) -> None:
    """Insert rows by tuples on SQLite, and on PostgreSQL in one statement that is given whole columns."""
    if not rows:
        return
    dialect = connection.dialect
    by_column = zip(columns, zip(*rows, strict=True), strict=True)
    written = [_written(table.c[name], dialect, values) for name, values in by_column]
    names = ", ".join(f'"{name}"' for name in columns)
    into = f"INSERT INTO {table.name} ({names})"
    if dialect.name == "sqlite":
        places = ", ".join("?" for _ in columns)
        connection.exec_driver_sql(f"{into} VALUES ({places}) ON CONFLICT {conflict}", list(zip(*written, strict=True)))
        return
    kinds = {f"c{place}": table.c[name].type.compile(dialect) for place, name in enumerate(columns)}
    given = ", ".join(f"CAST(:{place} AS {'TEXT' if kind == 'JSONB' else kind}[])" for place, kind in kinds.items())
    chosen = ", ".join(f"CAST({place} AS {kind})" for place, kind in kinds.items())
    statement = f"{into} SELECT {chosen} FROM unnest({given}) AS given ({', '.join(kinds)}) ON CONFLICT {conflict}"  # noqa: S608 - our own names
    connection.execute(text(statement), {place: list(values) for place, values in zip(kinds, written, strict=True)})


def _written(column: Column[Any], dialect: Dialect, values: Sequence[Any]) -> Sequence[Any]:
    """Return the values as the driver takes them; one object that stands in many rows is turned once."""
    write = _writer(column, dialect)
    if write is None:
        return values
    known = {id(value): value for value in values}
    made = {key: write(value) for key, value in known.items()}
    return [made[id(value)] for value in values]


@cache
def _writer(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return typed("Callable[[Any], Any] | None", column.type.dialect_impl(dialect).bind_processor(dialect))


def insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row and tell whether it is new; one whose key is taken is left as it is."""
    return connection.execute(_statement(connection.dialect.name, table), row).rowcount > 0


def insert_new_keys(connection: Connection, table: Table, key: Column[Any], rows: Sequence[dict[str, Any]]) -> set[Any]:
    """Insert rows and return the keys of those that are new; one whose key is taken is left as it is."""
    if not rows:
        return set()
    return set(connection.execute(_returning(connection.dialect.name, table, key), rows).scalars())


@cache
def _returning(dialect: str, table: Table, key: Column[Any]) -> ReturningInsert[Any]:
    return _statement(dialect, table).returning(key)


def insert_from(connection: Connection, table: Table, columns: Sequence[str], rows: Select[Any]) -> None:
    """Insert the rows of a query that are new; one whose key is taken is left as it is."""
    made: Any = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
    connection.execute(made.from_select(columns, rows).on_conflict_do_nothing())


@cache
def _statement(dialect: str, table: Table) -> Insert:
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows; one whose key is taken is overwritten."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, table), rows)


@cache
def _upsert(dialect: str, table: Table) -> Insert:
    made: Any = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    keys = [column.name for column in table.primary_key]
    return typed(
        Insert, made.on_conflict_do_update(index_elements=keys, set_={c.name: made.excluded[c.name] for c in table.c if c.name not in keys})
    )


def upsert_from(connection: Connection, table: Table, columns: Sequence[str], rows: Select[Any], *, only_if_less: str) -> None:
    """Insert the rows of a query; of one whose key is taken, a column is overwritten where the new value is less."""
    made: Any = (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
    keys, less = [column.name for column in table.primary_key], made.excluded[only_if_less]
    made = made.from_select(columns, rows)
    connection.execute(made.on_conflict_do_update(index_elements=keys, set_={only_if_less: less}, where=less < table.c[only_if_less]))


def among(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """Return that a column of texts is one of many, given as one parameter (see `many`): one statement whatever their number."""
    if dialect == "postgresql":
        return column == func.any(bindparam(name, type_=postgresql.ARRAY(String)))
    return column.in_(select(func.json_each(bindparam(name, type_=String)).table_valued("value").c.value))


def like_any(dialect: str, column: Column[Any], name: str) -> ColumnElement[bool]:
    """Return that a column of texts is like one of many patterns, given as one parameter (see `many`)."""
    if dialect == "postgresql":
        return column.like(any_(bindparam(name, type_=postgresql.ARRAY(String))))
    return exists().where(column.like(func.json_each(bindparam(name, type_=String)).table_valued("value").c.value))


def many(dialect: str, values: Iterable[str]) -> Many:
    """Return the values as the parameter that `among` asks for."""
    found = list(values)
    return found if dialect == "postgresql" else orjson.dumps(found).decode()


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Return the values in lists of a size that one statement takes."""
    known = list(values)
    return (known[i : i + size] for i in range(0, len(known), size))
