"""`sojourn identity …`: by what a person is known, which profiles were joined and why, and setting it right."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.commands.reading import DataDir, identity_rules, moment, reading, shop_clock
from sojourn.console import queries
from sojourn.customers import identity, identity_history
from sojourn.customers.identity import Refused
from sojourn.customers.identity_history import MergeRecord, RefusedRecord, SeparationRecord
from sojourn.store.database import Database

Reference = Annotated[
    str, typer.Argument(metavar="ID", help="A user id, anonymous id, e-mail, phone, `kind:value` or profile id.", show_default=False)
]
Because = Annotated[str, typer.Option("--because", help="Why; it is shown ever after.", prompt="Why")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many of the latest.")]

group = typer.Typer(
    help="Show by what people are known and which profiles were joined, and join or part them by hand.\n\n"
    "Profiles that share an identifier are one person's, within limits (`identity:` in profile.yaml). "
    "`sojourn identity show ID` tells why; `unmerge` takes back what was wrong, with all that came since.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@group.command()
def show(reference: Reference, data_dir: DataDir = None) -> None:
    """Show a person's identifiers, and every merge, refusal and separation, with its because.

    For example: `sojourn identity show ann@shop.example`
    """
    with reading(data_dir) as database:
        head = database.read_now(queries.profile_id_of, reference)
        ids = database.read_now(identity_history.same_person, head)
        known = database.read_now(identity_history.identifiers_of, head)
        merges = database.read_now(identity_history.merges_of, ids)
        refused = database.read_now(identity_history.refused, 20, ids)
        apart = database.read_now(identity_history.separated, 20, ids)
    console = Console()
    console.print(f"[dim]profile[/]  {head}" + "".join(f"\n[dim]merged[/]   {one}" for one in ids if one != head))
    table = _table("kind", "value", "since (UTC)", "came with")
    for one in known:
        note = "shared: tells nobody apart" if one.shared else "" if one.origin_id == head else one.origin_id
        table.add_row(one.kind, escape(one.value), moment(one.since), note)
    console.print(table)
    if merges:
        console.print(_merges(merges))
    if refused:
        console.print(_refused(refused))
    if apart:
        console.print(_separated(apart))


@group.command()
def merge(
    loser: Annotated[str, typer.Argument(metavar="LOSER", help="Whose profile becomes the other's; any identifier.", show_default=False)],
    winner: Annotated[str, typer.Argument(metavar="WINNER", help="Whose profile lives on; any identifier.", show_default=False)],
    because: Because,
    force: Annotated[bool, typer.Option("--force", help="Even past the limits of identifiers.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Join two profiles: all that is the loser's becomes the winner's. It can be undone.

    For example: `sojourn identity merge ann@old.example user-7 --because "she wrote to us"`
    """
    with reading(data_dir) as database:
        one, other = (database.read_now(queries.profile_id_of, reference) for reference in (loser, winner))
        now = shop_clock(data_dir).now()
        done = database.write_now(identity.merge, one, other, because, now, force=force, rules=identity_rules(data_dir))
    if isinstance(done, Refused):
        hint = "; --force does it all the same" if done.reason == "too_many" else ""
        Console(stderr=True).print(f"not merged: {done.because}{hint}", style="red", highlight=False)
        raise typer.Exit(1)
    Console().print(f"merged into {done.profile_id}; undo it with: sojourn identity unmerge {done.merges[0].loser_id}", highlight=False)


@group.command()
def unmerge(
    profile_id: Annotated[
        str, typer.Argument(metavar="PROFILE", help="The id of a merged profile; `show` lists them.", show_default=False)
    ],
    because: Because,
    data_dir: DataDir = None,
) -> None:
    """Give a merged profile back as if the two had never been one, with all that came since.

    The two stay apart from then on, until someone merges them by hand.
    """
    with reading(data_dir) as database:
        done = database.write_now(identity.unmerge, profile_id, because, shop_clock(data_dir).now())
    Console().print(f"{done.profile_id} stands for itself again, with {done.events} events; it was part of {done.from_id}", highlight=False)


@group.command()
def refused(
    reference: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only of this person.", show_default=False)] = None,
    limit: Limit = 50,
    data_dir: DataDir = None,
) -> None:
    """List merges that were not made, newest first: which identifier, which profiles, why."""
    with reading(data_dir) as database:
        ids = None if reference is None else _ids(database, reference)
        found = database.read_now(identity_history.refused, limit, ids)
    Console().print(_refused(found) if found else "no merge has been refused")


@group.command()
def separated(
    reference: Annotated[str | None, typer.Argument(metavar="[ID]", help="Only of this person.", show_default=False)] = None,
    limit: Limit = 50,
    data_dir: DataDir = None,
) -> None:
    """List profiles that are kept apart: no shared identifier joins them, only a merge by hand."""
    with reading(data_dir) as database:
        ids = None if reference is None else _ids(database, reference)
        found = database.read_now(identity_history.separated, limit, ids)
    Console().print(_separated(found) if found else "nobody is kept apart")


def _ids(database: Database, reference: str) -> list[str]:
    return database.read_now(identity_history.same_person, database.read_now(queries.profile_id_of, reference))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _merges(found: list[MergeRecord]) -> Table:
    table = _table("when (UTC)", "", "merged", "into", "because")
    for one in found:
        told = f"{one.because} ({one.kind}{f', event {one.message_id}' if one.message_id else ''})"
        undone = one.undone_at is not None
        table.add_row(moment(one.at), "→", one.loser_id, one.winner_id, escape(told), style="dim" if undone else "")
        if one.undone_at is not None:
            table.add_row(moment(one.undone_at), "↩", one.loser_id, "", escape(f"undone: {one.undone_because}"))
    return table


def _refused(found: list[RefusedRecord]) -> Table:
    table = _table("when (UTC)", "", "one", "other", "identifier", "because")
    for one in found:
        named = f"{one.kind} {one.value}".strip()
        table.add_row(moment(one.at), "✗", one.one_id, one.other_id or "", escape(named), one.because)
    return table


def _separated(found: list[SeparationRecord]) -> Table:
    table = _table("when (UTC)", "", "one", "other", "because")
    for one in found:
        ended = f" (until {moment(one.ended_at)}: merged by hand)" if one.ended_at is not None else ""
        table.add_row(moment(one.at), "≠", one.one_id, one.other_id, escape(one.because) + ended)
    return table


def register(app: typer.Typer) -> None:
    """Add `identity` to the console script."""
    app.add_typer(group, name="identity")
