"""`sojourn broadcast`: one content to many people, once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Connection

from sojourn.broadcasts import standing
from sojourn.broadcasts.standing import FINISHED, Standing, State
from sojourn.commands.definitions import DEFAULT_JOURNEYS, JourneysDir, told
from sojourn.commands.reading import DataDir, reading, shop_clock
from sojourn.customers.segments.preview import people, sweep_page
from sojourn.errors import NotFound, Terminal
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.conditions import parse
from sojourn.language.conditions.expression import expand_condition
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load
from sojourn.language.moments import zone_named
from sojourn.language.problems import unknown
from sojourn.language.segments import conditions_of
from sojourn.store.database import Database

HELP = """One content to many people, once, at a moment: schedule, watch, pause, resume, stop.

A broadcast is a file in `journeys/broadcasts/`. It goes through the same gate and ledger as a journey's messages:
consent, suppression, caps and quiet hours hold, and nobody gets it twice.
"""
LOOK_SECONDS = 0.5


class Mistake(Terminal):
    """A command that cannot be done as it was given; the message says what to do."""


Name = Annotated[str, typer.Argument(metavar="NAME", help="The broadcast's name.", show_default=False)]
Because = Annotated[str, typer.Option("--because", help="Why, for whoever looks later.")]

broadcast = typer.Typer(name="broadcast", help=HELP, no_args_is_help=True, rich_markup_mode="markdown")


@broadcast.command("schedule")
def schedule_command(
    name: Name,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="MOMENT", help="Another moment than the file's: `2026-12-03 09:00`, `today 18:00`, `tomorrow 09:00`."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    journeys: JourneysDir = DEFAULT_JOURNEYS,
    data_dir: DataDir = None,
) -> None:
    """Have a broadcast sent at its moment. First it says to how many it would go now, and asks.

    - `sojourn broadcast schedule autumn_evening`
    - `sojourn broadcast schedule autumn_evening --at 'tomorrow 09:00'` — the same once more, or where the file's moment has passed
    """
    with told():
        definitions = load(journeys)
        chosen = _chosen(definitions, name)
    console, clock = Console(soft_wrap=True, highlight=False), shop_clock(data_dir)
    with reading(data_dir) as database:
        zone = zone_named(definitions.shop.zone)
        if at is not None:
            chosen = _moved(chosen, at, clock.now().astimezone(zone).date())
        database.read_now(standing.check_open, chosen, zone, clock.now())
        count, total = _count(database, definitions, chosen, clock.now())
        whose = "in each person's own zone" if chosen.zone == "person" else f"in {definitions.shop.zone}"
        console.print(f"`{name}` sends `{chosen.content}` at {chosen.at} {whose}, as of now to {count:,} of {total:,} people.")
        if standing.moments(chosen, zone)[0] <= clock.now():
            console.print("That moment has come: it begins at once.")
        if not yes:
            typer.confirm("Schedule it?", abort=True)
        database.write_now(standing.schedule, chosen, zone, clock.now())
    console.print(f"scheduled; see: sojourn broadcast show {name} --watch")


@broadcast.command("show")
def show_command(
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and show progress until it has ended.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Show how far a broadcast is, and what came of its messages."""
    console = Console(soft_wrap=True, highlight=False)
    with reading(data_dir) as database:
        id_ = database.read_now(standing.latest, name)
        if watch:
            _watch(database, id_)
        _print(console, database.read_now(standing.look, id_))


@broadcast.command("list")
def list_command(data_dir: DataDir = None) -> None:
    """List the latest broadcasts."""
    console = Console(soft_wrap=True, highlight=False)
    with reading(data_dir) as database:
        found = database.read_now(standing.listed)
    if not found:
        console.print("no broadcast was scheduled yet; begin with: sojourn broadcast schedule NAME")
        return
    table = Table("broadcast", "state", "begins", "recipients", "accepted", "waiting", box=None, pad_edge=False, header_style="dim")
    for one in found:
        begins = f"{one.begins_at:%Y-%m-%d %H:%M} UTC"
        table.add_row(one.name, one.state, begins, f"{one.recipients:,}", f"{one.counts.get('accepted', 0):,}", f"{_waiting(one):,}")
    console.print(table)


@broadcast.command("pause")
def pause_command(name: Name, because: Because = "by hand", data_dir: DataDir = None) -> None:
    """Send nothing more until it is resumed; heeded within two seconds."""
    _move(name, data_dir, lambda connection, id_: standing.pause(connection, id_, because), "paused")


@broadcast.command("resume")
def resume_command(name: Name, data_dir: DataDir = None) -> None:
    """Go on where it was paused."""
    _move(name, data_dir, standing.resume, "resumed")


@broadcast.command("stop")
def stop_command(name: Name, because: Because = "by hand", data_dir: DataDir = None) -> None:
    """End it for good: whoever still waits gets nothing."""
    _move(name, data_dir, lambda connection, id_: standing.stop(connection, id_, because), "stopped")


def _chosen(definitions: Definitions, name: str) -> Broadcast:
    if name not in definitions.broadcasts:
        raise NotFound(unknown("broadcast", name, definitions.broadcasts))
    return definitions.broadcasts[name]


def _moved(chosen: Broadcast, at: str, today: date) -> Broadcast:
    """Return a broadcast with another moment; `today` and `tomorrow` are the shop's."""
    day, _, hour = at.strip().partition(" ")
    days = {"today": today, "tomorrow": today + timedelta(days=1)}
    moment = f"{days[day]} {hour}" if day in days else at.strip()
    try:
        return Broadcast.model_validate({**chosen.model_dump(by_alias=True), "at": moment})
    except ValidationError:
        raise Mistake(f"--at {at!r} is no moment; write it like '2026-12-03 09:00' or 'tomorrow 09:00'") from None


def _count(database: Database, definitions: Definitions, chosen: Broadcast, now: datetime) -> tuple[int, int]:
    trees = definitions.profile.trees
    calendar = definitions.calendar
    condition, conditions = expand_condition(parse(chosen.to), trees).by(calendar), conditions_of(definitions.segments, trees, calendar)
    total, found, after = database.read_now(people), 0, ""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("counting", total=max(total, 1))
        while True:
            page = database.read_now(sweep_page, condition, conditions, None, now, after)
            found += len(page.found)
            bar.advance(task, page.asked)
            if page.last is None:
                return found, total
            after = page.last


def _watch(database: Database, id_: str) -> None:
    state = TextColumn("{task.fields[state]}")
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), state, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("recipients", total=None, state="")
        while True:
            found = database.read_now(standing.look, id_)
            if found.state not in (State.SCHEDULED, State.GATHERING):
                bar.update(task, total=max(found.recipients, 1), completed=found.recipients - _waiting(found))
            bar.update(task, state=str(found.state))
            if found.state in FINISHED:
                return
            Event().wait(LOOK_SECONDS)


def _waiting(found: Standing) -> int:
    return found.counts.get("waiting", 0)


def _print(console: Console, found: Standing) -> None:
    console.print(f"{found.name}: {found.state}" + (f" ({found.because})" if found.because else ""))
    console.print(f"begins {found.begins_at:%Y-%m-%d %H:%M} UTC, sends until {found.ends_at:%Y-%m-%d %H:%M} UTC at the latest")
    table = Table("what came of it", "recipients", box=None, pad_edge=False, header_style="dim")
    for state, count in sorted(found.counts.items(), key=lambda one: -one[1]):
        table.add_row(state, f"{count:,}")
    console.print(table if found.counts else "its recipients are gathered when it begins")


def _move(name: str, data_dir: Path | None, how: Callable[[Connection, str], None], done: str) -> None:
    with reading(data_dir) as database:
        database.write_now(lambda connection: how(connection, standing.latest(connection, name)))
    Console(highlight=False).print(f"`{name}` is {done}")


def register(app: typer.Typer) -> None:
    """Add the commands to the console script."""
    app.add_typer(broadcast, rich_help_panel="Broadcasts")
