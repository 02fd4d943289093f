"""Dates as ISO 8601, from the forms in which people and systems write them."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal

from sojourn.customers.normalise.outcome import Hints, Normalise, Refusal

MAX_LENGTH = 40
FIRST_YEAR = 1000  # four digits: a year of two says too little
_ISO = re.compile(r"^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ].*)?$")
_YEAR_FIRST = re.compile(r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_POINTS = re.compile(r"^(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})$")  # where points stand, the day always comes first
_SLASHES = re.compile(r"^(\d{1,2})[/-](\d{1,2})[/-](\d{4})$")
_IN_WORDS = ("%d %B %Y", "%d %b %Y", "%d. %B %Y", "%d. %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%d-%b-%Y")
_NO_DATE = Refusal("not a date; write one such as 1990-04-03")


def dates(order: Literal["dmy", "mdy"] = "dmy") -> Normalise:
    """Return a normaliser of dates: `3.4.1990`, `1990/04/03`, `19900403`, `3 April 1990` are 1990-04-03.

    Args:
        order: how `3/4/1990` is read; where only one way gives a date, that one counts.
    """

    def normalise(value: Any, hints: Hints) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and 10_000_101 <= value <= 99_991_231:
            value = str(value)
        if isinstance(value, dict):
            parts: list[Any] = [value.get(part) for part in ("year", "month", "day")]
            return _date(*parts) if all(type(part) is int for part in parts) else _NO_DATE
        if not isinstance(value, str):
            return _NO_DATE
        return _read(value, order) if len(value) <= MAX_LENGTH else _NO_DATE

    return normalise


@lru_cache(maxsize=4096)
def _read(text: str, order: str) -> str | Refusal:
    plain = " ".join(text.split())
    for pattern in (_ISO, _YEAR_FIRST, _COMPACT):
        if found := pattern.match(plain):
            return _date(*map(int, found.groups()))
    if found := _POINTS.match(plain):
        day, month, year = map(int, found.groups())
        return _date(year, month, day)
    if found := _SLASHES.match(plain):
        one, other, year = map(int, found.groups())
        first, second = (other, one), (one, other)
        if order == "mdy":
            first, second = second, first
        read = _date(year, *first)
        return _date(year, *second) if isinstance(read, Refusal) else read
    return _in_words(plain)


def _in_words(text: str) -> str | Refusal:
    for pattern in _IN_WORDS:
        try:
            found = datetime.strptime(text, pattern)  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
        return _date(found.year, found.month, found.day)
    return _NO_DATE


def _date(year: int, month: int, day: int) -> str | Refusal:
    if not FIRST_YEAR <= year <= 9999:
        return _NO_DATE
    try:
        return date(year, month, day).isoformat()
    except (ValueError, OverflowError):
        return _NO_DATE
