"""What the commands on segments share: the segments as they are checked in, the store and the shop's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from sojourn.clock import SystemClock
from sojourn.commands.definitions import told
from sojourn.commands.reading import reading
from sojourn.console.queries import profile_id_of
from sojourn.customers.segments import SegmentBook
from sojourn.customers.segments.rebuild import BUILDING, Build, builds
from sojourn.errors import NotFound, Terminal
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load
from sojourn.language.model import Segment
from sojourn.language.problems import unknown
from sojourn.language.segments import conditions_of
from sojourn.settings import load_settings
from sojourn.store.database import Database
from sojourn.timekeeping import read_clock

Name = Annotated[str, typer.Argument(metavar="NAME", help="The segment's name.", show_default=False)]
Seconds = Annotated[float, typer.Option("--timeout", min=0.1, help="How many seconds one question to the database may take.")]
AT_ONCE = 5_000  # people changed in one transaction: others write between two


@dataclass(frozen=True)
class Segments:
    """The segments of a folder, and the store in which their members are."""

    definitions: Definitions
    book: SegmentBook
    database: Database
    now: datetime
    clock: SystemClock

    def get(self, name: str) -> Segment:
        """Return a segment's definition.

        Raises:
            NotFound: there is none; the message suggests the nearest name.
        """
        known = self.definitions.segments
        if name not in known:
            raise NotFound(unknown("segment", name, known))
        return known[name]

    def builds(self) -> dict[str, Build]:
        """Return how far each segment with a condition has been gone through."""
        return {build.segment: build for build in self.database.read_now(builds)}

    def state(self, name: str, found: dict[str, Build]) -> str:
        """Return in words how a segment stands: kept, live, how far its build is, or that it is not in force."""
        if name in self.book.lists:
            return "kept"
        build = found.get(name)
        if build is None or build.version != self.book.versions[name]:
            return "not in force yet" if build is None else "edited, not in force yet"
        if build.state == BUILDING:
            return f"building {build.done / build.total:.0%}" if build.total else "building"
        return build.state

    def unfinished(self) -> list[str]:
        """Return the segments whose members are not all known yet."""
        found = self.builds()
        return [name for name in self.book.judged if self.state(name, found) != "live"]


class Mistake(Terminal):
    """A command that cannot be done as it was given; the message says what to do."""


@contextmanager
def opened(journeys: Path, data_dir: Path | None) -> Iterator[Segments]:
    """Open what the commands on segments need; what is wrong ends the command with a sentence."""
    with told():
        definitions = load(journeys)
    with reading(data_dir) as database:
        clock = read_clock(load_settings(keys=False, data_dir=data_dir).data_dir)
        calendar = definitions.calendar
        book = SegmentBook(conditions_of(definitions.segments, calendar=calendar), calendar)
        yield Segments(definitions, book, database, clock.now(), clock)


def person(connection: Connection, reference: str) -> str:
    """Return the canonical profile of a person, by any id.

    Raises:
        NotFound: nobody is known by it.
    """
    return profile_id_of(connection, reference)


def progress(*, quiet: bool = False) -> Progress:
    """Return a progress bar on standard error, gone when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet)


__all__ = ["AT_ONCE", "Mistake", "Name", "Seconds", "Segments", "opened", "person", "progress"]
