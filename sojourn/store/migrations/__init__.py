"""The tables' history: how a database made by any earlier version becomes one of this version.

Each file of `versions/` is one step; its number is its name. To add one after a change in
`sojourn/store/tables/`, run `sojourn db revision "what changed"`, read what it wrote, and run the tests:
they hold the steps to lead to exactly the tables, on both stores, and back.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, inspect, text

from sojourn.errors import SettingsError
from sojourn.store import locks

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
FIRST = "0001"  # the tables before there were migrations
EMPTY = "base"
_FILE = re.compile(r"(\d{4})_\w+\.py")
_VERSIONS = "alembic_version"
_FIRST_TABLE = "inbound"


def revisions() -> list[str]:
    """Return the numbers of all steps, in order."""
    return sorted(found[1] for path in (FOLDER / "versions").iterdir() if (found := _FILE.fullmatch(path.name)))


def head() -> str:
    """Return the number of the last step: where this version's tables are."""
    return revisions()[-1]


def current(connection: Connection) -> str | None:
    """Return where a database's tables are; None where there are none.

    Raises:
        SettingsError: they were made by a newer version.
    """
    there = inspect(connection)
    if not there.has_table(_VERSIONS):
        return FIRST if there.has_table(_FIRST_TABLE) else None
    found = connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalar()  # noqa: S608 - a constant
    if found is not None and found not in revisions():
        raise SettingsError(
            f"the database's tables are at {found}, and this version of Sojourn knows them up to {head()}: "
            "a newer version has been here; install that one, or restore a backup"
        )
    return None if found is None else str(found)


def upgrade(connection: Connection, to: str = "head") -> list[str]:
    """Bring a database's tables up to date, losing nothing, and return the steps that were made.

    Several processes may ask at once: one does it, the others find it done.
    """
    locks.hold_schema(connection)
    before = current(connection)
    if before == head():
        return []
    from alembic import command  # a start that finds all up to date needs none of it

    settings = _settings(connection)
    if before == FIRST and not inspect(connection).has_table(_VERSIONS):
        command.stamp(settings, FIRST)
    command.upgrade(settings, to)
    after = current(connection) or ""
    return [one for one in revisions() if (before or "") < one <= after]


def downgrade(connection: Connection, to: str) -> None:
    """Take the last steps back, down to one; what only newer tables hold is lost."""
    from alembic import command

    locks.hold_schema(connection)
    command.downgrade(_settings(connection), to)


def stamp(connection: Connection) -> None:
    """Say that the tables, made all at once, are up to date."""
    from alembic import command

    command.stamp(_settings(connection), "head")


def differences(connection: Connection) -> list[str]:
    """Return what a database's tables differ in from this version's; empty where they are the same."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from sojourn.store.tables import metadata

    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [_said(found) for found in compare_metadata(context, metadata)]


def write_revision(connection: Connection, message: str, metadata: MetaData | None = None) -> Path | None:
    """Write the step from a database that is up to date to the tables as they now stand in code.

    Args:
        connection: to such a database; an empty one that was upgraded will do.
        message: what changed.
        metadata: the tables; those of this version where left out.

    Returns:
        The new file; None where nothing has changed.
    """
    from alembic import command

    settings = _settings(connection)
    settings.attributes["metadata"] = metadata
    number = f"{int(revisions()[-1]) + 1 if revisions() else 1:04}"
    before = set(FOLDER.glob("versions/*.py"))
    command.revision(settings, message=message, autogenerate=True, rev_id=number)
    written = set(FOLDER.glob("versions/*.py")) - before
    return written.pop() if written else None


def _settings(connection: Connection) -> Config:
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each plug-in
    settings = Config()
    settings.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    settings.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


def _said(found: Any) -> str:
    """Return one difference in words; alembic nests changes of a column in a list."""
    if isinstance(found, list):
        return "; ".join(_said(one) for one in found)
    what, *about = found
    names = [str(getattr(one, "name", one)) for one in about if one is not None and not isinstance(one, dict)]
    return f"{what.replace('_', ' ')}: {' '.join(names)}"
