"""A number told by its band, such as an age by `25-34`, and conditions about the band put as conditions about the number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sojourn.language.conditions import tree
from sojourn.language.conditions.grammar import ConditionError
from sojourn.language.conditions.tree import Node
from sojourn.language.conditions.values import as_number


@dataclass(frozen=True)
class Banded:
    """A number and the bounds between its bands, rising."""

    of: Node
    bounds: tuple[int, ...]

    def label(self, value: Any) -> str | None:
        """Return the band that a number lies in; None where it is no number."""
        number = as_number(value)
        return None if number is None else self.labels[sum(number >= bound for bound in self.bounds)]

    @property
    def labels(self) -> list[str]:
        """The bands' names, rising: `under 18`, `18-24`, `25-34`, …, `65+`."""
        pairs = zip(self.bounds, self.bounds[1:], strict=False)
        return [f"under {self.bounds[0]}", *(f"{low}-{high - 1}" for low, high in pairs), f"{self.bounds[-1]}+"]

    def is_one_of(self, names: list[Node], name: str, negated: bool = False) -> Node:
        """Return the condition that the number lies in one of some bands, or that it is there and lies in none.

        Raises:
            ConditionError: there is no such band.
        """
        found: list[Node] = [self._in(self._index(each, name)) for each in names]
        any_of = found[0] if len(found) == 1 else tree.Or(tuple(found))
        return tree.And((self.is_there(), tree.Not(any_of))) if negated else any_of

    def is_there(self) -> Node:
        """Return the condition that there is a number at all."""
        edge = tree.Literal(self.bounds[0])
        return tree.Or((tree.Comparison("<", self.of, edge), tree.Comparison(">=", self.of, edge)))

    def _index(self, label: Node, name: str) -> int:
        value = label.value if isinstance(label, tree.Literal) else None
        if value not in self.labels:
            raise ConditionError(f"profile.{name} has no such band", 0, "there are " + ", ".join(f'"{each}"' for each in self.labels))
        return self.labels.index(str(value))

    def _in(self, index: int) -> Node:
        low = tree.Comparison(">=", self.of, tree.Literal(self.bounds[index - 1])) if index else None
        high = tree.Comparison("<", self.of, tree.Literal(self.bounds[index])) if index < len(self.bounds) else None
        sides = tuple(side for side in (low, high) if side is not None)
        return sides[0] if len(sides) == 1 else tree.And(sides)
