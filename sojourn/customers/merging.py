"""Which of two words stands, for each merge rule; in whatever order and however often they are said.

A trait's state is when it was said and what. Each rule joins two states so that the order does not matter
(commutative), nor the grouping (associative), nor a repetition (idempotent): the same words, late or twice or on
two profiles that turn out to be one person's, come to the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

MAX_UNION = 500  # the first by their JSON; a list in a profile is read with every condition
State: TypeAlias = "tuple[int, Any]"
"""Microseconds since 1970, and the value; None where the latest word took it away."""
Merge: TypeAlias = Callable[[State, State], State]


def rank(value: Any) -> bytes:
    """Return what decides between values that nothing else decides between: arbitrary, but the same everywhere."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def latest(one: State, other: State) -> State:
    """Return the later word; of two said at the same moment the one that ranks higher."""
    if one[0] != other[0]:
        return one if one[0] > other[0] else other
    return one if rank(one[1]) >= rank(other[1]) else other


def first(one: State, other: State) -> State:
    """Return the earlier word; of two said at the same moment the one that ranks higher."""
    if one[0] != other[0]:
        return one if one[0] < other[0] else other
    return one if rank(one[1]) >= rank(other[1]) else other


def _by(order: Callable[[Any], Any], wins: Callable[[Any, Any], Any]) -> Merge:
    def merge(one: State, other: State) -> State:
        value = wins(one[1], other[1], key=lambda value: (*order(value), rank(value)))  # type: ignore[call-arg]
        return max(one[0], other[0]), value  # said again is said later: its retention counts from then

    return merge


def _size(value: Any) -> tuple[int, float, str]:
    """Return how large a number or a text (of a moment or a date) is; anything else is smaller than either."""
    if isinstance(value, str):
        return 1, 0.0, value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 2, float(value), ""
    return 0, 0.0, ""


def _smallness(value: Any) -> tuple[int, float, str]:
    kind, number, text = _size(value)
    return -kind, number, text


def _is_true(value: Any) -> tuple[int]:
    return (2 if value is True else 1 if value is False else 0,)


def _is_false(value: Any) -> tuple[int]:
    return (2 if value is False else 1 if value is True else 0,)


def union(one: State, other: State) -> State:
    """Return what either list holds, sorted; a value that is no list is taken for one of itself."""
    every = {rank(item): item for value in (one[1], other[1]) for item in (value if isinstance(value, list) else [value])}
    return max(one[0], other[0]), [every[key] for key in sorted(every)[:MAX_UNION]]


MERGES: dict[str, Merge] = {
    "latest": latest,
    "first": first,
    "max": _by(_size, max),
    "min": _by(_smallness, min),
    "any": _by(_is_true, max),
    "all": _by(_is_false, max),
    "union": union,
}
"""By the name of a merge rule."""
LATEST = "latest"
