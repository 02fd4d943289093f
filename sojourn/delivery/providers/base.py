"""What a provider is to the send protocol."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sojourn.delivery.message import Message

KEY = "send_key"  # what the key is called where a message takes fields of ours; Postmark allows 20 characters
UNKEYED = timedelta(0)  # a key does not keep a second post from being a second message


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


class Together(StrEnum):
    """What messages share that go out in one request, and so why each goes out in its own."""

    NOTHING = "each with an answer of its own"  # and yet one lost answer would leave all of them unknown
    THE_KEY = "under one key"  # which then stands for this very set of messages, and for no message
    THE_BODY = "of one body"  # with words to fill in, where ours are rendered for each person


@dataclass(frozen=True)
class Limits:
    """What a provider's documentation allows.

    Attributes:
        batch: messages in one request. The send protocol posts one, so that each has a key and an answer of its own;
            the page of the protocol (`sojourn.delivery.protocol`) shows what is left unused by it.
        together: what the messages of such a request share.
        per_second: requests a second where nothing else was agreed with the provider; None where none is stated.
    """

    batch: int = 1
    together: Together = Together.NOTHING
    per_second: float | None = None


@dataclass(frozen=True)
class Sought:
    """A message whose answer was lost, as a look-up describes it."""

    key: str
    message_id: str  # as it stands in the header Message-ID
    to_address: str
    since: datetime  # nothing was posted before


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

    @property
    def carries_amp(self) -> bool:
        """Whether the AMP part goes with a message; where it does not, readers get the HTML part."""
        ...

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over.

        Raises:
            Rejected: it was refused for good.
            ProviderBusy: proof that nothing was accepted.
            ProviderUnclear: nobody knows whether it was accepted.
        """
        ...


@runtime_checkable
class LooksUp(Protocol):
    """A provider that can be asked whether it holds a message."""

    @property
    def index_lag(self) -> timedelta:
        """How long after a post a look-up that finds nothing still proves nothing."""
        ...

    async def look_up(self, sought: Sought) -> Receipt | None:
        """Return its receipt for a message; None where it knows of none.

        Raises:
            ProviderBusy: it gave no answer that means anything.
        """
        ...
