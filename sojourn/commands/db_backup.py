"""`sojourn db backup` and `sojourn db restore`: a whole copy of the store while it is in use, and a store made of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy import make_url

from sojourn.clock import real_now
from sojourn.commands.reading import DataDir, reading, shop_clock
from sojourn.embedded import locked
from sojourn.errors import SettingsError, SojournError
from sojourn.settings import load_settings
from sojourn.store import backup
from sojourn.store.backup import Moments
from sojourn.store.database import SQLITE, Database


def backup_command(
    to: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="The file to write, or a folder that is there.")], data_dir: DataDir = None
) -> None:
    """Write a whole, verified copy of the store into one file, also while Sojourn runs. No file is written over.

    It holds personal data, and is readable by its owner alone. The keys (`keys.json` in the data folder, or the settings
    that stand for it) are not in it: keep them too, or links in mails that are out stop working.
    """
    with reading(data_dir) as database:
        now = Moments(real_now(), shop_clock(data_dir).now())
        target = to / f"sojourn-{now.real:%Y%m%dT%H%M%SZ}.db" if to.is_dir() else to
        if not target.parent.is_dir():
            raise SettingsError(f"there is no folder {target.parent}; make it, or name another one")
        with _bar("copying") as progress:
            rows = backup.back_up(database, target, now, progress)
    Console().print(
        f"wrote {target}: {sum(rows.values()):,} rows of {len(rows)} tables, {target.stat().st_size / 1e6:,.1f} MB, verified",
        highlight=False,
        soft_wrap=True,
    )


def restore_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `sojourn db backup` wrote, of either store.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the data that are there; SQLite's file is kept aside.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make the store of a backup. Stop Sojourn first; nothing is changed where something runs, or other data are there.

    What was sent since the backup is in doubt then: it is `unknown` where it would be sent again, and goes out only on
    evidence that it did not. Read docs/backup.md first: it says what to do with Temporal.
    """
    settings = load_settings(keys=False, data_dir=data_dir)
    url = make_url(settings.database_url)
    try:
        with locked(settings.data_dir):
            if url.get_backend_name() == SQLITE:
                Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
            database = Database(settings.database_url)
            try:
                with _bar("restoring") as progress:
                    rows = backup.restore(database, source, Moments(real_now(), shop_clock(data_dir).now()), progress, replace=replace)
            finally:
                database.close_now()
    except SojournError as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    Console().print(
        f"restored {source}: {sum(rows.values()):,} rows of {len(rows)} tables, verified. At the next start entries are held against "
        "Temporal's workflows; `sojourn sends --unknown` lists what is in doubt",
        highlight=False,
        soft_wrap=True,
    )


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], object]]:
    """Give what is told how much is done, and shows it."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def register(group: typer.Typer) -> None:
    """Add both to `sojourn db`."""
    group.command("backup")(backup_command)
    group.command("restore")(restore_command)
