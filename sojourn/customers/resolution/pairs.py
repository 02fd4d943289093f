"""What is said of two records: how probable it is that they are one person's, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from sojourn.errors import Terminal

Tell = Callable[[str, int, int], None]  # a phase, how much of it is done, how much there is
_PAIRS = UUID("6b1ff2f0-3a0e-4b0c-9a55-2f6a3f0d6a11")


class NotComparable(Terminal):
    """The records cannot be compared: too few, too many pairs, or a field that is not there."""


def silent(phase: str, done: int, total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Agreement:
    """How one field of two records agrees; never its values."""

    field: str
    level: str
    weight: float  # log2 of how much more often one person's records agree so than strangers'

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return {"field": self.field, "level": self.level, "weight": round(self.weight, 2)}


@dataclass(frozen=True)
class Pair:
    """Two records, the lesser id first."""

    left: str
    right: str
    probability: float
    weight: float  # log2 of the odds
    because: tuple[Agreement, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Both ids, the lesser first."""
        return self.left, self.right

    @property
    def id(self) -> str:
        """The same for the same two records, always."""
        return pair_id(self.left, self.right)

    @property
    def order(self) -> tuple[float, str, str]:
        """Sorts the surest first, and those alike by their ids: the same in every run."""
        return -self.weight, self.left, self.right


@dataclass(frozen=True)
class Relatives:
    """Pairs, by their keys, that may be two people of one home."""

    contradicting: frozenset[tuple[str, str]] = frozenset()  # known to differ where one person's records do not
    unproven: frozenset[tuple[str, str]] = frozenset()  # nothing in the pair tells one person from two


NO_RELATIVES = Relatives()


def ordered(one: str, other: str) -> tuple[str, str]:
    """Return two ids, the lesser first."""
    return (one, other) if one < other else (other, one)


def pair_id(one: str, other: str) -> str:
    """Return the id under which a pair is kept."""
    return str(uuid5(_PAIRS, "\n".join(ordered(one, other))))
