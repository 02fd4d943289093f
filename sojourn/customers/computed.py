"""A person's traits as conditions and contents read them: those that were said, and those that are computed when asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sojourn.language.conditions import UTC_CALENDAR, Calendar, Facts, History
from sojourn.language.conditions.expression import Expression

_NO_SEGMENTS: dict[str, Any] = {}


class ProfileFacts(Mapping[str, Any]):
    """Traits by name; a computed one is worked out when it is first asked for, and only then.

    What is computed stands before what was said under the same name. A computed trait that is missing (such as
    `last` of an event that never happened) is not there.

    Args:
        traits: what was said.
        computed: the computed traits (`ProfileSettings.expressions`).
        history: the person's events.
        now: the moment that windows are relative to.
        calendar: how moments are read.
    """

    def __init__(
        self,
        traits: Mapping[str, Any],
        computed: Mapping[str, Expression],
        history: History,
        now: datetime,
        calendar: Calendar = UTC_CALENDAR,
    ) -> None:
        self._traits = traits
        self._computed = computed
        self._facts = Facts(now=now, profile=self, history=history, calendar=calendar)
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a trait's value."""
        if name not in self._computed:
            return self._traits[name]
        if name not in self._known:
            self._known[name] = self._computed[name].value(None, self._facts, _NO_SEGMENTS)
        value = self._known[name]
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """Return a trait's value, or the default where it is not there."""
        if name not in self._computed:
            return self._traits.get(name, default)
        try:
            return self[name]
        except KeyError:
            return default

    def __iter__(self) -> Iterator[str]:
        """Return the names of all that is there; this computes everything."""
        yield from (name for name in self._traits if name not in self._computed)
        yield from (name for name in self._computed if self.get(name) is not None)

    def __len__(self) -> int:
        """Return how many there are."""
        return sum(1 for _ in self)


def profile_facts(
    traits: Mapping[str, Any], computed: Mapping[str, Expression], history: History, now: datetime, calendar: Calendar = UTC_CALENDAR
) -> Mapping[str, Any]:
    """Return a person's traits with the computed ones; the traits themselves where none is computed."""
    return ProfileFacts(traits, computed, history, now, calendar) if computed else traits
