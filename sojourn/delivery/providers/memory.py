"""Keeps messages in memory: for the virtual shop and for tests."""

from __future__ import annotations

from datetime import timedelta

from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import Klass, Receipt


class Memory:
    """Delivers into a dict by key; the messages are written as MIME first, so that what cannot be sent fails here too."""

    name = "memory"
    klass = Klass.KEYED
    carries_amp = True  # the message goes out as MIME
    key_window = timedelta.max

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}

    async def deliver(self, message: Message) -> Receipt:
        """Keep a message, once."""
        to_bytes(message)
        self.messages.setdefault(message.key, message)
        return Receipt(message.key, delivered=True)
