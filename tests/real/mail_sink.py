"""A mail server that takes everything and remembers it, over real SMTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from typing import Any

from aiosmtpd.controller import Controller
from stack import free_port


class Mails:
    """A mail server's acceptances, each an address and a subject; plain SMTP, which knows of no keys."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        subject = message_from_bytes(envelope.content)["subject"] or ""
        self.got.append((envelope.rcpt_tos[0], str(make_header(decode_header(subject)))))
        return "250 OK"

    def to(self, people: Sequence[str]) -> int:
        return sum(address.partition("@")[0] in people for address, _ in self.got)


@contextmanager
def mail_sink() -> Iterator[tuple[Mails, str]]:
    """Run a mail server on a free port; give what it got and its URL."""
    kept, port = Mails(), free_port()
    server = Controller(kept, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield kept, f"smtp://127.0.0.1:{port}"
    finally:
        server.stop()
