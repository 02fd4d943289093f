"""Where a person is, as far as events tell: never by their IP address, which is not kept.

What an event says outright (`context.location`, the traits `city`, `region`, `country` and `address`) counts by its
time, as any trait does. A time zone tells a country too, but only where nothing has been said: it is a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sojourn.customers.normalise import Refusal, country_of, region_of

CHANGED = "Location Changed"
PARTS = ("city", "region", "country")
MAX_CITY = 100
GUESSED = 0  # the time of a country that follows from the zone alone: any word is later
_REGIONS = ("region", "state")


@dataclass(frozen=True)
class Place:
    """A place, as far as it is known."""

    city: str | None = None
    region: str | None = None
    country: str | None = None

    def traits(self) -> dict[str, str]:
        """Return what is known of it, as traits."""
        return {name: value for name in PARTS if (value := getattr(self, name)) is not None}


NOWHERE = Place()


def said(traits: Mapping[str, Any], context: Mapping[str, Any]) -> Place:
    """Return the place that an event tells; what the traits say goes before the address in them, and that before the context."""
    sources = [traits, *(source for source in (traits.get("address"), context.get("location")) if isinstance(source, Mapping))]
    country = next((code for source in sources if (code := country_of(_text(source, "country")))), None)
    city = next((text for source in sources if (text := _text(source, "city"))), None)
    named = next((text for source in sources for name in _REGIONS if (text := _text(source, name))), None)
    region = region_of(named, country) if named else None
    return Place(city, None if isinstance(region, Refusal) else region, country)


class Stand(NamedTuple):
    """City and country as they stand on a profile, with when each was said (GUESSED where it follows from the zone)."""

    city: str | None
    country: str | None
    city_at: int
    country_at: int
    zone_at: int


def moved(before: Stand, after: Stand) -> dict[str, str]:
    """Return the properties of `Location Changed`; none where nobody has moved.

    Only a later word is a move, and only beside a word of its own kind: that a country was guessed wrongly is none.
    """
    if before.city == after.city and before.country == after.country:
        return {}
    city = _differs(before.city, after.city) and after.city_at > before.city_at
    guessed = (before.country_at == GUESSED, after.country_at == GUESSED)
    later = after.zone_at > before.zone_at if all(guessed) else after.country_at > before.country_at and not any(guessed)
    country = _differs(before.country, after.country) and later
    if not city and not country:
        return {}
    # A city that was not said anew may lie in the country that was left.
    to_city = after.city if after.city_at > before.city_at or not country else None
    known = {"from_city": before.city, "from_country": before.country, "to_city": to_city, "to_country": after.country}
    return {name: value for name, value in known.items() if value is not None}


def _differs(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() != other.casefold()


def _text(source: Mapping[str, Any], name: str) -> str:
    value = source.get(name)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    return text if len(text) <= MAX_CITY else ""
