"""All segments of a shop, in the order in which they can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sojourn.customers.segments.needs import Needs, needs_of
from sojourn.language.conditions import Condition, tree
from sojourn.language.segments import version_of


@dataclass(frozen=True)
class SegmentBook:
    """The segments in force.

    Args:
        conditions: every segment's condition by its name; of a kept list, that one stands on it.
    """

    conditions: Mapping[str, Condition]
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
    def lists(self) -> frozenset[str]:
        """The segments that are kept lists."""
        return frozenset(name for name, condition in self.conditions.items() if isinstance(condition.tree, tree.Listed))

    @cached_property
    def versions(self) -> dict[str, str]:
        """The version of each segment with a condition."""
        return {name: version_of(name, self.conditions) for name in self.judged}
