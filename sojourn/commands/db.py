"""`sojourn db`: the tables, and how they come from one version of Sojourn to the next."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from sqlalchemy import Connection

from sojourn.commands import db_backup
from sojourn.commands.reading import DataDir, reading
from sojourn.errors import SettingsError
from sojourn.store import migrations
from sojourn.store.database import Database

HELP = """The store: upgrade its tables, look where they are, back it up and restore it.

`sojourn up`, and each of its parts, upgrades them by itself when it starts, so these commands are for those who
want to do it beforehand, or to look. The database is the one that SOJOURN_DATABASE_URL names, else the file in
the data folder. Before an upgrade of a database that matters: stop what runs, `sojourn db backup`, upgrade, start.
"""

db = typer.Typer(name="db", help=HELP, no_args_is_help=True, rich_markup_mode="markdown")


@db.command("upgrade")
def upgrade_command(data_dir: DataDir = None) -> None:
    """Bring the tables up to date. Nothing in them is lost; a second time does nothing."""
    with reading(data_dir) as database, Console(stderr=True).status("upgrading the tables …"):
        made = asyncio.run(database.upgrade())
    Console().print(f"upgraded: {', '.join(made)}" if made else f"nothing to do: the tables are at {migrations.head()}", highlight=False)


@db.command("current")
def current_command(data_dir: DataDir = None) -> None:
    """Say where the tables are, and where this version wants them."""
    with reading(data_dir) as database:
        at = database.read_now(migrations.current)
    head = migrations.head()
    where = "the tables are at " + at if at else "there are no tables yet"
    Console().print(f"{where}, the latest" if at == head else f"{where}; `sojourn db upgrade` brings them to {head}", highlight=False)


@db.command("check")
def check_command(data_dir: DataDir = None) -> None:
    """Compare the tables with those that this version needs; fails where something is missing, and says what to do."""
    with reading(data_dir) as database:
        at = database.read_now(migrations.current)
        if at != migrations.head():
            lacking = "\n".join(database.read_now(migrations.needed).words)
            raise SettingsError(f"the tables are not those of this version:\n{lacking or f'they are at {at}'}\nrun: sojourn db upgrade")
        database.read_now(migrations.is_ready)
        others = database.read_now(migrations.differences)
    Console().print("the tables are those of this version", highlight=False)
    for one in others:
        Console().print(f"beside them, and in nobody's way: {one}", highlight=False, markup=False, soft_wrap=True)


@db.command("revision")
def revision_command(message: Annotated[str, typer.Argument(help='What changed, such as "coupons of a profile".')]) -> None:
    """For who develops Sojourn: write the step that a change of `sojourn/store/tables/` needs. Read it before you keep it."""
    empty = Database("sqlite://")

    def write(connection: Connection) -> Path | None:
        migrations.upgrade(connection, migrations.head())  # and no further: what the code needs beyond is what is to be written
        return migrations.write_revision(connection, message)

    written = empty.write_now(write)
    empty.close_now()
    Console().print(f"wrote {written}" if written else "nothing has changed: no step is needed", highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add `db` to the console script."""
    db_backup.register(db)
    app.add_typer(db)
