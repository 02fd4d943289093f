"""`sojourn suppress …`: addresses that must not be written to."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sojourn.bulk.suppressing import check_address, import_file
from sojourn.commands.opening import writing
from sojourn.commands.reading import DataDir, moment, reading
from sojourn.customers import suppression
from sojourn.customers.suppression import STRENGTH, Reason
from sojourn.errors import SojournError
from sojourn.settings import load_settings
from sojourn.timekeeping import read_clock

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="An e-mail address.", show_default=False)]
Why = Annotated[str, typer.Option("--reason", help=f"One of {', '.join(get_args(Reason))}.")]

group = typer.Typer(
    help="Keep the addresses that must not be written to; only their keyed hashes are stored.\n\n"
    "`hard_bounce`, `manual` and `import` stop everything; `complaint` and `unsubscribed` stop all but transactional messages. "
    "Of several reasons the one that stops most stands.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@group.command()
def add(address: Address, reason: Why = "manual", data_dir: DataDir = None) -> None:
    """Put an address on the list."""
    with writing(data_dir) as database:
        check_address(address)
        database.write_now(suppression.suppress, _secret(data_dir), address, _reason(reason), _now(data_dir))
        found = database.read_now(suppression.look, _secret(data_dir), address)
    if found is not None:
        Console().print(_told(found), highlight=False)


@group.command()
def remove(address: Address, data_dir: DataDir = None) -> None:
    """Take an address off the list; who unsubscribed has to agree again all the same."""
    with writing(data_dir) as database:
        gone = database.write_now(suppression.unsuppress, _secret(data_dir), address)
    Console().print("taken off the list" if gone else "it was not on the list", highlight=False)


@group.command()
def show(address: Address, data_dir: DataDir = None) -> None:
    """Say whether an address is on the list, why, and what that stops."""
    with reading(data_dir) as database:
        found = database.read_now(suppression.look, _secret(data_dir), address)
    Console().print("not on the list" if found is None else _told(found), highlight=False)


@group.command("list")
def list_command(
    reason: Annotated[str | None, typer.Option("--reason", help="Only of this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many of the latest.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Count the addresses by reason, and list the latest by their hashes: the list names nobody."""
    with reading(data_dir) as database:
        counted = database.read_now(suppression.counts)
        found = database.read_now(suppression.listed, limit, None if reason is None else _reason(reason))
    console = Console()
    console.print("  ".join(f"{name}: {count:,}" for name, count in counted.items()) or "the list is empty", highlight=False)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("since (UTC)", "reason", "hash"):
        table.add_column(column)
    for one in found:
        table.add_row(moment(one.at), one.reason, one.address_hash[:16])
    if found:
        console.print(table)


@group.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV, or one address a line.", show_default=False)],
    errors: Annotated[Path | None, typer.Option(help="Where lines go that cannot be taken; default: FILE.errors.csv.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Put the addresses of a file on the list, such as the suppressions of a provider that you leave.

    The file has a column `address` or `email`, and `reason` and `at` where it has them; or one address a line.
    """
    bad = errors or file.with_name(f"{file.name}.errors.csv")
    size = max(file.stat().st_size, 1)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[lines]:,} lines"), TimeElapsedColumn())
    with writing(data_dir) as database, Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(file.name, total=None if size < 1_000_000 else size, lines=0)
        done = import_file(database, _secret(data_dir), file, bad, _now(data_dir), lambda so_far: progress.update(task, lines=so_far.lines))
    Console().print(f"{done.lines:,} lines: {done.new:,} new on the list, {done.errors:,} not taken", highlight=False)
    for because, count in sorted(done.reasons.items(), key=lambda pair: -pair[1]):
        Console().print(f"  {count:,} {because}", highlight=False)
    if done.errors:
        Console().print(f"they are in {bad}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)


def _told(found: suppression.Suppressed) -> str:
    stops = "all but transactional messages" if found.marketing_only else "every message"
    return f"on the list since {moment(found.at)}: {found.reason}; it stops {stops}"


def _reason(text: str) -> Reason:
    for known in STRENGTH:
        if known == text:
            return known
    raise SojournError(f"{text!r} is not a reason; write {', '.join(STRENGTH)}")


def _secret(data_dir: Path | None) -> str:
    return load_settings(data_dir=data_dir).secret_key


def _now(data_dir: Path | None) -> datetime:
    return read_clock(load_settings(keys=False, data_dir=data_dir).data_dir).now()


def register(app: typer.Typer) -> None:
    """Add `suppress` to the console script."""
    app.add_typer(group, name="suppress")
