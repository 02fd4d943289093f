"""`sojourn bounces`: reads bounces that came by mail."""

from __future__ import annotations

import mailbox
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sojourn.clock import SystemClock
from sojourn.commands.reading import DataDir, reading
from sojourn.delivery import bounces
from sojourn.delivery.webhooks.base import Notice
from sojourn.delivery.webhooks.taking import BOUNCE_MAIL, take
from sojourn.errors import NotFound
from sojourn.intake.emit import emit
from sojourn.settings import load_settings

AT_ONCE = 100
app = typer.Typer(help="Bounces that come by mail.", no_args_is_help=True)


@app.command("read")
def read_command(
    path: Annotated[Path, typer.Argument(help="A Maildir, an mbox, or one mail in a file.", show_default=False)],
    data_dir: DataDir = None,
) -> None:
    """Take the bounces in a mailbox: hard ones suppress the address. A mail that was read before changes nothing; none is deleted."""
    with reading(data_dir) as database:
        secret, now = load_settings(data_dir=data_dir).secret_key, SystemClock().now()
        mails = none = new = known = foreign = 0
        told: list[Notice] = []

        def tell() -> None:
            nonlocal new, known, foreign
            taken = database.write_now(take, BOUNCE_MAIL, told, now, secret, emit)
            new, known, foreign = new + taken.new, known + taken.known, foreign + taken.foreign
            told.clear()

        for raw in _mails(path):
            mails += 1
            found = bounces.read(raw) if len(raw) <= bounces.MAX_MAIL_BYTES else None
            if found is None:
                none += 1
                continue
            told.append(bounces.notice(found, raw))
            if len(told) >= AT_ONCE:
                tell()
        tell()
    Console().print(f"{mails} mails: {new} new bounces, {known} known, {foreign} of no send of ours, {none} no bounces", highlight=False)


def _mails(path: Path) -> Iterator[bytes]:
    """Return the mails of a Maildir, an mbox or a file, one at a time."""
    if path.is_dir():
        box: mailbox.Mailbox[mailbox.Message] = mailbox.Maildir(path, create=False)
    elif not path.is_file():
        raise NotFound(f"there is no {path}")
    else:
        with path.open("rb") as file:
            if file.read(5) != b"From ":
                file.seek(0)
                yield file.read(bounces.MAX_MAIL_BYTES + 1)
                return
        box = mailbox.mbox(path, create=False)
    for key in box.iterkeys():
        yield box.get_bytes(key)


def register(built: typer.Typer) -> None:
    """Add `bounces` to the console script."""
    built.add_typer(app, name="bounces")
