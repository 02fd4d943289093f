"""All segments of a shop, in the order in which they can be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sojourn.customers.segments.needs import Needs, needs_of
from sojourn.language.conditions import UTC_CALENDAR, Calendar, Condition, tree
from sojourn.language.segments import version_of

PARTS = 256  # sets of segments that are kept ready


@dataclass(frozen=True)
class Part:
    """Segments that are judged together.

    Attributes:
        names: each after those that its condition names.
        needs: what their conditions ask of a history, those of the segments that they name included.
    """

    names: tuple[str, ...]
    needs: Needs


@dataclass(frozen=True)
class SegmentBook:
    """The segments in force.

    Args:
        conditions: every segment's condition by its name; of a kept list, that one stands on it.
        calendar: how they read moments where a person's zone is not known.
    """

    conditions: Mapping[str, Condition]
    calendar: Calendar = UTC_CALENDAR
    needs: Needs = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", needs_of(self.conditions.values()))

    @cached_property
    def judged(self) -> tuple[str, ...]:
        """The segments with a condition of their own, each after those that its condition names."""
        ordered: dict[str, None] = {}

        def visit(name: str) -> None:
            for other in sorted(self.conditions[name].names.segments):
                visit(other)
            if name not in self.lists:
                ordered.setdefault(name)

        for name in sorted(self.conditions):
            visit(name)
        return tuple(ordered)

    @cached_property
    def _asking(self) -> dict[str, frozenset[str]]:
        """The segments whose conditions ask about an event, by its name: in themselves, or by a segment that they name."""
        found: dict[str, set[str]] = {}
        for name in self.judged:
            for event in self._whole_needs(name).names:
                found.setdefault(event, set()).add(name)
        return {event: frozenset(names) for event, names in found.items()}

    def _whole_needs(self, name: str) -> Needs:
        return needs_of(self.conditions[one] for one in self._with_named(name))

    def _with_named(self, name: str) -> set[str]:
        inner = set(self.conditions[name].names.segments)
        return {name}.union(*(self._with_named(one) for one in inner))

    def asking(self, events: Iterable[str]) -> frozenset[str]:
        """Return the segments that events of these names can change."""
        return frozenset[str]().union(*(self._asking.get(event, frozenset()) for event in events))

    def part(self, names: frozenset[str]) -> Part:
        """Return some of the segments with what they need, ready to be judged without the others."""
        known = self._parts.get(names)
        if known is None:
            if len(self._parts) >= PARTS:
                self._parts.clear()
            whole = set[str]().union(*(self._with_named(one) for one in names))
            ordered = tuple(name for name in self.judged if name in names)
            known = self._parts[names] = Part(ordered, needs_of(self.conditions[one] for one in whole))
        return known

    @cached_property
    def _parts(self) -> dict[frozenset[str], Part]:
        return {}

    @cached_property
    def everything(self) -> Part:
        """All of them."""
        return Part(self.judged, self.needs)

    @cached_property
    def lists(self) -> frozenset[str]:
        """The segments that are kept lists."""
        return frozenset(name for name, condition in self.conditions.items() if isinstance(condition.tree, tree.Listed))

    @cached_property
    def versions(self) -> dict[str, str]:
        """The version of each segment with a condition."""
        return {name: version_of(name, self.conditions) for name in self.judged}
