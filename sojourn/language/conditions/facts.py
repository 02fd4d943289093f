"""The facts a condition is asked about, for one profile at one moment."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sojourn.language.conditions.calendar import UTC_CALENDAR, Calendar


@dataclass(frozen=True)
class EventFact:
    """One event of a profile's history."""

    name: str
    time: datetime
    properties: Mapping[str, Any]


class History(Protocol):
    """A profile's events, asked by name and window."""

    def events(self, name: str, after: datetime | None, until: datetime) -> Sequence[EventFact]:
        """Return the events of a name with `after < time <= until` (from the beginning where `after` is None), oldest first."""
        ...


@dataclass(frozen=True)
class NoHistory:
    """A profile of which no event is known."""

    def events(self, name: str, after: datetime | None, until: datetime) -> Sequence[EventFact]:
        """Return nothing."""
        return ()


@dataclass(frozen=True)
class ListHistory:
    """A history held in memory, sorted by time."""

    all: Sequence[EventFact]

    def events(self, name: str, after: datetime | None, until: datetime) -> Sequence[EventFact]:
        """Return the events of a name in the window, oldest first."""
        return [e for e in self.all if e.name == name and e.time <= until and (after is None or e.time > after)]


@dataclass(frozen=True)
class Facts:
    """All that a condition may ask about.

    Attributes:
        now: the moment that windows are relative to.
        event: the event under test, or the one that began the entry.
        profile: traits by name.
        scores: scores taken earlier in this entry.
        engaged: per send id, which of delivered, opened, clicked, bounced, complained happened.
        calls: what `call` steps of this entry were answered, by the name that it is kept under.
        calendar: how moments are read: of the person's zone.
        history: the profile's events.
        segments: membership that is known; a segment not in it is decided by its own condition.
        listed: the kept lists that the profile stands on: segments without a condition of their own.
    """

    now: datetime
    event: EventFact | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    engaged: Mapping[str, frozenset[str]] = field(default_factory=dict)
    history: History = field(default_factory=NoHistory)
    segments: Mapping[str, bool] = field(default_factory=dict)
    listed: Container[str] = frozenset()
    calls: Mapping[str, Any] = field(default_factory=dict)
    calendar: Calendar = UTC_CALENDAR

    def at(self, now: datetime) -> Facts:
        """Return the same facts at another moment; made to be asked often, and a third of what `replace` takes."""
        other = object.__new__(Facts)
        other.__dict__.update(self.__dict__)
        other.__dict__["now"] = now
        return other
