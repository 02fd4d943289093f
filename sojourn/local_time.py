"""Time zones by their names, and the instants of local times in them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone; write one such as Europe/Berlin, America/New_York or UTC")
    return ZoneInfo(name)


def zone_name(zone: tzinfo) -> str:
    """Return the IANA name of a time zone; UTC of one without."""
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


@lru_cache(maxsize=8192)
def local_instant(day: date, at: time, zone: tzinfo) -> datetime:
    """Return the first instant of a day whose wall clock has reached a time."""
    local = datetime.combine(day, at, tzinfo=zone)
    late = local.astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return late
    early = local.replace(fold=1).astimezone(UTC)  # the skipped time read by the clock after the jump lies before the jump
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


__all__ = ["local_instant", "zone_name", "zone_named"]
