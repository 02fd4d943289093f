"""Telephone numbers in E.164, such as +493012345678."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import phonenumbers

from sojourn.customers.normalise.outcome import Hints, Normalise, Refusal

MAX_LENGTH = 64
_LARGEST = 10**17  # no number has more digits


def phone(country: str | None = None) -> Normalise:
    """Return a normaliser of telephone numbers.

    A number without a country's prefix is read as one of the event's country, else of the shop's, else of `country`.
    An extension is left out: E.164 has none.
    """

    def normalise(value: Any, hints: Hints) -> Any:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LARGEST:
            value = str(value)
        if not isinstance(value, str):
            return Refusal("not a text")
        if len(value) > MAX_LENGTH:
            return Refusal("too long for a telephone number")
        return _e164(value, hints.country or country)

    return normalise


@lru_cache(maxsize=8192)
def _e164(text: str, country: str | None) -> str | Refusal:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        if error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and not text.strip().startswith("+"):
            return Refusal("without a country's prefix, and no country is known")
        return Refusal("not a telephone number")
    if not phonenumbers.is_valid_number(number):
        return Refusal("no number of its country's numbering plan")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
