"""`sojourn why SEND`: why a customer got, or did not get, a message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from sojourn.commands.reading import DataDir, moment, reading
from sojourn.console import queries
from sojourn.console.sends import Page, page
from sojourn.console.views import SendDetail, VerdictView
from sojourn.errors import NotFound

LATEST = 20  # of a person's messages
_STYLES = {"pass": "green", "suppress": "red", "hold": "yellow"}


def why_command(
    key: Annotated[
        str, typer.Argument(metavar="SEND", help="A send's key, as `sojourn sends` lists it; or a person, by any id.", show_default=False)
    ],
    data_dir: DataDir = None,
) -> None:
    """Show why a customer got, or did not get, a message: every verdict and because."""
    with reading(data_dir) as database:
        found = database.read_now(_read, key)
    console = Console()
    if isinstance(found, Page):
        _tell_all(console, key, found)
        return
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


def _read(connection: Connection, reference: str) -> SendDetail | Page:
    """Return all about a send, or a person's latest messages."""
    if queries.is_send(connection, reference):
        return queries.send(connection, reference)
    try:
        people = queries.person_ids(connection, reference)
    except NotFound:
        hint = "`sojourn sends` lists the keys, and a user id, e-mail or profile id shows that person's messages"
        raise NotFound(f"no send has this key, and nobody is known by this id; {hint}") from None
    return page(connection, people=people, limit=LATEST)


def _tell_all(console: Console, person: str, found: Page) -> None:
    from sojourn.commands.sends import table_of  # which shows a send by this module

    if not found.sends:
        console.print(f"no message was ever planned for {person}; see why: sojourn profile {person}", highlight=False, markup=False)
        return
    console.print(table_of(found.sends))
    console.print("every verdict on one of them: sojourn why KEY", style="dim", highlight=False)


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


def _asked(verdicts: Sequence[VerdictView]) -> list[list[VerdictView]]:
    """Return the verdicts of each time that the gate was asked; each time begins with the same check."""
    times: list[list[VerdictView]] = [[]]
    for each in verdicts:
        if times[-1] and each.check == times[-1][0].check:
            times.append([])
        times[-1].append(each)
    return times


def _before(times: Sequence[Sequence[VerdictView]]) -> list[tuple[datetime, datetime, int, str]]:
    """Return what the gate said, a line for as long as it said the same."""
    lines: list[tuple[datetime, datetime, int, str]] = []
    for time in times:
        said = "; ".join(f"{each.verdict} ({each.check}): {each.because}" for each in time if each.verdict != "pass") or "yes"
        at = time[0].at
        if lines and lines[-1][3] == said:
            lines[-1] = (lines[-1][0], at, lines[-1][2] + 1, said)
        else:
            lines.append((at, at, 1, said))
    return lines


def _tables(found: SendDetail) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    asked = _asked(found.verdicts)
    return [
        (
            "The way to it",
            ("when (UTC)", "step", "because"),
            [(moment(judged.at), escape(judged.did), escape(judged.because)) for judged in found.decisions],
        ),
        (
            "The gate, asked before",
            ("first (UTC)", "last (UTC)", "times", "it said"),
            [(moment(a), moment(b), str(times), escape(said)) for a, b, times, said in _before(asked[:-1])],
        ),
        (
            "The gate",
            ("when (UTC)", "check", "verdict", "because"),
            [(moment(v.at), v.check, f"[{_STYLES.get(v.verdict, 'white')}]{v.verdict}[/]", escape(v.because)) for v in asked[-1]],
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
