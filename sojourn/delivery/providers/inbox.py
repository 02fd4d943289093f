"""The local inbox: a Maildir under the data folder. The embedded default; no message leaves the machine.

A message's file is named by its key and linked into place, which fails where the name is taken: a
second delivery under the same key is no second message (class A). It survives the death of any
process; against a loss of power the ledger, not the inbox, is what is kept.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import Klass, Receipt
from sojourn.delivery.providers.plug import Given, Plug

FOLDERS = ("tmp", "new", "cur")


class Inbox:
    """Delivers into a Maildir.

    Args:
        folder: the Maildir; made when first used.
    """

    name = "inbox"
    klass = Klass.KEYED
    carries_amp = True  # the message goes out as MIME
    key_window = timedelta.max

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def deliver(self, message: Message) -> Receipt:
        """Put a message into the Maildir, once."""
        await asyncio.to_thread(self.put, message.key, to_bytes(message))
        return Receipt(message.key, delivered=True)

    def put(self, key: str, raw: bytes) -> None:
        """Write a message under its key; one that is there already stays as it is."""
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if any((self.folder / "cur").glob(f"{key}:*")):  # a mail program has taken it over
            return
        written = self.folder / "tmp" / f"{key}.{uuid4().hex}"
        written.write_bytes(raw)
        try:
            os.link(written, self.folder / "new" / key)
        except FileExistsError:
            pass  # delivered before, under the same key
        finally:
            written.unlink()


def _make(given: Given) -> Inbox:
    return Inbox(Path(given.secret("folder")))


PLUG = Plug(_make)
