"""`sojourn audit`: what is wrong with the events themselves."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, moment, reading
from sojourn.errors import SettingsError
from sojourn.intake.audit.auditing import STEPS, Audit, audit
from sojourn.intake.audit.noted import Note, Period
from sojourn.language.durations import parse_duration
from sojourn.language.loader import load
from sojourn.settings import load_settings
from sojourn.timekeeping import read_clock


def audit_command(
    since: Annotated[str, typer.Option(help="How far back: a duration such as 28d, or a moment such as 2026-01-05.")] = "28d",
    until: Annotated[str | None, typer.Option(help="The end of the period, a moment.", show_default="now, by the shop's clock")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where something is found, for a nightly job.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Report what is wrong with the events: duplicates, gaps, drift, staleness, lateness, violations, quarantine.

    Duplicates have the content of another event of the same person within seconds. Gaps are hours without an event
    whose own rhythm, by hour of the week, expects some. Drift compares the two halves of the period on a sample: new and vanished
    properties, types, nulls, shares (PSI), numbers (KS). Zone is a day whose hours moved, or events that come whole hours late; future is
    what was dated ahead of its receipt. An order id that comes twice is a duplicate, whatever else differs.
    Stale is what is declared or asked for and does not come.
    Reads only, changes nothing, and shows no value of anybody's. Each line says what to do.
    """
    console = Console(stderr=True)
    result = Audit()
    with told(), reading(data_dir) as database:
        definitions = load(journeys)
        now = read_clock(load_settings(keys=False, data_dir=data_dir).data_dir).now()
        period = _period(since, until, now)
        columns = TextColumn("audit: {task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=STEPS)
            for step in audit(database, definitions, period, result):
                bar.update(task, description=step, advance=1)
    if as_json:
        head = {"since": period.since.isoformat(), "until": period.until.isoformat(), "events": result.events}
        typer.echo(json.dumps({**head, "found": [asdict(note) for note in result.notes]}, indent=2, ensure_ascii=False))
    else:
        _show(result, period)
    if strict and result.notes:
        raise typer.Exit(1)


def _period(since: str, until: str | None, now: datetime) -> Period:
    end = _moment(until, "--until") if until is not None else now
    try:
        begin = end - parse_duration(since)
    except ValueError:
        begin = _moment(since, "--since", "a duration such as 28d, or ")
    if begin >= end:
        raise SettingsError("--since must lie before the end of the period")
    return Period(begin, end)


def _moment(text: str, option: str, otherwise: str = "") -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{option} is {otherwise}a moment such as 2026-01-05 or 2026-01-05T09:00:00Z, not {text!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _show(result: Audit, period: Period) -> None:
    console = Console()
    if result.notes:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("what", "event", "found", "what to do"):
            table.add_column(name, overflow="fold")
        for note in result.notes:
            table.add_row(note.kind, escape(note.event or "—"), escape(_found(note)), escape(note.advice), style=_STYLE.get(note.kind))
        console.print(table)
    span = f"{result.events} events from {moment(period.since)} to {moment(period.until)} UTC"
    if not result.events:
        newest = f"the newest is of {moment(result.newest)}: --until moves the period" if result.newest else "the log is empty"
        console.print(f"{span}; {newest}", style="yellow", highlight=False)
        return
    found = len(result.notes)
    verdict = f"{found} finding{'' if found == 1 else 's'}" if found else "nothing found"
    console.print(f"{span}: {verdict}", style="yellow" if found else "green", highlight=False)


_STYLE = {"gap": "red", "quarantine": "red", "undeclared": "dim"}


def _found(note: Note) -> str:
    times = f"{note.count} times " if note.kind in ("violation", "quarantine") and note.count is not None else ""
    return times + (f"{note.path}: " if note.path else "") + note.what


def register(app: typer.Typer) -> None:
    """Add `audit` to the console script."""
    app.command("audit")(audit_command)
