"""what was put below steps that were in use.

On 24 November 2026 four steps came together, and were numbered anew while databases stood at them: broadcasts were
0003, then 0006 behind 0003, behind 0004 and at last behind 0005. A database that was made between bears a number
above steps that it never had. This step makes whatever is missing of 0003 to 0007 and leaves alone what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STEPS = ("0003_providers_and_what_they_tell", "0004_the_gate", "0005_live_content", "0006_broadcasts", "0007_notices_are_forgotten")
WERE_JSON = (("calls", "answer"), ("live_parts", "shows"))  # for half an hour; they are jsonb


class Lacking:
    """Does what alembic's `op` does, for what is not there."""

    def f(self, name: str) -> Any:
        """Return a name as it is to be."""
        return op.f(name)

    def create_table(self, name: str, *parts: Any) -> None:
        """Make a table, or its columns that are missing."""
        if not sa.inspect(op.get_bind()).has_table(name):
            op.create_table(name, *parts)
            return
        with self.batch_alter_table(name) as batch:
            for part in parts:
                if isinstance(part, sa.Column):
                    batch.add_column(part)

    @contextmanager
    def batch_alter_table(self, table: str, schema: str | None = None) -> Iterator[LackingOf]:
        """Give what changes a table, where the change is missing."""
        with op.batch_alter_table(table, schema=schema) as batch:
            yield LackingOf(table, batch)


class LackingOf:
    """Changes one table, where the change is missing."""

    def __init__(self, table: str, batch: Any) -> None:
        there = sa.inspect(op.get_bind())
        self._batch = batch
        self._columns = {one["name"] for one in there.get_columns(table)}
        self._indexes = {one["name"] for one in there.get_indexes(table)}

    def f(self, name: str) -> Any:
        """Return a name as it is to be."""
        return self._batch.f(name)

    def add_column(self, column: sa.Column[Any]) -> None:
        """Add a column that is missing."""
        if column.name not in self._columns:
            self._batch.add_column(column)

    def create_index(self, name: str, columns: list[str], **options: Any) -> None:
        """Add an index that is missing."""
        if name not in self._indexes:
            self._batch.create_index(name, columns, **options)


def upgrade() -> None:
    """Make what is missing of the steps that were numbered anew."""
    for name in STEPS:
        spec = spec_from_file_location(f"lacking_{name}", Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        step = module_from_spec(spec)
        spec.loader.exec_module(step)
        vars(step)["op"] = Lacking()
        step.upgrade()
    if op.get_bind().dialect.name == "postgresql":
        _turn_to_jsonb()


def _turn_to_jsonb() -> None:
    for table, column in WERE_JSON:
        there = {one["name"]: one for one in sa.inspect(op.get_bind()).get_columns(table)}
        if not isinstance(there[column]["type"], postgresql.JSONB):
            op.alter_column(table, column, type_=postgresql.JSONB(), postgresql_using=f"{column}::jsonb")


def downgrade() -> None:
    """Leave what was made: the steps below take it back."""
