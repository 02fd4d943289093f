"""What the commands that move data in bulk share: a database that may be new, and a bar with rate and remaining time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text
from sqlalchemy.exc import OperationalError

from sojourn.errors import SojournError
from sojourn.settings import load_settings
from sojourn.store.database import Database


@contextmanager
def writing(data_dir: Path | None = None) -> Iterator[Database]:
    """Open the database that the settings name, made where it is missing; a mistake ends the command with a sentence.

    A commit is not waited for on the disk: what a power failure takes back, the place in the file goes back with.
    """
    console = Console(stderr=True, soft_wrap=True)
    try:
        database = Database(load_settings(keys=False, data_dir=data_dir).database_url, durable=False)
        asyncio.run(database.create())
        yield database
    except SojournError as error:
        console.print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    except OperationalError:
        console.print("error: the database does not answer, or is not Sojourn's; see SOJOURN_DATABASE_URL", style="red")
        raise typer.Exit(1) from None


class RowsColumn(ProgressColumn):
    """Rows so far, and how many a second."""

    def render(self, task: Task) -> Text:
        """Return them."""
        rows, speed = int(task.fields.get("rows", 0)), 0.0
        if task.elapsed:
            speed = (rows - int(task.fields.get("before", 0))) / task.elapsed
        return Text(f"{rows:,} rows, {speed:,.0f}/s", style="progress.data.speed")


def bar(console: Console) -> Progress:
    """Return a bar whose task has the fields `rows` and `before`: rows so far, and those of an earlier run."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), RowsColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
