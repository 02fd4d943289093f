"""What identity says: merges, refusals and their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from sojourn.customers.identifying import Key
from sojourn.customers.traits import Profile

Reason = Literal["two_users", "too_many", "separated", "finds_only", "already_one"]
REASONS: Mapping[Reason, str] = {
    "two_users": "both are known users; only an alias, a merge by hand or an approved resolution joins those",
    "too_many": "one profile would have more identifiers of a kind than the rules allow",
    "separated": "someone took these two apart; only a merge by hand joins them again",
    "finds_only": "identifiers of this kind find a profile and join none, as the rules say",
    "already_one": "they are one profile already",
}
ALIAS, HAND, RESOLUTION = "alias", "hand", "resolution"
OUTRIGHT = frozenset({ALIAS, HAND, RESOLUTION})
"""Ways of saying outright that two profiles are one person's; every other merge came of a shared identifier."""


class Named(Protocol):
    """What of an event tells whose it is."""

    @property
    def message_id(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def user_id(self) -> str | None: ...  # noqa: D102
    @property
    def anonymous_id(self) -> str | None: ...  # noqa: D102
    @property
    def previous_id(self) -> str | None: ...  # noqa: D102
    @property
    def profile_id(self) -> str | None: ...  # noqa: D102
    @property
    def keys(self) -> Sequence[Key]: ...  # noqa: D102
    @property
    def time(self) -> datetime: ...  # noqa: D102


@dataclass(frozen=True)
class Merge:
    """Two profiles turned out to be one person's."""

    loser_id: str
    winner_id: str
    because: str


@dataclass(frozen=True)
class Merged:
    """A merge that was asked for has been made."""

    profile_id: str  # the one that lives on
    merges: tuple[Merge, ...]


@dataclass(frozen=True)
class Refused:
    """A merge that was asked for has not been made; it is recorded."""

    reason: Reason

    @property
    def because(self) -> str:
        """The reason, in words."""
        return REASONS[self.reason]


@dataclass(frozen=True)
class Unmerged:
    """A merge has been undone.

    Attributes:
        profile_id: the profile that was given back.
        from_id: the one that it had been merged into.
        events: how many events went back with it.
    """

    profile_id: str
    from_id: str
    events: int


@dataclass(frozen=True)
class Resolved:
    """Whose an event is.

    Attributes:
        profile: the person, as everyone sees them.
        is_new: nothing was known of the person before.
        merges: that the event brought about.
        origin_id: the profile whose event it would be without any merge.
        own: that profile's own facts, which hear the event too; None where they are the person's.
    """

    profile: Profile
    is_new: bool
    merges: tuple[Merge, ...]
    origin_id: str
    own: Profile | None = None
