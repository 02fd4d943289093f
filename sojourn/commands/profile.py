"""`sojourn profile ID`: a person, and what happened to them."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.commands.reading import DataDir, moment, reading
from sojourn.console import queries
from sojourn.console.views import ConsentView, ProfileView, TimelineItem
from sojourn.language import email_address
from sojourn.language.identity_rules import EMAIL

_MARKS = {"event": "·", "entry_started": "→", "entry_ended": "■", "refusal": "✗", "send": "✉"}


def profile_command(
    reference: Annotated[str, typer.Argument(metavar="ID", help="A profile id, user id or anonymous id.", show_default=False)],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the latest happenings.")] = 40,
    data_dir: DataDir = None,
) -> None:
    """Show a person, and what happened to them, newest first."""
    with reading(data_dir) as database:
        person = database.read_now(queries.profile, reference)
        story = database.read_now(queries.timeline, reference, limit)
    console = Console()
    console.print(_card(person))
    console.print(_story(story.items))
    if story.next is not None:
        console.print(f"… and more; --limit {limit * 2} shows it", style="dim")


def _card(person: ProfileView) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = {
        "profile": person.id,
        "known as": ", ".join(f"{found.value} ({found.kind})" for found in person.identifiers),
        "merged from": ", ".join(person.merged),
        "traits": ", ".join(f"{name}={_shown(name, value)}" for name, value in sorted(person.traits.items())),
        "not taken": ", ".join(f"{found.trait}: {found.reason} ({moment(found.at)})" for found in person.refused),
        "zone, locale": " ".join(found for found in (person.zone, person.locale) if found),
        "consent": "\n".join(_consent(one) for one in person.consents),
        "segments": ", ".join(f"{found.segment} (since {moment(found.since)})" for found in person.segments),
        "seen": f"{moment(person.first_seen)} to {moment(person.last_seen)}",
    }
    for name, value in rows.items():
        if value:
            table.add_row(f"[dim]{name}[/]", escape(value))
    return table


def _shown(name: str, value: Any) -> Any:
    return email_address.shown(value) if name == EMAIL and isinstance(value, str) else value


def _consent(stands: ConsentView) -> str:
    by = f"{stands.source}, {'own choice' if stands.own else 'as last repeated'}"
    given = "given" if stands.granted else "waits for confirmation" if stands.waits_since == stands.at else "withdrawn"
    later = stands.waits_since is not None and stands.waits_since != stands.at
    waits = f"; a yes of {moment(stands.waits_since)} waits for confirmation" if later and stands.waits_since is not None else ""
    return f"{stands.purpose}: {given} {moment(stands.at)} ({by}){waits}"


def _story(items: list[TimelineItem]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("when (UTC)", no_wrap=True)
    table.add_column("")
    table.add_column("what", overflow="fold")
    for item in items:
        what = escape(item.title) + (f" [dim]— {escape(item.detail)}[/]" if item.detail else "")
        if item.kind == "send":  # only a send's id is asked for again; the others would be noise
            what += f"\n[dim]sojourn why {item.id}[/]"
        table.add_row(moment(item.at), _MARKS[item.kind], what, style="dim" if item.machine else "")
    return table


def register(app: typer.Typer) -> None:
    """Add `profile` to the console script."""
    app.command("profile")(profile_command)
