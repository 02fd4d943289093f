"""Events that are to come in as new (`--live`): how many of each name, of how many people, and what journeys begin on them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sojourn.intake.envelope import Envelope
from sojourn.language.model import Journey


@dataclass
class Lived:
    """Events that neither the store nor the rows before hold.

    Attributes:
        events: how many of each name.
        people: by name, the hash of the first identifier of each of them.
    """

    events: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    people: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def note(self, fresh: Iterable[Envelope]) -> None:
        """Count some events."""
        for one in fresh:
            self.events[one.name] += 1
            self.people[one.name].add(hash(one.user_id or one.anonymous_id or one.keys or one.message_id))

    @property
    def total(self) -> int:
        """How many there are in all."""
        return sum(self.events.values())

    def begins(self, journeys: Mapping[str, Journey]) -> list[tuple[str, str, int]]:
        """Return each journey that begins on them: its name, the event's, and of how many people that is, the most first."""
        found = [(name, on, len(self.people[on])) for name, journey in journeys.items() if (on := journey.enter.on) in self.events]
        return sorted(found, key=lambda one: (-one[2], one[0]))
