"""`sojourn sends`: the ledger of messages, and what became of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.clock import Clock
from sojourn.commands.reading import DataDir, moment, moment_of, reading, shop_clock
from sojourn.commands.why import why_command
from sojourn.console.sends import Listed, page, told_of
from sojourn.delivery.ledger import State
from sojourn.delivery.manual_settlement import As, open_sends, settle_all_by_hand, settle_by_hand
from sojourn.errors import NotFound, SojournError
from sojourn.language.problems import unknown
from sojourn.store.database import Database

STYLES = {State.ACCEPTED: "green", State.UNKNOWN: "yellow", State.ABANDONED: "red", State.REJECTED: "red", State.SUPPRESSED: "dim"}
app = typer.Typer(help="The ledger of messages, newest first; `sends show KEY` says what became of one.", invoke_without_command=True)


@app.callback()
def list_command(
    context: typer.Context,
    unclear: Annotated[bool, typer.Option("--unknown", help="Only those of which nobody knows whether they went out.")] = False,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; may be given again.", show_default=False)] = None,
    journey: Annotated[str | None, typer.Option(help="Only of this journey.", show_default=False)] = None,
    provider: Annotated[str | None, typer.Option(help="Only by this provider.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many on a page.")] = 50,
    after: Annotated[str | None, typer.Option(help="The page that follows, as the one before it ends.", show_default=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """List messages."""
    if context.invoked_subcommand is not None:
        return
    with reading(data_dir) as database:
        states = [*(state or []), *([State.UNKNOWN.value, State.ABANDONED.value] if unclear else [])]
        for each in states:
            if each not in list(State):
                raise NotFound(unknown("state", each, [one.value for one in State]))
        found = database.read_now(lambda c: page(c, states=states, journey=journey, provider=provider, cursor=after, limit=limit))
    console = Console()
    if not found.sends:
        console.print("no such sends", style="dim")
        return
    console.print(table_of(found.sends))
    if found.following:
        console.print(f"more: sojourn sends --after {found.following}", style="dim", highlight=False, soft_wrap=True)


def table_of(found: Sequence[Listed]) -> Table:
    """Return messages as a table: when, where each stands, and why."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("created (UTC)", "state", "message, key and because"):
        table.add_column(heading, no_wrap=heading != "message, key and because", overflow="fold")
    for send in found:
        style, by = STYLES.get(State(send.state), "white"), f" by {send.provider}" if send.provider else ""
        tries = f", {send.attempts} attempts" if send.attempts > 1 else ""
        # The key has a line of its own: it is what one copies, so no narrow terminal may cut it.
        lines = [f"{escape(send.content)} of {send.journey}{by}{tries}", f"[dim]{send.key}[/]"]
        if send.reason:
            lines.append(escape(send.reason))
        table.add_row(moment(send.created_at), f"[{style}]{send.state}[/]", "\n".join(lines))
    return table


@app.command("show")
def show_command(
    key: Annotated[str, typer.Argument(metavar="KEY", help="A send's key.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Show what became of a message: each step with its because, and what its provider told."""
    why_command(key, data_dir)
    with reading(data_dir) as database:
        told = database.read_now(told_of, key)
    if told:
        table = Table("when (UTC)", "by", "what", "", title="What its provider told", title_justify="left", box=None, header_style="dim")
        for at, provider, kind, detail in told:
            table.add_row(moment(at), provider, kind, escape(", ".join(str(value) for value in detail.values())))
        console = Console()
        console.print()
        console.print(table)


@app.command("settle")
def settle_command(
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="A send's key.", show_default=False)] = None,
    how: Annotated[As | None, typer.Option("--as", help="That it went out, or that it is to be sent again.", show_default=False)] = None,
    because: Annotated[str, typer.Option(help="How you know; it is kept in the ledger.", show_default=False)] = "",
    provider: Annotated[str | None, typer.Option(help="Instead of a key: all by this provider.", show_default=False)] = None,
    since: Annotated[str | None, typer.Option(help="Those posted since, such as 2h or 2026-11-30T08:00.", show_default=False)] = None,
    data_dir: DataDir = None,
) -> None:
    """Say what became of messages of which nobody knows.

    For example: `sojourn sends settle --provider smtp --since 2h --as again --because "none is in the mail server's log"`
    """
    with reading(data_dir) as database:
        if how is None or not because.strip():
            raise SojournError("say what became of it, --as sent or --as again, and how you know: --because 'the mail log has it'")
        if (key is None) == (provider is None) or (provider is None) != (since is None):
            raise SojournError("give a send's key, or --provider and --since, such as: --provider smtp --since 2h")
        clock = shop_clock(data_dir)
        if key is not None:
            settled = 1
            database.write_now(settle_by_hand, key, how, because, clock.now())
        else:
            settled = _settle_all(database, str(provider), moment_of(str(since), clock.now()), how, because, clock)
    told = {As.SENT: "kept as sent", As.AGAIN: "planned again; with the next round they go out through the gate, if `sojourn up` runs"}
    what = f"{settled:,} message{'' if settled == 1 else 's'}"
    Console().print(f"{what} {told[how]}" if settled else f"nothing by {provider} is unknown or abandoned since then", soft_wrap=True)


def _settle_all(database: Database, provider: str, since: datetime, how: As, because: str, clock: Clock) -> int:
    """Settle a provider's messages page by page, each in a transaction of its own, and return how many there were."""
    count, after = 0, ""
    while keys := database.read_now(open_sends, provider, since, after):
        count, after = count + database.write_now(settle_all_by_hand, keys, how, because, clock.now()), keys[-1]
    return count


def register(built: typer.Typer) -> None:
    """Add `sends` to the console script."""
    built.add_typer(app, name="sends")
