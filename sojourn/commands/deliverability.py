"""`sojourn deliverability`: what became of messages, as a table and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from sojourn.commands.reading import DataDir, reading
from sojourn.delivery import brakes
from sojourn.errors import SojournError
from sojourn.language.durations import parse_duration
from sojourn.language.loader import SHOP_FILE, load_shop
from sojourn.reports.deliverability import By, Row, by_day, deliverability, latest, total
from sojourn.reports.page import BAD, GOOD, page, percent
from sojourn.settings import load_settings
from sojourn.timekeeping import read_clock

WIDE = 120  # columns from which on a count and its share stand side by side
BROKEN = {"hard": "hard\nbounce", "soft": "soft\nbounce", "complained": "com-\nplained", "unsubscribed": "unsub-\nscribed"}


def deliverability_command(
    by: Annotated[By, typer.Option("--by", help="What messages are told apart by.")] = By.CONTENT,
    since: Annotated[str, typer.Option("--since", help="How far back, such as 7d.")] = "7d",
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with all of it, and pictures, to this file.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Show what became of messages: delivered, bounced, complained, and opened, clicked and unsubscribed by people.

    For example: `sojourn deliverability --by domain --since 30d --html deliverability.html`
    """
    settings = load_settings(keys=False, data_dir=data_dir)
    now = read_clock(settings.data_dir).now()

    def read(connection: Connection) -> str:
        groups = {one: deliverability(connection, one, begin, until) for one in By}
        path = settings.journeys_dir / SHOP_FILE
        shop = load_shop(path.read_bytes(), str(path)).name if path.is_file() else "the shop"
        days = by_day(connection, begin, until)
        return page(shop, total(groups[By.CONTENT]), groups, days, brakes.listed(connection), begin, until)

    with reading(data_dir) as database:
        until = max(now, database.read_now(latest) or now)  # a fast clock may have run ahead of the one that runs now
        try:
            begin = until - parse_duration(since)
        except ValueError as error:
            raise SojournError(str(error)) from None
        rows = database.read_now(deliverability, by, begin, until)
        whole = rows if by is not By.SEGMENT else database.read_now(deliverability, By.CONTENT, begin, until)
        if html is not None:
            html.write_text(database.read_now(read), "utf-8")
    console = Console()
    console.print(f"{begin:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC, the shop's time", style="dim", highlight=False)
    console.print(_table(by, rows, total(whole), narrow=console.width < WIDE) if rows else "nothing was sent; --since looks further back")
    if html is not None:
        console.print(f"the page is in {html}", highlight=False, soft_wrap=True)


def _table(by: By, rows: list[Row], whole: Row, *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0) if narrow else (0, 1))
    table.add_column(by.value, overflow="fold")
    headings = {"hard": "hard bounce", "soft": "soft bounce"} | (BROKEN if narrow else {})
    for column in ("sent", *GOOD, *BAD):
        table.add_column(headings.get(column, column), justify="right", overflow="fold", no_wrap=narrow)
    between = "\n" if narrow else " "  # a share below its count: a terminal of eighty columns holds all of them so
    for row in [*rows, whole]:
        shares = [f"{getattr(row, what):,}{between}[dim]{percent(row.share(what))}[/]" for what in (*GOOD, *BAD)]
        table.add_row(escape(row.name), f"{row.sent:,}", *shares, style="bold" if row is whole else "")
    return table


def register(app: typer.Typer) -> None:
    """Add `deliverability` to the console script."""
    app.command("deliverability")(deliverability_command)
