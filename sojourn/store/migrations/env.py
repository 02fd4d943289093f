"""What alembic runs for each of its commands; the connection, with its transaction, is handed in."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext

from sojourn.store.tables import metadata
from sojourn.store.types import Json, Moment


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write a type of ours as what it is kept as: a step must not change with the code."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.BigInteger()"
    if kind == "type" and item is Json:
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return "sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')"
    return False


def _drop_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Write no step where nothing has changed."""
    if directives and directives[0].upgrade_ops.is_empty():
        directives[:] = []


def run() -> None:
    """Make the steps that were asked for."""
    given = context.config.attributes
    context.configure(
        connection=given["connection"],
        target_metadata=given.get("metadata") or metadata,
        render_as_batch=True,
        render_item=_render,
        compare_type=True,
        process_revision_directives=_drop_empty,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
