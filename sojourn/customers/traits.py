"""What is known of a person, whatever the order in which it was said.

Of two words about a trait its merge rule says which stands (merging.py): the latest, where nothing else is declared,
by the time of the event and not of its arrival; so each trait's time is kept beside it, and its rule where it is
another. A trait said to be null is removed. What was counted (tallies.py) and what follows from the rest (the usual
device and hour, the country of a time zone) is kept here too, so that everything that asks for traits finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from sojourn.customers import tallies as counted
from sojourn.customers.declared import DEFAULT, Rules
from sojourn.customers.merging import LATEST, MERGES, rank
from sojourn.customers.normalise import country_of_zone
from sojourn.customers.place import GUESSED, Stand
from sojourn.customers.tallies import Tallies
from sojourn.store.types import to_micros

_TRAITS, _RULES, _ZONE, _LOCALE = "traits", "rules", "zone", "locale"
_CITY, _COUNTRY = "city", "country"
USUAL_DEVICE, USUAL_HOUR = "usual_device", "usual_hour"
MAX_LOCALE = 35
_OFFSET = re.compile(r"^(?:GMT|UTC)(?P<sign>[+-])(?P<hours>\d{2}):?00$")
_OFFSET_ZONE = "Etc/GMT"


@dataclass
class Profile:
    """A person's row, as it changes."""

    id: str
    first_seen: datetime
    last_seen: datetime
    traits: dict[str, Any] = field(default_factory=dict)
    times: dict[str, Any] = field(default_factory=dict)
    zone: str | None = None
    locale: str | None = None
    merged_into: str | None = None
    tallies: Tallies = field(default_factory=dict)

    def see(self, moment: datetime) -> bool:
        """Widen the span in which the person was seen; tell whether it grew."""
        if self.first_seen <= moment <= self.last_seen:
            return False
        self.first_seen, self.last_seen = min(self.first_seen, moment), max(self.last_seen, moment)
        return True

    def hear(self, traits: Mapping[str, Any], at: datetime, rules: Rules = DEFAULT) -> bool:
        """Take in traits said at a moment, in the form that `Rules.take` gives; tell whether anything changed."""
        said = self.times.setdefault(_TRAITS, {})
        micros = to_micros(at)
        changed = [self._hear(said, name, value, micros, rules.merge_of(name)) for name, value in traits.items()]
        return any(changed)

    def count(self, kind: str, key: str) -> None:
        """Count one more event on a device or in an hour (tallies.py)."""
        counted.count(self.tallies, kind, key)

    def settle(self, rules: Rules) -> bool:
        """Bring what follows from the rest up to date, as far as the rules observe it; tell whether anything changed."""
        changed = self._guess_country() if rules.place else False
        if rules.device:
            changed = self._follows(USUAL_DEVICE, counted.usual_device(self.tallies)) or changed
        if rules.hour:
            changed = self._follows(USUAL_HOUR, counted.usual_hour(self.tallies, self.zone or rules.zone)) or changed
        return changed

    def stand(self) -> Stand:
        """Return city and country as they stand, and since when."""
        said = self.times.get(_TRAITS, {})
        city, country = self.traits.get(_CITY), self.traits.get(_COUNTRY)
        return Stand(
            city if isinstance(city, str) else None,
            country if isinstance(country, str) else None,
            said.get(_CITY, GUESSED),
            said.get(_COUNTRY, GUESSED),
            self.times.get(_ZONE, 0),
        )

    def place(self, zone: str | None, locale: str | None, at: datetime) -> bool:
        """Take in a time zone and a locale said at a moment, where they are ones; tell whether anything changed."""
        micros = to_micros(at)
        changed = False
        named = as_zone(zone) if zone else None
        if named and self._zone_stands(named, micros):
            self.zone, self.times[_ZONE] = named, micros
            changed = True
        if locale and len(locale) <= MAX_LOCALE and _later(self.times.get(_LOCALE), micros, locale, self.locale):
            self.locale, self.times[_LOCALE] = locale, micros
            changed = True
        return changed

    def absorb(self, other: Profile) -> None:
        """Take in all that is known of another, who is the same person."""
        said, own, theirs = self.times.setdefault(_TRAITS, {}), self.times.get(_RULES, {}), other.times.get(_RULES, {})
        for name, micros in other.times.get(_TRAITS, {}).items():
            rule = max(own.get(name, LATEST), theirs.get(name, LATEST), key=lambda rule: (rule != LATEST, rule))
            self._hear(said, name, other.traits.get(name), micros, rule)
        if other.zone and self._zone_stands(other.zone, other.times.get(_ZONE, 0)):
            self.zone, self.times[_ZONE] = other.zone, other.times.get(_ZONE, 0)
        if other.locale and _later(self.times.get(_LOCALE), other.times.get(_LOCALE, 0), other.locale, self.locale):
            self.locale, self.times[_LOCALE] = other.locale, other.times.get(_LOCALE, 0)
        self.see(other.first_seen)
        self.see(other.last_seen)
        counted.add(self.tallies, other.tallies)
        if _COUNTRY in said and said[_COUNTRY] == GUESSED:
            self._guess_country()
        if USUAL_DEVICE in self.traits or USUAL_DEVICE in other.traits:
            self._follows(USUAL_DEVICE, counted.usual_device(self.tallies))
        if self.zone and (USUAL_HOUR in self.traits or USUAL_HOUR in other.traits):
            self._follows(USUAL_HOUR, counted.usual_hour(self.tallies, self.zone))

    def _zone_stands(self, zone: str, micros: int) -> bool:
        """Tell whether a zone displaces the known one; a bare offset, which knows no summer time, never displaces a place."""
        if self.zone is not None and _is_offset(zone) != _is_offset(self.zone):
            return _is_offset(self.zone)
        return _later(self.times.get(_ZONE), micros, zone, self.zone)

    def _hear(self, said: dict[str, int], name: str, value: Any, micros: int, rule: str) -> bool:
        known = said.get(name)
        if rule == LATEST:
            if not _later(known, micros, value, self.traits.get(name)):
                return False
        else:
            merge = MERGES[rule]
            self.times.setdefault(_RULES, {})[name] = rule
            standing = (micros, value) if known is None else (known, self.traits.get(name))
            joined = merge(standing, (micros, value))
            if known is not None and joined == standing and type(joined[1]) is type(standing[1]):
                return False
            micros, value = joined
        said[name] = micros
        if value is None:
            self.traits.pop(name, None)
        else:
            self.traits[name] = value
        return True

    def _follows(self, name: str, value: Any) -> bool:
        """Keep what follows from the rest as a trait; it was never said, so it has no time."""
        if self.traits.get(name) == value:
            return False
        if value is None:
            self.traits.pop(name, None)
        else:
            self.traits[name] = value
        return True

    def _guess_country(self) -> bool:
        """Where nobody has said a country, take that of the time zone: whatever is said stands before it."""
        said = self.times.setdefault(_TRAITS, {})
        if said.get(_COUNTRY, GUESSED) != GUESSED:
            return False
        country = country_of_zone(self.zone) if self.zone else None
        if country is not None:
            said[_COUNTRY] = GUESSED
        return self._follows(_COUNTRY, country)


def _later(known: int | None, micros: int, value: Any, standing: Any) -> bool:
    if known is None or micros > known:
        return True
    return micros == known and rank(value) > rank(standing)


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def as_zone(name: str) -> str | None:
    """Return a time zone's name; of an offset such as `GMT+0100` (all that some browser libraries tell) the zone of that offset."""
    if name in _zones():
        return name
    offset = _OFFSET.match(name)
    if offset is None:
        return None
    turned = "-" if offset["sign"] == "+" else "+"  # these zones count the other way
    zone = f"{_OFFSET_ZONE}{turned}{int(offset['hours'])}"
    return zone if zone in _zones() else None


def _is_offset(zone: str) -> bool:
    return zone.startswith(_OFFSET_ZONE)
