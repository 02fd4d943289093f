"""The plain types that a trait may have: what is taken for each, and in what form it is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from sojourn.customers.normalise.dates import dates
from sojourn.customers.normalise.outcome import NOT_TEXT, Hints, Normalise, Refusal
from sojourn.language.conditions.calendar import moment_of_epoch
from sojourn.local_time import parse_moment

_LARGEST = 2**63
_NUMBER = re.compile(r"^[-+]?\d{1,15}(\.\d{1,9})?$")
_MONEY = re.compile(r"^(?P<amount>[-+]?\d{1,12}(\.\d{1,4})?) ?(?P<currency>[A-Z]{3})$")
_CURRENCY = re.compile(r"^[A-Z]{3}$")
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


def _text(value: Any, hints: Hints) -> Any:
    if isinstance(value, str):
        return value
    number = _number(value, hints)
    return NOT_TEXT if isinstance(number, Refusal) else str(number)


def _number(value: Any, hints: Hints) -> Any:
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        plain = value.strip()
        return float(plain) if "." in plain else int(plain)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Refusal("not a number")
    if isinstance(value, int):
        return value if abs(value) < _LARGEST else Refusal("too large a number")
    return value if math.isfinite(value) else Refusal("not a finite number")


def _boolean(value: Any, hints: Hints) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = _TRUTHS.get(value.strip().casefold())
    elif isinstance(value, int) and value in (0, 1):
        value = bool(value)
    else:
        value = None
    return Refusal("neither true nor false") if value is None else value


FIRST_EPOCH = 100_000_000  # of March 1973; a smaller number, such as 20260105, is no count of seconds


def _moment(value: Any, hints: Hints) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = moment_of_epoch(value) if value >= FIRST_EPOCH else None
    else:
        found = parse_moment(value.strip()) if isinstance(value, str) else None
    if found is None:
        return Refusal("not a moment in ISO 8601, such as 2026-01-31T09:00:00Z")
    return found.strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # as long as any other, so that texts compare as moments do


def _money(value: Any, hints: Hints) -> Any:
    amount, currency = value, hints.currency
    if isinstance(value, str) and (found := _MONEY.match(value.strip())):
        amount, currency = found["amount"], found["currency"]
    elif isinstance(value, Mapping):
        amount, currency = value.get("amount"), value.get("currency", hints.currency)
    number = _number(amount, hints)
    if isinstance(number, Refusal):
        return Refusal('not an amount; send a number, or {"amount": 12.5, "currency": "EUR"}')
    if not isinstance(currency, str) or not _CURRENCY.match(currency.upper()):
        return Refusal("an amount without a currency")
    return {"amount": number, "currency": currency.upper()}


def _list(value: Any, hints: Hints) -> Any:
    return value if isinstance(value, list) else Refusal("not a list")


def _object(value: Any, hints: Hints) -> Any:
    return value if isinstance(value, dict) else Refusal("not an object")


TYPES: dict[str, Normalise] = {
    "text": _text, "number": _number, "money": _money, "boolean": _boolean, "moment": _moment, "date": dates(),
    "list": _list, "object": _object,
}  # fmt: skip
"""By the name of a type, what brings a word into its form, or refuses it."""
