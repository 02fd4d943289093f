"""What a claim, and a post under it, can come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import Provider

# -- of a claim --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claimed:
    """This caller, and no other, may post the message now."""

    message: Message
    attempt: int  # to be given back when it is settled
    provider: Provider  # who is to carry it away
    again: bool = False  # an earlier attempt's fate is unknown: only the key keeps this from being a second message


@dataclass(frozen=True)
class Held:
    """Not before a moment."""

    until: datetime
    reason: str
    provider: str | None = None  # whose turn it waits for


@dataclass(frozen=True)
class Suppressed:
    """Never; the journey goes on without it."""

    reason: str


@dataclass(frozen=True)
class AlreadySettled:
    """Its fate was decided before: nothing is to be done."""

    state: str
    reason: str | None = None


# -- of a post ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accepted:
    """The provider took it."""

    provider_message_id: str | None = None
    delivered: bool = False  # the provider put it into the recipient's hands by itself, as the local inbox does
    by: str | None = field(default=None, compare=False)  # the provider's name


@dataclass(frozen=True)
class Refused:
    """The provider refused it for good."""

    reason: str
    by: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class NotAccepted:
    """Proof that nothing was accepted; it may be tried again."""

    reason: str
    locked: bool = False  # the provider takes nothing from us at all
    retry_after: float | None = None  # seconds after which it wants to be asked again, where it says so
    handed_over: bool = True  # False: it was kept back on this side, which says nothing of the provider
    by: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Unclear:
    """It may or may not have been accepted."""

    reason: str
    by: str | None = field(default=None, compare=False)


ClaimResult = Claimed | Held | Suppressed | AlreadySettled | Unclear
Outcome = Accepted | Refused | NotAccepted | Unclear
