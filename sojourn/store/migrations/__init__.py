"""The tables' history: how a database made by any earlier version becomes one of this version.

Each file of `versions/` is one step; its number is its name. To add one after a change in
`sojourn/store/tables/`, run `sojourn db revision "what changed"`, read what it wrote, and run the tests:
they hold the steps to lead to exactly the tables, on both stores, and back.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, MetaData, inspect, text
from sqlalchemy.exc import DBAPIError

from sojourn.errors import SettingsError
from sojourn.store import locks
from sojourn.store.migrations.needs import Lacks, lacks

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
FIRST = "0001"  # the tables before there were migrations
EMPTY = "base"
_FILE = re.compile(r"(\d{4})_\w+\.py")
_VERSIONS = "alembic_version"
_FIRST_TABLE = "inbound"
# On 24 November 2026 steps were put below others that were in use, and three in turn were called 0003 (see 0008).
_RENUMBERED, _OF_RENUMBERED, _BEFORE_MENDING = "0003", "notices", "0007"
_NOT_AS_NUMBERED = ("already exists", "does not exist", "no such table", "no such column", "duplicate column")
_RESTORE = "restore a backup that was made before (sojourn db restore)"
SHOWN = 8  # of what is lacking, in one sentence


def revisions() -> list[str]:
    """Return the numbers of all steps, in order."""
    return sorted(found[1] for path in (FOLDER / "versions").iterdir() if (found := _FILE.fullmatch(path.name)))


def head() -> str:
    """Return the number of the last step: where this version's tables are."""
    return revisions()[-1]


def current(connection: Connection) -> str | None:
    """Return where a database's tables are; None where there are none.

    Raises:
        SettingsError: they were made by a newer version, or do not say by which.
    """
    there = inspect(connection)
    if not there.has_table(_VERSIONS):
        return FIRST if there.has_table(_FIRST_TABLE) else None
    found = [str(one) for one in connection.execute(text(f"SELECT version_num FROM {_VERSIONS}")).scalars()]  # noqa: S608 - a constant
    if len(found) > 1 or (not found and there.has_table(_FIRST_TABLE)):
        at = f"at {' and at '.join(sorted(found))} at once" if found else "at no version"
        raise SettingsError(f"the database's tables say that they are {at}: they were changed by hand, or half; {_RESTORE}")
    if not found:
        return None
    if found[0] not in revisions():
        raise SettingsError(
            f"the database's tables are at {found[0]}, and this version of Sojourn knows them up to {head()}: "
            "a newer version has been here; install that one, or restore a backup"
        )
    return found[0]


def is_ready(connection: Connection) -> bool:
    """Say whether a database's tables are those that the code needs; False where an upgrade makes them so.

    Raises:
        SettingsError: no upgrade would: they bear this version's number, and something is missing.
    """
    if current(connection) != head():
        return False
    if found := needed(connection):
        raise _differing(found)
    return True


def needed(connection: Connection) -> Lacks:
    """Return what the tables lack of what the code needs."""
    from sojourn.store.tables import metadata

    return lacks(connection, metadata)


def upgrade(connection: Connection, to: str = "head") -> list[str]:
    """Bring a database's tables up to date, losing nothing, and return what was made: steps, and indexes that had gone.

    Several processes may ask at once: one does it, the others find it done.

    Raises:
        SettingsError: the tables are not what their number says, and no step mends that; nothing was changed.
    """
    locks.hold_schema(connection)
    before = current(connection)
    made: list[str] = []
    if before != head():
        _make_steps(connection, before, to)
        after = current(connection) or ""
        made = [one for one in revisions() if (before or "") < one <= after]
    if to == "head":
        found = needed(connection)
        for statement in found.index_statements:
            connection.execute(text(statement))
        made += [one.replace(" is missing", "") for one in found.indexes]
        if found and (still := needed(connection)):
            raise _differing(still)
    return made


def _make_steps(connection: Connection, before: str | None, to: str) -> None:
    from alembic import command  # a start that finds all up to date needs none of it

    settings = _settings(connection)
    there = inspect(connection)
    if before == FIRST and not there.has_table(_VERSIONS):
        command.stamp(settings, FIRST)
    elif before == _RENUMBERED and not there.has_table(_OF_RENUMBERED):
        command.stamp(settings, _BEFORE_MENDING)  # the step after it makes what is missing of all of them
    try:
        command.upgrade(settings, to)
    except DBAPIError as error:
        if not any(one in str(error.orig).lower() for one in _NOT_AS_NUMBERED):
            raise
        at = (
            "there are tables in it that Sojourn did not make, or lost count of"
            if before is None
            else f"its tables are not those of {before}"
        )
        said = str(error.orig).partition(":")[2].strip() or str(error.orig)
        raise SettingsError(
            f"the database cannot be brought to {head()}: {said if 'exist' in said else error.orig}; {at}. "
            f"Nothing was changed. {_RESTORE.capitalize()}, or give Sojourn a database of its own"
        ) from error


def _differing(found: Lacks) -> SettingsError:
    what = "; ".join(found.words[:SHOWN]) + (f"; and {len(found.words) - SHOWN} more" if len(found.words) > SHOWN else "")
    todo = _RESTORE if found.others else "run: sojourn db upgrade"
    return SettingsError(f"the tables bear the number {head()} and are not those that this version needs: {what}. To go on, {todo}")


def downgrade(connection: Connection, to: str) -> None:
    """Take the last steps back, down to one; what only newer tables hold is lost."""
    from alembic import command

    locks.hold_schema(connection)
    command.downgrade(_settings(connection), to)


def drop(connection: Connection) -> None:
    """Drop all tables of ours, of whatever version; those of others stay."""
    from sojourn.store.tables import metadata

    ours = {*metadata.tables, _VERSIONS} & set(inspect(connection).get_table_names())
    for name in sorted(ours):
        connection.execute(text(f'DROP TABLE "{name}" CASCADE'))


def revision_of(file: sqlite3.Connection) -> str:
    """Return where the tables of a SQLite file are that was opened by itself, such as a backup."""
    named = file.execute("SELECT count(*) FROM sqlite_master WHERE name = ?", (_VERSIONS,)).fetchone()[0]
    return str(file.execute(f"SELECT version_num FROM {_VERSIONS}").fetchone()[0]) if named else FIRST  # noqa: S608 - a constant


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
