"""What single columns of an imported row say: a consent, a place, a moment."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sojourn.bulk.cells import truth
from sojourn.bulk.problems import BadRow
from sojourn.customers import consent
from sojourn.customers.traits import MAX_LOCALE, as_zone


def agreed(purpose: str, value: Any) -> bool:
    """Return a yes or a no to a purpose.

    Raises:
        BadRow: it is neither.
    """
    if len(purpose) > consent.MAX_PURPOSE:
        raise BadRow(f"the purpose of a consent has at most {consent.MAX_PURPOSE} characters")
    answer = truth(value)
    if answer is None:
        raise BadRow("a consent must be true or false")
    return answer


def place_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return zone and locale as a call's context says them.

    Raises:
        BadRow: they are none.
    """
    context = {}
    zone, locale = record.get("zone"), record.get("locale")
    if zone is not None:
        if not isinstance(zone, str) or as_zone(zone) is None:
            raise BadRow("zone must be a time zone, such as Europe/Paris")
        context["timezone"] = zone
    if locale is not None:
        if not isinstance(locale, str) or len(locale) > MAX_LOCALE:
            raise BadRow(f"locale must be one, such as en-GB, of at most {MAX_LOCALE} characters")
        context["locale"] = locale
    return context


def moment(value: Any, name: str) -> datetime:
    """Return the moment that a text says.

    Raises:
        BadRow: it says none.
    """
    if isinstance(value, str):
        found = _read_moment(value)
        if found is not None:
            return found
    raise BadRow(f"{name} must be a moment in ISO 8601, such as 2026-01-05T09:00:00Z")


@lru_cache(maxsize=1024)  # neighbours often bear the same
def _read_moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
