"""What two values are to each other, in a logic of two values.

A condition holds or it does not; there is no third. Values are of these kinds:

- a **number** (1 and 1.0 are the same), a **text** (compared as written: capital letters matter, and
  order is by code point), **true/false**, a **moment**, and what JSON knows besides: lists and objects.
- **Missing** is what is not there: a property or trait that is absent or null, the event where there
  is none, a score not taken, a division by nought, arithmetic on what is no number, `first` and `last`
  of an event that never happened. `count`, `sum` and `distinct` of nothing are 0.

`==`, `!=`, `<`, `<=`, `>`, `>=`:

- With anything missing, none of them holds; `!=` neither. `not a == b` then does.
- Between kinds, none of them holds: `5 == "5"` does not, `5 != "5"` does not. Save one pair:
  a moment beside a text reads the text as ISO 8601 (`2026-01-31`, `2026-01-31T09:00`, with or without
  seconds, a fraction, `Z` or an offset up to 14 hours). A date by itself is its midnight in the person's
  zone; a time without a zone is UTC. A text that is no such moment does not hold.
- Two texts that both name moments are compared as moments, so `2026-01-05T15:00+01:00` is `2026-01-05T14:00:00Z`.
  Where one that is written in the condition names a moment, and the other names none, only `==` and `!=` tell
  them apart: no order holds. All other texts are compared as texts.
- A number is a moment where its event's schema says so (see calendar.py): seconds or milliseconds since 1970.
- True and false know `==` and `!=` only. Lists and objects know none.

`x in y`: y is a list (x equals one of it by `==`) or x and y are texts (x is part of y). `x not in y`
holds where x is there, y is such a list or text, and `x in y` does not hold.

A value alone (`event.gift`, `count("Order Completed")`) holds where it is true, a number other than 0,
a text, list or object that is not empty, or a moment. `x is defined` holds where x is not missing.

Windows: `within="7d"` is `now - 7d < time <= now`. A sum counts millionths, so that cents add up.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from sojourn.language.conditions.tree import Path
from sojourn.local_time import DATE, parse_moment

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBERS = (int, float)  # and not bool, which Python takes for an int
_MILLIONTH = 1_000_000
_EXACT = 2.0**52


OLDEST_EPOCH, SECONDS_BELOW, YOUNGEST_EPOCH = -3e10, 1e11, 1e14
"""Numbers since 1970: from the year 1019 on; below the second in seconds (to 5138), from it on in milliseconds (from 1973)."""


def names_moment(text: str) -> bool:
    """Tell whether a text names a moment, in whichever zone; quick to say no."""
    return len(text) >= DATE and text[4] == "-" and parse_moment(text) is not None


def is_date(value: Any) -> bool:
    """Tell whether a value is a text that names a date, which is another moment in each zone."""
    return isinstance(value, str) and len(value) == DATE and names_moment(value)


def as_moment(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """Return a value as a moment; None where it is none."""
    if isinstance(value, datetime):
        return value
    return parse_moment(value, zone) if isinstance(value, str) else None


def as_number(value: Any) -> float | None:
    """Return a value as a number to reckon with; None where it is none."""
    kind = type(value)
    return float(value) if kind is float or kind is int else None


def compare(symbol: str, written: bool = False) -> Callable[[Any, Any, tzinfo], bool]:
    """Return the comparison of that symbol, for any two values and the zone in which dates are midnights.

    Args:
        symbol: such as <=.
        written: whether one of them is a text that names a moment, and is written in the condition.
    """
    plain = OPERATORS[symbol]
    equality = symbol in ("==", "!=")
    only_moments = written and not equality

    def holds(one: Any, other: Any, zone: tzinfo) -> bool:
        left, right = type(one), type(other)
        if left in _NUMBERS and right in _NUMBERS:
            return plain(one, other)
        if left is str and right is str:
            if names_moment(one) and names_moment(other):
                return plain(parse_moment(one, zone), parse_moment(other, zone))
            return not only_moments and plain(one, other)
        if left is bool and right is bool:
            return equality and plain(one, other)
        if isinstance(one, datetime) or isinstance(other, datetime):
            first, second = as_moment(one, zone), as_moment(other, zone)
            return first is not None and second is not None and plain(first, second)
        return False

    return holds


_equal = compare("==")


def contains(one: Any, other: Any, negated: bool, zone: tzinfo = UTC) -> bool:
    """Tell whether `one in other` holds, or `one not in other`."""
    if one is None:
        return False
    if type(other) is list or type(other) is tuple:
        return any(_equal(one, item, zone) for item in other) is not negated
    if type(other) is str and type(one) is str:
        return (one in other) is not negated
    return False


def truth(value: Any) -> bool:
    """Tell whether a value alone holds."""
    return bool(value)


def walk(value: Any, path: Path) -> Any:
    """Return what stands at a path inside plain JSON; None where nothing does."""
    for part in path:
        if isinstance(part, str):
            value = value.get(part) if isinstance(value, Mapping) else None
        elif isinstance(value, Sequence) and not isinstance(value, str) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def reckon(symbol: str, one: Any, other: Any) -> float | None:
    """Return two numbers made one; None where one is missing or the result is none."""
    left, right = as_number(one), as_number(other)
    if left is None or right is None or (symbol == "/" and right == 0):
        return None
    result = left + right if symbol == "+" else left - right if symbol == "-" else left * right if symbol == "*" else left / right
    return result if math.isfinite(result) else None


def total(values: Iterable[Any]) -> float:
    """Return the sum of those values that are numbers, each to the millionth."""
    return net([values])


def net(parts: Sequence[Iterable[Any]]) -> float:
    """Return the sum of the first part's numbers less those of the others, each number to the millionth."""
    first, *others = (sum(millionths(number) for number in map(as_number, part) if number is not None) for part in parts)
    return (first - sum(others)) / _MILLIONTH


def millionths(number: float) -> float:
    """Return a number in whole millionths, as a float."""
    scaled = number * _MILLIONTH
    return scaled if abs(scaled) > _EXACT else float(int(scaled + math.copysign(0.5, scaled)))


def count_distinct(values: Iterable[Any]) -> int:
    """Return how many different numbers, texts and truths there are; lists and objects are not counted."""
    known = [value for value in values if isinstance(value, bool | int | float | str | datetime)]
    return len({("truth", value) if type(value) is bool else value for value in known})


def days_between(earlier: datetime, later: datetime) -> float:
    """Return days with fractions from one moment to another."""
    return ((later - earlier) // timedelta(microseconds=1)) / 86_400_000_000.0


__all__ = [
    "DATE", "OLDEST_EPOCH", "OPERATORS", "SECONDS_BELOW", "YOUNGEST_EPOCH", "as_moment", "as_number", "compare", "contains",
    "count_distinct", "days_between", "is_date", "millionths", "names_moment", "net", "reckon", "total", "truth", "walk",
]  # fmt: skip
