"""What the code needs of the tables, held against those that are there.

The number that a database bears says which steps were made; this says what is really there. It asks the store a
handful of questions and loads no alembic, so that each start can afford it. Tables, columns and indexes of
someone else's are no lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, MetaData, Table, UniqueConstraint, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import CreateIndex

# What stores call a type differently, though it keeps the same values.
_SAME_TYPES = {"DOUBLE PRECISION": "FLOAT", "DOUBLE_PRECISION": "FLOAT"}


@dataclass(frozen=True)
class Lacks:
    """What a database lacks of the tables that the code needs."""

    others: tuple[str, ...]  # tables, columns and keys, in words
    indexes: tuple[str, ...]  # in words
    index_statements: tuple[str, ...]  # that make these indexes: nothing is lost by making them anew

    def __bool__(self) -> bool:
        return bool(self.others or self.indexes)

    @property
    def words(self) -> list[str]:
        """Each lack, a line."""
        return [*self.others, *self.indexes]


def lacks(connection: Connection, metadata: MetaData) -> Lacks:
    """Return what a database lacks of the tables that the code needs."""
    there = inspect(connection)
    columns = _by_table(there.get_multi_columns())
    indexes = _by_table(there.get_multi_indexes())
    uniques = _by_table(there.get_multi_unique_constraints())
    keys = {name: key for (_, name), key in there.get_multi_pk_constraint().items()}
    others: list[str] = []
    missing_indexes: list[tuple[str, str]] = []
    for table in metadata.sorted_tables:
        if table.name not in columns:
            others.append(f"the table {table.name} is missing")
            continue
        found = {one["name"]: one for one in columns[table.name]}
        others += _columns(connection, table, found)
        if list(keys[table.name]["constrained_columns"]) != [column.name for column in table.primary_key.columns]:
            others.append(f"the key of the table {table.name} is not {', '.join(c.name for c in table.primary_key.columns)}")
        others += _uniques(table, [*uniques.get(table.name, ()), *indexes.get(table.name, ())])
        missing_indexes += _indexes(connection, table, indexes.get(table.name, ()), found)
    return Lacks(tuple(others), tuple(words for words, _ in missing_indexes), tuple(made for _, made in missing_indexes if made))


def _columns(connection: Connection, table: Table, found: Mapping[str, ReflectedColumn]) -> list[str]:
    said = []
    for column in table.columns:
        there = found.get(column.name)
        name = f"{table.name}.{column.name}"
        if there is None:
            said.append(f"the column {name} is missing")
        elif _type(connection, column.type) != _type(connection, there["type"]):
            said.append(f"the column {name} is {_type(connection, there['type'])} and must be {_type(connection, column.type)}")
        elif not there["nullable"] and column.nullable:
            said.append(f"the column {name} refuses to be empty and must not")
        elif column.server_default is not None and there.get("default") is None:
            said.append(f"the column {name} has lost its default")
    for unknown in found.keys() - {column.name for column in table.columns}:
        there = found[unknown]
        if not there["nullable"] and there.get("default") is None and not there.get("computed"):
            said.append(f"the column {table.name}.{unknown} is not known, and no row can be added without it")
    return said


def _uniques(table: Table, found: Iterable[Mapping[str, Any]]) -> list[str]:
    there = {frozenset(one["column_names"]) for one in found if one.get("unique", True)}
    needed = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    names = sorted(", ".join(c.name for c in one.columns) for one in needed if frozenset(c.name for c in one.columns) not in there)
    return [f"the table {table.name} does not hold {one} to be unique" for one in names]


def _indexes(
    connection: Connection, table: Table, found: Iterable[Mapping[str, Any]], columns: Mapping[str, ReflectedColumn]
) -> Iterable[tuple[str, str]]:
    """Give each index that is missing in words, and the statement that makes it where its columns are there."""
    there = {one["name"]: one for one in found}
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        same = there.get(str(index.name))
        if same is not None and bool(same["unique"]) == bool(index.unique) and _covers(same, index.expressions):
            continue
        can_be_made = same is None and not index.unique and all(column.name in columns for column in index.columns)
        made = str(CreateIndex(index).compile(connection)) if can_be_made else ""
        yield f"the index {index.name} of {table.name} is {'missing' if same is None else 'another one'}", made


def _covers(found: Mapping[str, Any], expressions: Iterable[Any]) -> bool:
    """Say whether an index covers these columns in this order; of an expression a store does not tell the column."""
    wanted = [one.name if isinstance(one, Column) else None for one in expressions]
    return len(found["column_names"]) == len(wanted) and all(
        one is None or two is None or one == two for one, two in zip(found["column_names"], wanted, strict=True)
    )


def _type(connection: Connection, kind: Any) -> str:
    written = str(kind.compile(dialect=connection.dialect)).upper().partition("(")[0].strip()
    return _SAME_TYPES.get(written, written)


def _by_table(found: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: about for (_, name), about in found.items()}
