"""How amounts, times and numbers are said to a person: by locale, zone and moment (CLDR's data, by babel)."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time, format_timedelta
from babel.numbers import format_decimal, format_percent, get_currency_precision

from sojourn.content.facts import kind_of
from sojourn.errors import RenderError

LENGTHS = ("short", "medium", "long", "full")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d$")
_CLOSE = re.compile(r"(?<=[A-Za-z])(?=-?\d)")  # CLDR puts a blank between a code of letters and its amount; babel does not
_LARGEST = Decimal("1e12")


@dataclass(frozen=True)
class Speech:
    """How to speak to one person.

    Attributes:
        locale: language and region, such as `de-AT`.
        zone: time zone, such as `Europe/Vienna`.
        now: the moment at which the message is made; None where it is not known.
        currency: of amounts that name none.
    """

    locale: str = "en"
    zone: str = "UTC"
    now: datetime | None = None
    currency: str = "EUR"


@lru_cache(maxsize=256)
def locale_of(tag: str) -> Locale:
    """Return a locale, or that of its language alone, or English where neither is known."""
    parts = re.split(r"[-_]", tag)
    for end in range(len(parts), 0, -1):
        try:
            return Locale.parse("_".join(parts[:end]))
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; UTC where it is not known."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=512)
def _amounts(locale: str, digits: int) -> Any:
    pattern = copy(locale_of(locale).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def money(value: Any, speech: Speech, currency: str | None = None) -> str:
    """Return an amount as people write it where they live: `€140`, `€19.90`, `19,90 €`; without decimals where it is whole."""
    code = str(currency or speech.currency).upper()
    amount = number_of(value, "`money` needs an amount, such as event.price | money(shop.currency)")
    digits = get_currency_precision(code)
    amount = amount.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    whole = amount == amount.to_integral_value()
    said = _amounts(speech.locale, 0 if whole else digits).apply(amount, locale_of(speech.locale), currency=code, currency_digits=False)
    return _CLOSE.sub("\u00a0", said)


def number(value: Any, speech: Speech, decimals: int | None = None) -> str:
    """Return a number with its groups and decimals."""
    found = number_of(value, "`number` needs a number")
    if decimals is not None:
        found = found.quantize(Decimal(1).scaleb(-min(max(int(decimals), 0), 6)), ROUND_HALF_UP)
        return format_decimal(found, locale=locale_of(speech.locale), decimal_quantization=False)
    return format_decimal(found, locale=locale_of(speech.locale))


def percent(value: Any, speech: Speech) -> str:
    """Return a share as per cent: `0.25` is `25%`."""
    return format_percent(number_of(value, "`percent` needs a share, such as 0.25"), locale=locale_of(speech.locale))


def number_of(value: Any, problem: str) -> Decimal:
    """Return a number.

    Raises:
        RenderError: it is none, or too large to be one that is told to a person.
    """
    try:
        found = Decimal(str(value)) if not isinstance(value, bool) else Decimal("nan")
    except InvalidOperation:
        raise RenderError(f"{problem}, not {_called(value)}") from None
    if not found.is_finite() or abs(found) >= _LARGEST:
        raise RenderError(f"{problem}, not {f'one beyond {_LARGEST:g}' if found.is_finite() else _called(value)}")
    return found


def category(value: Any, speech: Speech) -> str:
    """Return the plural category of a number: zero, one, two, few, many or other (CLDR)."""
    return str(locale_of(speech.locale).plural_form(number_of(value, "`plural` needs a number")))


def day(value: Any, speech: Speech, length: str = "medium") -> str:
    """Return a day; of a moment that in the person's zone."""
    return format_date(_moment(value, speech), _length(length), locale=locale_of(speech.locale))


def clock_time(value: Any, speech: Speech, length: str = "short") -> str:
    """Return the time of day in the person's zone."""
    return format_time(_moment(value, speech), _length(length), locale=locale_of(speech.locale))


def moment(value: Any, speech: Speech, length: str = "medium") -> str:
    """Return day and time in the person's zone."""
    return format_datetime(_moment(value, speech), _length(length), locale=locale_of(speech.locale))


def relative(value: Any, speech: Speech) -> str:
    """Return how far off a moment is: `in 3 days`, `2 hours ago`."""
    if speech.now is None:
        raise RenderError("`relative` needs to know what time it is")
    return format_timedelta(_moment(value, speech) - speech.now, add_direction=True, locale=locale_of(speech.locale))


def _length(length: str) -> Any:
    if length not in LENGTHS:
        raise RenderError(f"a day or time is said {', '.join(LENGTHS)}")
    return length


def _moment(value: Any, speech: Speech) -> datetime:
    """Return a moment in the person's zone; a day alone is that day wherever one is."""
    zone = zone_of(speech.zone)
    if isinstance(value, str):
        try:
            if _DAY.match(value):
                return datetime.combine(date.fromisoformat(value), time(12), zone)
            found = datetime.fromisoformat(value)
            return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).astimezone(zone)
        except (ValueError, OverflowError):
            pass
    raise RenderError(f"a day or moment is needed, such as 2026-01-05 or 2026-01-05T09:00:00Z, not {_called(value)}")


def _called(value: Any) -> str:
    kind = kind_of(value)
    return f"{kind} that is none" if kind == "a text" else kind
