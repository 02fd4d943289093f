"""What an audit notes: what is wrong, with which event, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal[
    "duplicates", "gap", "drift", "stale", "undeclared", "deprecated", "late", "future", "zone", "violation", "quarantine", "refused merge"
]


@dataclass(frozen=True)
class Note:
    """One thing that an audit found.

    Attributes:
        kind: which of its questions found it.
        event: the event's name; `*` for all of them, None where it is about none.
        what: what was found; holds no value of anybody's.
        advice: what to do.
        path: the property, where it is about one.
        count: how many events it is about, where that is known.
    """

    kind: Kind
    event: str | None
    what: str
    advice: str
    path: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Period:
    """From a moment, up to another."""

    since: datetime
    until: datetime

    @property
    def middle(self) -> datetime:
        """The moment that halves it."""
        return self.since + (self.until - self.since) / 2


def percent(share: float) -> str:
    """Return a share as text."""
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"
