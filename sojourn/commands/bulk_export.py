"""`sojourn export profiles|events|segment`: people and events, out of the store into a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sojourn.bulk.exporting import Wanted, checked_where, export
from sojourn.bulk.files import Format
from sojourn.bulk.problems import UnreadableFile
from sojourn.bulk.writers import STDOUT
from sojourn.clock import monotonic
from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir
from sojourn.commands.opening import bar
from sojourn.commands.reading import DataDir, policy_of, reading, shop_clock
from sojourn.language.conditions import Condition, ConditionError, parse
from sojourn.language.conditions.calendar import reads_moments
from sojourn.language.loader import load

File = Annotated[
    Path, typer.Argument(metavar="FILE", help=".jsonl, .csv (both also .gz) or .parquet; - is standard output.", show_default=False)
]
Where = Annotated[
    str | None,
    typer.Option(help='Only people of whom a condition holds, such as \'profile.city == "Paris" and not did("Order Completed")\'.'),
]
Computed = Annotated[bool, typer.Option("--computed", help="Work out the computed traits of profile.yaml too, for each person.")]
Columns = Annotated[
    str | None, typer.Option(help="Only these, such as user_id,traits.city,consent.marketing.", show_default="all", metavar="NAME,…")
]
FormatOption = Annotated[Format | None, typer.Option("--format", help="Where the file's ending does not tell.", show_default=False)]


def profiles_command(
    file: File,
    where: Where = None,
    columns: Columns = None,
    computed: Computed = False,
    format_: FormatOption = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Export people.

    JSONL and Parquet hold everything that was said: an import of them makes equal profiles, with ids of every kind, the dates of traits
    and all consents. What follows from events (`observed.…`, `computed.…`) is shown, and left out by an import. CSV is for spreadsheets:
    one column a kind of id (`external.email`), a trait and a purpose of consent; a text that a spreadsheet would run as a formula bears
    an apostrophe, which an import takes off again.

    `sojourn export profiles paris.csv --where 'profile.city == "Paris"' --columns user_id,traits.email`
    """
    _export("profiles", file, where, columns, format_, journeys, data_dir, computed=computed)


def events_command(
    file: File,
    where: Where = None,
    columns: Columns = None,
    format_: FormatOption = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Export the history of people, person by person, in the order in which it happened.

    `--where` says of which people. An import of it changes nothing where the events are known, since they keep their ids.

    `sojourn export events history.parquet --where 'in_segment("high_value")'`
    """
    _export("events", file, where, columns, format_, journeys, data_dir)


def segment_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The segment.", show_default=False)],
    file: File,
    where: Where = None,
    columns: Columns = None,
    computed: Computed = False,
    format_: FormatOption = None,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Export the members of a segment, each with since when (`segment_since`).

    `sojourn export segment high_value members.csv`
    """
    _export("profiles", file, where, columns, format_, journeys, data_dir, name, computed)


def _export(
    what: str,
    file: Path,
    where: str | None,
    columns: str | None,
    format_: Format | None,
    journeys: Path,
    data_dir: Path | None,
    segment: str | None = None,
    computed: bool = False,
) -> None:
    console, began = Console(stderr=True, soft_wrap=True), monotonic()
    with reading(data_dir) as database, bar(console) as shown:
        condition = None if where is None else _condition(where)
        segments: dict[str, Condition] = {}
        if condition is not None and (condition.names.segments or (reads_moments(condition.tree) and journeys.is_dir())):
            definitions = load(journeys)
            condition = condition.by(definitions.calendar)
            members = {name: found.members for name, found in definitions.segments.items() if found.members}
            segments = {name: parse(text).by(definitions.calendar) for name, text in members.items()}
        chosen = [name.strip() for name in columns.split(",") if name.strip()] if columns else None
        worked_out = policy_of(journeys).profile.expressions if computed else None
        declared = load(journeys).segments.keys() if segment is not None and journeys.is_dir() else ()
        wanted = Wanted(what, file, format_, chosen, condition, segment, worked_out, declared)
        task = shown.add_task(f"export {segment or what}", total=None, rows=0)

        def advanced(count: int) -> None:
            shown.advance(task, count)
            shown.update(task, rows=shown.tasks[task].completed)

        written = export(database, wanted, shop_clock(data_dir).now(), segments, lambda total: shown.update(task, total=total), advanced)
    seconds = monotonic() - began
    where_to = "standard output" if file == STDOUT else str(file)
    rate = written / seconds if seconds else 0.0
    console.print(f"{written:,} rows to {where_to} in {seconds:.1f} s ({rate:,.0f}/s)", highlight=False, markup=False)


def _condition(text: str) -> Condition:
    try:
        return checked_where(parse(text))
    except ConditionError as error:
        raise UnreadableFile(f"--where: {error}") from None


def register(app: typer.Typer) -> None:
    """Add `export` to the console script."""
    group = typer.Typer(
        no_args_is_help=True, help="Export people, events and segments to JSONL, CSV or Parquet.", rich_markup_mode="markdown"
    )
    group.command("profiles")(profiles_command)
    group.command("events")(events_command)
    group.command("segment")(segment_command)
    app.add_typer(group, name="export")
