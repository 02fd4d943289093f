"""Time zones by their names, the instants of local times in them, and the moments that texts name."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

DATE = 10  # characters of a date by itself
ISO_PATTERN = (
    r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
    r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?)?$"
)
_ISO = re.compile(ISO_PATTERN.replace("$", r"\Z"))
_FRACTION = re.compile(r"\.([0-9]+)")
_MIDNIGHT = time()


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


@lru_cache(maxsize=8192)
def parse_moment(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the moment that an ISO 8601 text names, in UTC; None where it names none.

    Args:
        text: such as 2026-01-31T09:00:00Z.
        zone: in which a date by itself is its midnight.
    """
    if not _ISO.match(text):
        return None
    if len(text) == DATE:
        try:
            return local_instant(date.fromisoformat(text), _MIDNIGHT, zone)
        except ValueError:
            return None
    body = _FRACTION.sub(lambda found: "." + (found[1] + "00000")[:6], text)
    try:
        moment = datetime.fromisoformat(body)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


__all__ = ["DATE", "ISO_PATTERN", "local_instant", "parse_moment", "zone_name", "zone_named"]
