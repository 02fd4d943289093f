"""`sojourn import profiles|events|status`: files of people and events, into the store."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.bulk.columns import moment as parse_moment
from sojourn.bulk.files import Format
from sojourn.bulk.importing import LIVE_A_SECOND, Import, Told, listed
from sojourn.bulk.mapping import Kind
from sojourn.bulk.ordering import Order
from sojourn.bulk.policy import Policy
from sojourn.bulk.problems import UnreadableFile
from sojourn.clock import SystemClock, monotonic
from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir
from sojourn.commands.opening import bar, writing
from sojourn.commands.reading import DataDir, moment, policy_of, reading, shop_clock
from sojourn.customers.segments.releases import A_MINUTE, spans
from sojourn.errors import Terminal
from sojourn.language.durations import format_duration
from sojourn.language.loader import load
from sojourn.store.database import Database

SHOWN_PROBLEMS = 20
SHOWN_COLUMNS = 60

File = Annotated[Path, typer.Argument(metavar="FILE", help=".csv, .jsonl (both also .gz) or .parquet.", show_default=False)]
Mapped = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="COLUMN=TARGET", help="Where a column goes, such as first=first_name; - leaves it out. May be repeated."),
]
Typed = Annotated[
    list[str] | None,
    typer.Option(
        "--type", metavar="COLUMN=TYPE", help="auto, text, number, boolean or json; auto takes 12.5 for a number and 007 for text."
    ),
]
FormatOption = Annotated[Format | None, typer.Option("--format", help="Where the file's ending does not tell.", show_default=False)]
Delimiter = Annotated[str | None, typer.Option(help="What parts the cells of a CSV.", show_default="the one that the header shows")]
AsOf = Annotated[str | None, typer.Option(help="When rows without a time of their own were said, in ISO 8601.", show_default="now")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read all of it and say what would happen; write nothing.")]
Errors = Annotated[Path | None, typer.Option(help="Where rows that cannot be taken are told.", show_default="FILE.errors.csv")]
ErrorRows = Annotated[bool, typer.Option("--error-rows", help="Repeat those rows there; they may hold personal data.")]


def profiles_command(
    file: File,
    mapped: Mapped = None,
    typed: Typed = None,
    format_: FormatOption = None,
    delimiter: Delimiter = None,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    live: Annotated[bool, typer.Option("--live", help=f"Let journeys hear of what changes, {A_MINUTE} people a minute.")] = False,
    errors: Errors = None,
    error_rows: ErrorRows = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Import people.

    Each row is what an identify would have said at the row's time: `user_id`, `anonymous_id`, `time`, `zone`, `locale`, `first_seen`,
    `last_seen`, `consent.PURPOSE`, ids of a CRM as `external.KIND`; every other column is a trait, dots go inside (`address.city`). The
    traits `email` and `phone` are identifiers too, and enough where a row has no other. What profile.yaml declares holds. No journey
    begins or ends on the segments that they come into by it, unless `--live` says so; with `--dry-run` it says for how many people.

    Importing a file twice changes nothing;
    one that was interrupted goes on where it was. Bad rows are told in FILE.errors.csv with line and reason, the others go on.

    `sojourn import profiles customers.csv --map customer=user_id --map crm=external.stripe_id --dry-run`
    """
    order = Order(file, Kind.profiles, errors=errors, error_rows=error_rows, format=format_, delimiter=delimiter, live=live)
    _import(order, mapped, typed, as_of, dry_run, journeys, data_dir)


def events_command(
    file: File,
    mapped: Mapped = None,
    typed: Typed = None,
    format_: FormatOption = None,
    delimiter: Delimiter = None,
    as_of: AsOf = None,
    dry_run: DryRun = False,
    live: Annotated[
        bool, typer.Option("--live", help="Put them into the log as new: journeys start and hear of them. It first says for how many.")
    ] = False,
    errors: Errors = None,
    error_rows: ErrorRows = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Import events.

    Each row is what a track would have said: `user_id`, `anonymous_id` or `external.KIND` (such as `external.email`), `event`, `time`,
    `message_id`; every other column is a property. journeys/events is asked as at intake: what it sets aside is told in the errors file.
    They become part of people's history, which conditions and segments ask. No journey begins or ends on them, nor on the segments
    that change by them, unless `--live` says so: then they come in as new, at most 200 a second. Time that passes later counts. Rows
    without `message_id` get one from the file's content and their position, so importing a file twice changes nothing.

    `sojourn import events orders.parquet --map order_date=time --map action=event`
    """
    order = Order(file, Kind.events, errors=errors, error_rows=error_rows, format=format_, delimiter=delimiter, live=live)
    _import(order, mapped, typed, as_of, dry_run, journeys, data_dir)


def status_command(data_dir: DataDir = None) -> None:
    """Show the latest imports, and how far each has come."""
    with reading(data_dir) as database:
        rows = database.read_now(listed)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("file", "kind", "rows", "taken", "refused", "begun (UTC)", "state"):
        table.add_column(name, justify="right" if name in ("rows", "taken", "refused") else "left")
    for row in rows:
        state = f"done {moment(row.finished_at)}" if row.finished_at is not None else f"at line {row.line:,}; the same command goes on"
        counts = (f"{row.position:,}", f"{row.done:,}", f"{row.errors:,}")
        table.add_row(escape(row.file), row.kind, *counts, moment(row.started_at), state)
    if rows:
        Console().print(table)
    else:
        Console().print("nothing was imported yet; begin with: sojourn import profiles FILE", highlight=False)


def _import(
    order: Order,
    mapped: Sequence[str] | None,
    typed: Sequence[str] | None,
    as_of: str | None,
    dry_run: bool,
    journeys: Path,
    data_dir: Path | None,
) -> None:
    console = Console(stderr=True, soft_wrap=True)
    began = monotonic()
    with writing(data_dir) as database:
        clock = shop_clock(data_dir)
        at = None if as_of is None else _as_of(as_of, clock)
        given = {"mapped": _pairs("--map", mapped), "types": _pairs("--type", typed), "as_of": at}
        order = Order(**{**vars(order), **given})
        try:
            told = _run(database, order, clock, journeys, dry_run, console)
        except KeyboardInterrupt:
            console.print("Stopped. What was read is kept; the same command goes on from there.", highlight=False)
            raise typer.Exit(130) from None
    console.print(_sentence(order, told, monotonic() - began, dry_run), highlight=False)
    if told.refused:
        what = ", ".join(f"{name} {count:,} (first in line {told.refused_first[name]:,})" for name, count in told.refused.most_common())
        shown = "" if dry_run else "; `sojourn profile ID` says of each person which and why"
        text = f"{told.refused.total():,} values {'would not be' if dry_run else 'were not'} taken: {what}{shown}"
        console.print(text, style="yellow", highlight=False, markup=False)
    if order.kind is Kind.profiles and told.new and not told.consenting:
        _say_nobody_consents(console, policy_of(journeys))
    if order.live and order.kind is Kind.profiles:
        _say_live(console, told, dry_run)
    elif order.live and dry_run:
        _say_lived(console, told, journeys, dry_run)
    if told.errors and not dry_run:
        console.print(f"{told.errors:,} rows were refused; see {order.errors_path}", style="yellow", highlight=False, markup=False)


def _run(database: Database, order: Order, clock: SystemClock, journeys: Path, dry_run: bool, console: Console) -> Told:
    with bar(console) as shown:
        size = order.path.stat().st_size if order.path.exists() else None
        reading_ = shown.add_task("reading", total=size, rows=0)
        task = shown.add_task(f"import {order.kind}", total=size, rows=0, visible=False)

        def advanced(told: Told) -> None:
            shown.update(task, completed=told.read, rows=told.rows, before=told.resumed, visible=True)

        work = Import(database, order, clock.now, advanced, lambda count: shown.advance(reading_, count), policy_of(journeys))
        shown.update(reading_, visible=False)
        shown.reset(task, total=size, visible=True)
        if not dry_run:
            if work.into_log:
                _say_lived(console, work.rehearse(), journeys, dry_run)
            return work.run()
        problems: list[tuple[int, str]] = []
        told = work.rehearse(lambda row, reason: problems.append((row.line, reason)) if len(problems) < SHOWN_PROBLEMS else None)
    layout = work.layout()
    if layout is not None:
        table = Table("column", "goes to", box=None, pad_edge=False, header_style="dim")
        for column, target in list(layout.targets.items())[:SHOWN_COLUMNS]:
            table.add_row(escape(column), escape(str(target)))
        console.print(table)
    for line, reason in problems:
        console.print(f"{order.path}:{line}: {reason}", highlight=False, markup=False)
    return told


def _sentence(order: Order, told: Told, seconds: float, dry_run: bool) -> str:
    what = "people" if order.kind is Kind.profiles else "events"
    if dry_run:
        return (
            f"would import {told.rows:,} rows: {told.new:,} new {what}, {told.known:,} known, {told.errors:,} refused; nothing was written"
        )
    settled = told.rows - told.resumed
    if not settled:
        return f"{order.path.name} was imported before; nothing is left to do"
    rate = settled / seconds if seconds else 0.0
    more = f" (from row {told.resumed + 1:,}, where it was interrupted)" if told.resumed else ""
    return f"{settled:,} rows in {seconds:.1f} s ({rate:,.0f}/s){more}: {told.new:,} new {what}, {told.known:,} known"


def _say_nobody_consents(console: Console, policy: Policy) -> None:
    """Say that nobody is written to, where no row said a consent and the shop asks for one."""
    needed = [purpose for purpose in policy.shop.consent if policy.shop.needs_consent(purpose)] if policy.shop is not None else []
    if needed:
        text = (
            f"no row says a consent to {' or '.join(needed)}: until they say yes they are sent nothing of it. "
            f"Where they did, map its column: --map COLUMN=consent.{needed[0]}"
        )
        console.print(text, style="yellow", highlight=False, markup=False)


def _say_live(console: Console, told: Told, dry_run: bool) -> None:
    people = told.new + told.known
    would = "would hear" if dry_run else "hear"
    text = f"journeys {would} of each segment that these {people:,} people come into or leave, {A_MINUTE} changes a minute"
    console.print(f"{text}: {format_duration(spans(people))} for one change each", highlight=False)


def _say_lived(console: Console, told: Told, journeys: Path, dry_run: bool) -> None:
    """Say how many events come in as new and how long that takes, and for how many people journeys may begin on them."""
    lived = told.lived
    if not lived.total:
        return
    would = "would come" if dry_run else "come"
    lasts = format_duration(timedelta(seconds=math.ceil(lived.total / LIVE_A_SECOND)))
    console.print(f"{lived.total:,} events {would} in as new, {LIVE_A_SECOND} a second: {lasts}", highlight=False)
    begins = lived.begins(load(journeys).journeys) if journeys.is_dir() else []
    for name, on, people in begins:
        text = f"{name} begins on {on}: for {people:,} people at most, as its condition, their consent and `again_after` allow"
        console.print(text, highlight=False, markup=False)
    none = "" if begins else "no journey begins on them by its trigger; "
    console.print(
        f"{none}journeys that are under way hear of them, and all of the segments that people come into or leave", highlight=False
    )


def _pairs(flag: str, given: Sequence[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given or ():
        column, equals, target = text.rpartition("=")
        if not equals or not column or not target:
            raise UnreadableFile(f"{flag} {text}: write COLUMN=TARGET, such as {flag} first=first_name")
        if column in found:
            raise UnreadableFile(f"{flag} {column} is given twice")
        found[column] = target
    return found


def _as_of(text: str, clock: SystemClock) -> datetime:
    try:
        return min(parse_moment(text, "--as-of"), clock.now())
    except Terminal as error:
        raise UnreadableFile(str(error)) from None


def register(app: typer.Typer) -> None:
    """Add `import` to the console script."""
    group = typer.Typer(
        no_args_is_help=True, help="Import people and events from CSV, JSONL or Parquet, resumable.", rich_markup_mode="markdown"
    )
    group.command("profiles")(profiles_command)
    group.command("events")(events_command)
    group.command("status")(status_command)
    app.add_typer(group, name="import")
