"""Why a message did not arrive."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message did not arrive; only that the address does not exist is the address's fault for good."""

    UNKNOWN = "unknown address"
    MOVED = "moved away"
    NO_HOST = "unknown domain"
    CLOSED = "closed mailbox"  # the code 5.2.1 alone; words that say suspended or disabled are SUSPENDED
    SUSPENDED = "suspended mailbox"
    FULL = "full mailbox"
    TOO_LARGE = "too large"
    SENDER = "our sender"
    CONTENT = "our content"
    BLOCKED = "our reputation"
    POLICY = "a policy"
    RATE = "too many messages"
    RELAY = "no relaying"
    RESTRICTED = "a restricted recipient"
    NETWORK = "no way there"
    SYSTEM = "a fault of the mail system"
    TEMPORARY = "temporary"
    FORWARDED = "another address, to which it was forwarded"
    UNCLEAR = "unclear"

    @property
    def hard(self) -> bool:
        """Whether the address is at fault for good."""
        return self in _HARD


_HARD = frozenset({Reason.UNKNOWN, Reason.MOVED, Reason.NO_HOST, Reason.CLOSED})
