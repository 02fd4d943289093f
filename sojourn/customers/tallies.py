"""How often a person was seen on which device and at which hour: counts that add up when profiles merge.

An hour is counted in UTC with its month, and read in the person's zone as it is then known: so the order in which
events and a zone become known does not matter, and summer time shifts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias
from zoneinfo import ZoneInfo

DEVICE, HOUR = "device", "hour"
Tallies: TypeAlias = "dict[str, dict[str, int]]"
_A_YEAR = 2026  # whose summer time stands for that of any
_KEYS = [[f"{month:02d}T{hour:02d}" for hour in range(24)] for month in range(13)]
_MID_MONTH, _HALF = 15, timedelta(minutes=30)


def count(tallies: Tallies, kind: str, key: str) -> None:
    """Count one more."""
    counts = tallies.setdefault(kind, {})
    counts[key] = counts.get(key, 0) + 1


def hour_key(moment: datetime) -> str:
    """Return what an hour is counted under: its month and its hour in UTC, such as `03T17`."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return _KEYS[utc.month][utc.hour]


def add(tallies: Tallies, other: Mapping[str, Mapping[str, int]]) -> None:
    """Add what was counted of another profile, which is the same person's."""
    for kind, counts in other.items():
        own = tallies.setdefault(kind, {})
        for key, times in counts.items():
            own[key] = own.get(key, 0) + times


def subtract(tallies: Tallies, other: Mapping[str, Mapping[str, int]]) -> None:
    """Take away what was counted of another profile, which turned out to be someone else's; the inverse of `add`."""
    for kind, counts in other.items():
        own = tallies.get(kind, {})
        for key, times in counts.items():
            own[key] = own.get(key, 0) - times
            if own[key] <= 0:
                del own[key]
        if kind in tallies and not own:
            del tallies[kind]


def usual_device(tallies: Mapping[str, Mapping[str, int]]) -> str | None:
    """Return the device on which a person was seen most often; of equals the first by name."""
    return _most(tallies.get(DEVICE, {}))


def usual_hour(tallies: Mapping[str, Mapping[str, int]], zone: str) -> int | None:
    """Return the hour of the day, 0 to 23 in a zone, at which a person was seen most often; of equals the earliest."""
    found = _most(hours(tallies, zone))
    return None if found is None else int(found)


def hours(tallies: Mapping[str, Mapping[str, int]], zone: str) -> dict[str, int]:
    """Return how often a person was seen in each hour of the day in a zone, by `00` to `23`."""
    found: dict[str, int] = {}
    for key, times in tallies.get(HOUR, {}).items():
        local = _local(key, zone)
        found[local] = found.get(local, 0) + times
    return found


def _most(counts: Mapping[str, int]) -> str | None:
    if len(counts) == 1:
        return next(iter(counts))
    return min(counts, key=lambda key: (-counts[key], key), default=None)


@lru_cache(maxsize=8192)
def _local(key: str, zone: str) -> str:
    month, _, hour = key.partition("T")
    middle = datetime(_A_YEAR, int(month), _MID_MONTH, int(hour), tzinfo=UTC) + _HALF
    return f"{middle.astimezone(ZoneInfo(zone)).hour:02d}"
