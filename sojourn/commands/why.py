"""`sojourn why SEND`: why a customer got, or did not get, a message."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.commands.reading import DataDir, moment, reading
from sojourn.console import queries
from sojourn.console.views import SendDetail

_STYLES = {"pass": "green", "suppress": "red", "hold": "yellow"}


def why_command(
    key: Annotated[str, typer.Argument(metavar="SEND", help="A send's key, as `sojourn profile` lists it.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Show why a customer got, or did not get, a message: every verdict and because."""
    with reading(data_dir) as database:
        found = database.read_now(queries.send, key)
    console = Console()
    console.print(f"[bold]{escape(_headline(found))}[/]", highlight=False)
    if found.reason:
        console.print(f"because {escape(found.reason)}", highlight=False)
    console.print(_facts(found))
    for title, headings, rows in _tables(found):
        if rows:
            table = Table(*headings, title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
            for row in rows:
                table.add_row(*row)
            console.print()
            console.print(table)


def _headline(found: SendDetail) -> str:
    variant = f" ({found.variant})" if found.variant else ""
    return f"{found.content}{variant} of {found.journey}: {found.state}"


def _facts(found: SendDetail) -> Table:
    table = Table.grid(padding=(0, 2))
    consent = found.consent
    rows = {
        "profile": found.profile_id,
        "entry": f"{found.entry_id} since {moment(found.entry.started_at)}, {found.entry.outcome or found.entry.state}",
        "consent": ", ".join((consent.purpose, moment(consent.at), consent.source, consent.wording or "no wording")) if consent else "",
        "subject": found.message.subject if found.message else "",
        "provider": f"{found.provider}, {found.attempts} attempt{'' if found.attempts == 1 else 's'}" if found.provider else "",
        "held until": moment(found.held_until) if found.held_until else "",
    }
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", escape(value))
    return table


def _tables(found: SendDetail) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    return [
        (
            "The way to it",
            ("when (UTC)", "step", "because"),
            [(moment(judged.at), escape(judged.did), escape(judged.because)) for judged in found.decisions],
        ),
        (
            "The gate",
            ("when (UTC)", "check", "verdict", "because"),
            [(moment(v.at), v.check, f"[{_STYLES.get(v.verdict, 'white')}]{v.verdict}[/]", escape(v.because)) for v in found.verdicts],
        ),
        (
            "The ledger",
            ("when (UTC)", "state", "because"),
            [(moment(step.at), step.to_state, escape(step.because)) for step in found.transitions],
        ),
        (
            "What came of it",
            ("when (UTC)", "event", ""),
            [(moment(event.at), escape(event.title), event.detail) for event in found.engagement],
        ),
    ]


def register(app: typer.Typer) -> None:
    """Add `why` to the console script."""
    app.command("why")(why_command)
