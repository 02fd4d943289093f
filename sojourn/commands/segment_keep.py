"""`sojourn segment add`, `remove`, `upload` and `freeze`: who is on the lists."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir
from sojourn.commands.reading import DataDir, moment
from sojourn.commands.segment_shop import AT_ONCE, Mistake, Name, Segments, opened, person, progress
from sojourn.csv_reader import NotCsv, read_table
from sojourn.customers.inner import Tell
from sojourn.customers.segments import lists, live
from sojourn.customers.segments.lists import Listed
from sojourn.customers.segments.people import kinds, known_by
from sojourn.customers.segments.releases import A_MINUTE, spans
from sojourn.errors import NotFound
from sojourn.intake.emit import tell
from sojourn.language.durations import format_duration
from sojourn.language.loader import load_segment
from sojourn.language.problems import listed, unknown
from sojourn.store.bulk import chunks

EMPTY, UNKNOWN = "empty", "nobody is known by this"
PREFERRED = ("user_id", "email", "phone", "anonymous_id", "profile_id")  # which column is taken where none is named
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class _Changing(Protocol):
    def __call__(
        self, connection: Connection, segment: str, profile_ids: Iterable[str], now: datetime, tell: Tell, *, live: bool = False
    ) -> Listed: ...


Live = Annotated[bool, typer.Option("--live", help=f"Let journeys hear of it, {A_MINUTE} people a minute.")]
People = Annotated[list[str], typer.Argument(metavar="PERSON…", help="Profile ids, or any ids that the shop knows.", show_default=False)]


def add_command(name: Name, people: People, live: Live = False, journeys: JourneysDir = DEFAULT_JOURNEYS, data_dir: DataDir = None) -> None:
    """Put people on a list that is kept by hand (`list: manual` or `upload`).

    `sojourn segment add vip customer-17511 customer-12346`

    Each who comes onto it gets a `Segment Entered`; no journey begins on it unless `--live` says so. Whoever is on it already
    stays as they are. If one of them is not known, nothing is done.
    """
    with opened(journeys, data_dir) as shop:
        _changeable(shop, name)
        _tell(name, _changed(shop, name, _all_known(shop, people), lists.add, live=live), live=live)


def remove_command(
    name: Name, people: People, live: Live = False, journeys: JourneysDir = DEFAULT_JOURNEYS, data_dir: DataDir = None
) -> None:
    """Take people off a list that is kept by hand (`list: manual` or `upload`).

    `sojourn segment remove vip customer-17511`

    Each who goes gets a `Segment Exited`; no journey begins or ends on it unless `--live` says so. If one of them is not known,
    nothing is done.
    """
    with opened(journeys, data_dir) as shop:
        _changeable(shop, name)
        _tell(name, _changed(shop, name, _all_known(shop, people), lists.remove, live=live), live=live)


def upload_command(
    name: Name,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV file with a header.", show_default=False)],
    column: Annotated[str | None, typer.Option(help="The column that says who: user_id, email, …", show_default="the first known")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take everyone off the list who is not in the file.")] = False,
    live: Live = False,
    errors: Annotated[Path | None, typer.Option(help="Where lines that name nobody go.", show_default="FILE.errors.csv")] = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Put the people of a CSV file on a list (`list: upload` or `manual`).

    - `sojourn segment upload fair_visitors visitors.csv`
    - `sojourn segment upload fair_visitors visitors.csv --column email --replace`

    The column's name says which kind of id it holds. Lines that name nobody are left out; their numbers and the reason
    (never what stands there) go to a file. A second run changes nothing; a run that was interrupted can be run again.
    No journey begins or ends on it unless `--live` says so.
    """
    with opened(journeys, data_dir) as shop:
        _changeable(shop, name)
        found = _Upload(shop, name, _column(shop, file, column), live=live)
        with _bytes_read(file) as bar, file.open("rb") as raw:
            task = bar.add_task("uploading", total=file.stat().st_size)
            for some in _in_chunks(found.rows(raw)):
                found.put(some)
                bar.update(task, completed=raw.tell())
        if replace:
            found.take_off()
        _tell(name, found.result, live=live)
        where = errors or file.with_suffix(".errors.csv")
        if found.failed:
            _write_errors(where, sorted(found.failed))
            Console(stderr=True, soft_wrap=True).print(
                f"{len(found.failed):,} lines were left out; {where} says which and why", style="yellow", highlight=False, markup=False
            )
        elif errors is None and where.exists():
            where.unlink()  # of an earlier run


def freeze_command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The segment whose members are kept.", show_default=False)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The name of the snapshot.", show_default=False)],
    description: Annotated[str | None, typer.Option(help="Who they are, for people.", show_default=False)] = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Keep whoever is in a segment now as a list of its own, which no longer changes.

    `sojourn segment freeze high_value high_value_before_christmas`

    Writes `segments/NEW.yaml` into the folder of your journeys; check it in. Each member gets a `Segment Entered` of the
    snapshot. A segment that is still being built cannot be frozen: who is in it is not known yet.
    """
    with opened(journeys, data_dir) as shop:
        shop.get(source)
        if not _NAME.fullmatch(new):
            raise Mistake(f"`{new}` cannot be a segment's name: write small letters, digits and _, such as {source}_2026_03")
        path = journeys / "segments" / f"{new}.yaml"
        if new in shop.definitions.segments or path.exists():
            raise Mistake(f"there is a segment `{new}` already; a snapshot never overwrites one: give another name")
        state = shop.state(source, shop.builds())
        if state not in ("live", "kept"):
            raise Mistake(f"`{source}` is {state}: who is in it is not known yet; wait until `sojourn segment status` says live")
        text = description or f"Whoever was in {source} on {moment(shop.now)} UTC."
        yaml = f"segment: {new}\ndescription: {json.dumps(text, ensure_ascii=False)}\nlist: snapshot\nsource: {source}\n"
        load_segment(yaml, str(path))
        frozen = shop.database.read_now(live.members, source)
        leftover = set(shop.database.read_now(live.members, new)) - set(frozen)  # of a run that was broken off
        result = _changed(shop, new, sorted(leftover), lists.remove)
        result = _sum(result, _changed(shop, new, frozen, lists.add))
        path.parent.mkdir(exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(yaml)
        Console(soft_wrap=True, highlight=False).print(f"`{new}` keeps {len(frozen):,} people of `{source}`; written: {path}", markup=False)


# -- who ---------------------------------------------------------------------------------------


def _changeable(shop: Segments, name: str) -> None:
    segment = shop.get(name)
    if segment.list_ is None:
        raise Mistake(f"who is in `{name}` is told by its condition; for people of your choice write a segment with `list: manual`")
    if segment.list_ not in ("manual", "upload"):
        made = {"snapshot": "sojourn segment freeze", "cluster": "sojourn cluster"}[segment.list_]
        raise Mistake(f"`{name}` is a {segment.list_}, and stays as it was made; make a new one with {made}")


def _all_known(shop: Segments, people: Sequence[str]) -> list[str]:
    found = []
    for place, one in enumerate(people, 1):
        try:
            found.append(shop.database.read_now(person, one))
        except NotFound as error:
            raise Mistake(f"PERSON {place} of {len(people)}: {error}; nothing was changed") from None
    return found


def _changed(shop: Segments, name: str, people: Sequence[str], change: _Changing, *, live: bool = False) -> Listed:
    result = Listed()
    with progress(quiet=len(people) <= AT_ONCE) as bar:
        task = bar.add_task("writing", total=len(people))
        for some in chunks(people, AT_ONCE):
            result = _sum(result, shop.database.write_now(change, name, some, shop.now, tell, live=live))
            bar.update(task, advance=len(some))
    return result


def _sum(one: Listed, other: Listed) -> Listed:
    return Listed(one.added + other.added, one.removed + other.removed, one.unchanged + other.unchanged)


def _tell(name: str, result: Listed, *, live: bool = False) -> None:
    text = f"{name}: {result.added:,} added, {result.removed:,} removed, {result.unchanged:,} unchanged"
    moved = result.added + result.removed
    if live and moved:
        text += f"; journeys hear of these {moved:,} people within {format_duration(spans(moved))}, {A_MINUTE} a minute"
    Console(soft_wrap=True, highlight=False).print(text, markup=False)


# -- a file ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Row:
    line: int
    value: str


@dataclass
class _Upload:
    """Puts the people of a file on a list, some at a time."""

    shop: Segments
    name: str
    column: str
    result: Listed = field(default_factory=Listed)
    failed: list[tuple[int, str]] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    live: bool = False

    def rows(self, raw: BinaryIO) -> Iterator[_Row]:
        """Yield what the file says of whom; a line that is no row is told as one that could not be taken."""
        columns, records = read_table(raw)
        place = columns.index(self.column)
        for record in records:
            if record.cells is None:
                self.failed.append((record.line, record.reason))
            else:
                yield _Row(record.line, record.cells[place].strip())

    def put(self, some: Sequence[_Row]) -> None:
        """Put some of them on the list."""
        known = self.shop.database.read_now(known_by, self.column, sorted({row.value for row in some if row.value}))
        self.failed += [(row.line, UNKNOWN if row.value else EMPTY) for row in some if row.value not in known]
        new = set(known.values()) - self.wanted
        self.wanted |= new
        if new:
            self.result = _sum(self.result, self._add(new))

    def _add(self, new: set[str]) -> Listed:
        return self.shop.database.write_now(lists.add, self.name, sorted(new), self.shop.now, tell, live=self.live)

    def take_off(self) -> None:
        """Take off the list whoever the file does not name."""
        if not self.wanted:
            raise Mistake("the file names nobody who is known; the list was left as it is")
        left = sorted(set(self.shop.database.read_now(live.members, self.name)) - self.wanted)
        self.result = _sum(self.result, _changed(self.shop, self.name, left, lists.remove, live=self.live))


def _in_chunks(rows: Iterator[_Row]) -> Iterator[list[_Row]]:
    some: list[_Row] = []
    for row in rows:
        some.append(row)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def _column(shop: Segments, file: Path, column: str | None) -> str:
    """Return the column that says who; its name is the kind of identifier."""
    try:
        with file.open("rb") as raw:
            header = read_table(raw).columns
    except NotCsv as error:
        raise Mistake(f"{file}: {error}") from None
    there = shop.database.read_now(kinds)
    if column is None:
        usable = [name for name in (*PREFERRED, *there) if name in header and name in there]
        if not usable:
            raise Mistake(f"no column of {file} is a kind of id; there are {listed(header)}; name one of {listed(there)} in its header")
        return usable[0]
    if column not in header:
        raise Mistake(f"{file}: {unknown('column', column, header)}")
    if column not in there:
        raise Mistake(f"nobody is known by this kind of id: {unknown('kind of id', column, there)}")
    return column


def _bytes_read(file: Path) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True, disable=file.stat().st_size < 100_000)


def _write_errors(where: Path, failed: Sequence[tuple[int, str]]) -> None:
    with where.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["line", "reason"])
        writer.writerows(failed)


__all__ = ["add_command", "freeze_command", "remove_command", "upload_command"]
