"""What is known of a person, whatever the order in which it was said.

The latest said wins, trait by trait, by the time of the event and not of its arrival; so each trait's
time is kept beside it. Of two said at the same moment the greater text wins: arbitrary, but the same
in every order. A trait said to be null is removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

import orjson

from sojourn.store.types import to_micros

_TRAITS, _ZONE, _LOCALE = "traits", "zone", "locale"
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

    def see(self, moment: datetime) -> bool:
        """Widen the span in which the person was seen; tell whether it grew."""
        if self.first_seen <= moment <= self.last_seen:
            return False
        self.first_seen, self.last_seen = min(self.first_seen, moment), max(self.last_seen, moment)
        return True

    def hear(self, traits: Mapping[str, Any], at: datetime) -> bool:
        """Take in traits said at a moment; tell whether anything changed."""
        said = self.times.setdefault(_TRAITS, {})
        micros = to_micros(at)
        changed = [self._hear(said, name, value, micros) for name, value in traits.items()]
        return any(changed)

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
        said = self.times.setdefault(_TRAITS, {})
        for name, micros in other.times.get(_TRAITS, {}).items():
            self._hear(said, name, other.traits.get(name), micros)
        if other.zone and self._zone_stands(other.zone, other.times.get(_ZONE, 0)):
            self.zone, self.times[_ZONE] = other.zone, other.times.get(_ZONE, 0)
        if other.locale and _later(self.times.get(_LOCALE), other.times.get(_LOCALE, 0), other.locale, self.locale):
            self.locale, self.times[_LOCALE] = other.locale, other.times.get(_LOCALE, 0)
        self.see(other.first_seen)
        self.see(other.last_seen)

    def _zone_stands(self, zone: str, micros: int) -> bool:
        """Tell whether a zone displaces the known one; a bare offset, which knows no summer time, never displaces a place."""
        if self.zone is not None and _is_offset(zone) != _is_offset(self.zone):
            return _is_offset(self.zone)
        return _later(self.times.get(_ZONE), micros, zone, self.zone)

    def _hear(self, said: dict[str, int], name: str, value: Any, micros: int) -> bool:
        if not _later(said.get(name), micros, value, self.traits.get(name)):
            return False
        said[name] = micros
        if value is None:
            self.traits.pop(name, None)
        else:
            self.traits[name] = value
        return True


def _later(known: int | None, micros: int, value: Any, standing: Any) -> bool:
    if known is None or micros > known:
        return True
    return micros == known and value != standing and _rank(value) > _rank(standing)


def _rank(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


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
