"""A real SMTP server (aiosmtpd) that keeps what it accepts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller


class Mailbox:
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.hits: dict[str, int] = {}

    async def handle_DATA(self, server, session, envelope):
        self.hits["data"] = self.hits.get("data", 0) + 1
        self.stored.append(envelope.content)
        return "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(mailbox: Mailbox) -> Iterator[Controller]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), server_hostname="mx.test.example")
    controller.start()
    try:
        yield controller
    finally:
        controller.stop()
