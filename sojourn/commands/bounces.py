"""`sojourn bounces`: reads bounces and complaints that came by mail."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sojourn.commands.reading import DataDir, reading, shop_clock
from sojourn.delivery import bounces
from sojourn.delivery.webhooks.base import Kind, Notice
from sojourn.delivery.webhooks.taking import BOUNCE_MAIL, take
from sojourn.errors import NotFound
from sojourn.intake.emit import emit
from sojourn.settings import load_settings

AT_ONCE = 100
MAILDIR = ("cur", "new", "tmp")
app = typer.Typer(help="Bounces and complaints that come by mail.", no_args_is_help=True)


@app.command("read")
def read_command(
    path: Annotated[Path, typer.Argument(help="A Maildir, an mbox, or one mail in a file.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Take the bounces and complaints in a mailbox: hard bounces and complaints suppress the address.

    A mail that was read before changes nothing; none is deleted.
    """
    with reading(data_dir) as database:
        secret, now = load_settings(data_dir=data_dir).secret_key, shop_clock(data_dir).now()
        mails = none = new = known = foreign = complaints = 0
        told: list[Notice] = []

        def tell() -> None:
            nonlocal new, known, foreign
            taken = database.write_now(take, BOUNCE_MAIL, told, now, secret, emit)
            new, known, foreign = new + taken.new, known + taken.known, foreign + taken.foreign
            told.clear()

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            count, found_mails = _mails(path)
            for raw in bar.track(found_mails, total=count, description="reading mails"):
                mails += 1
                found = bounces.notices(raw) if len(raw) <= bounces.MAX_MAIL_BYTES else []
                if not found:
                    none += 1
                    continue
                complaints += found[0].kind is Kind.COMPLAINED
                told += found
                if len(told) >= AT_ONCE:
                    tell()
            tell()
    counted = f"mails: {mails}, new bounces: {new}, known: {known}, of no send of ours: {foreign}, no bounces: {none}"
    said = f"{counted}, complaints: {complaints}"
    Console().print(said, highlight=False, soft_wrap=True)


def _mails(path: Path) -> tuple[int, Iterator[bytes]]:
    """Return how many mails a Maildir, an mbox or a file has, and these, one at a time."""
    if path.is_dir():
        if not all((path / name).is_dir() for name in MAILDIR):
            raise NotFound(f"{path} is no Maildir, which has the folders {', '.join(MAILDIR)}; name one, an mbox, or one mail in a file")
        return _each(mailbox.Maildir(path, create=False))
    if not path.is_file():
        raise NotFound(f"there is no {path}; name a Maildir, an mbox, or one mail in a file")
    with path.open("rb") as file:
        if file.read(5) != b"From ":
            file.seek(0)
            return 1, iter([file.read(bounces.MAX_MAIL_BYTES + 1)])
    return _each(mailbox.mbox(path, create=False))


def _each(box: mailbox.Mailbox[mailbox.Message]) -> tuple[int, Iterator[bytes]]:
    keys = box.keys()
    return len(keys), (box.get_bytes(key) for key in keys)


def register(built: typer.Typer) -> None:
    """Add `bounces` to the console script."""
    built.add_typer(app, name="bounces")
