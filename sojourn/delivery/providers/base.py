"""What a provider is to the send protocol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from sojourn.delivery.message import Message


class Klass(StrEnum):
    """What a provider can say about a message whose answer was lost."""

    KEYED = "A"  # a second post under the same key is no second message
    EVIDENTIAL = "B"  # the key comes back in webhooks or look-ups
    SMTP = "C"  # a deterministic Message-ID correlates, but does not deduplicate
    BLIND = "D"  # nothing


@dataclass(frozen=True)
class Receipt:
    """A provider's yes."""

    provider_message_id: str | None = None
    delivered: bool = False  # it is in the recipient's hands already


class Provider(Protocol):
    """Carries messages away."""

    @property
    def name(self) -> str:
        """What ledger rows call it."""
        ...

    @property
    def klass(self) -> Klass:
        """What it can say about a lost answer."""
        ...

    @property
    def key_window(self) -> timedelta:
        """How long after the first post a key still keeps a second one from being a second message; class A only."""
        ...

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over.

        Raises:
            Rejected: it was refused for good.
            ProviderBusy: proof that nothing was accepted.
            ProviderUnclear: nobody knows whether it was accepted.
        """
        ...
