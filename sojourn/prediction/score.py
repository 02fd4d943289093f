"""What a model answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """A number and, in words, what it rests on.

    Attributes:
        value: from 0 to 1.
        because: the parts that weigh most, such as `raised by 3 orders within a year`.
    """

    value: float
    because: str


def shown(value: float) -> str:
    """Return a number as people write it: no point where it is whole."""
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"
