"""`sojourn brakes`: journeys that were halted by themselves, and releasing them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.broadcasts.releasing import go_on
from sojourn.commands.reading import DataDir, moment, reading
from sojourn.delivery import brakes
from sojourn.delivery.brakes import HALT
from sojourn.settings import load_settings
from sojourn.timekeeping import read_clock

group = typer.Typer(
    help="List the journeys that too many complaints or bounces halted, and alarms (`brakes:` in shop.yaml).\n\n"
    "Their messages wait, a day at most. Find out why before you release them.",
    invoke_without_command=True,
    rich_markup_mode="markdown",
)


@group.callback()
def list_brakes(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also those that were released.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List what is on."""
    if context.invoked_subcommand is not None:
        return
    with reading(data_dir) as database:
        found = database.read_now(lambda connection: brakes.listed(connection, every=every))
    if not found:
        Console().print("no brake is on", highlight=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("since (UTC)", "journey", "", "because", "released"):
        table.add_column(column, overflow="fold")
    for one in found:
        name = "the whole shop" if one.journey == brakes.WHOLE_SHOP else one.journey
        released = f"{moment(one.released_at)}: {one.released_because}" if one.released_at is not None else ""
        level = "[red]halted[/]" if one.level == HALT else "alarm"
        table.add_row(moment(one.at), escape(name), level, escape(one.because), escape(released))
    Console().print(table)


@group.command()
def release(
    journey: Annotated[str, typer.Argument(metavar="JOURNEY", help="The journey; `*` for the whole shop.", show_default=False)],
    because: Annotated[str, typer.Option("--because", help="Why; it is kept.", prompt="Why")],
    data_dir: DataDir = None,
) -> None:
    """Let a journey's messages go again; what went wrong until now counts no more."""
    with reading(data_dir) as database:
        now = read_clock(load_settings(keys=False, data_dir=data_dir).data_dir).now()
        count = database.write_now(brakes.release, journey, because, now)
        after: str | None = ""
        waited = 0
        while after is not None:
            page = database.write_now(go_on, journey, now, after)
            after, waited = page.after, waited + page.entries + page.recipients
    Console().print(f"released ({count}); messages that waited go on within a minute: {waited:,}", highlight=False)


def register(app: typer.Typer) -> None:
    """Add `brakes` to the console script."""
    app.add_typer(group, name="brakes")
