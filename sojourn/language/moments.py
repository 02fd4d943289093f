"""Local moments as people write them: `09:00`, `tue 09:00`, `mon-fri 09:00`, and hours such as `09:00-20:00`.

A day's `09:00` is the first instant of that day whose wall clock has reached 09:00. So a time that daylight
saving skips is the instant the clock jumps past it, and of a time that comes twice the first counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from sojourn.local_time import local_instant, zone_name, zone_named

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")
_HOURS = re.compile(r"^\s*(?:([a-z][a-z,-]*)\s+)?([\d:]+)\s*-\s*([\d:]+)\s*$")
_EVERY_DAY = frozenset(range(7))
_LOOK_AHEAD_DAYS = 9  # a week, and room for a day that a zone skipped on crossing the date line


@dataclass(frozen=True)
class LocalMoment:
    """A time of day on some days of the week (0 is Monday)."""

    at: time
    days: frozenset[int]

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> LocalMoment:
        """Return what a text such as `mon-fri 09:00` means.

        Raises:
            ValueError: it means nothing; the message says what may stand there.
        """
        parts = text.lower().split()
        if not 1 <= len(parts) <= 2:
            raise ValueError(f"{text!r} is not a local moment; write 09:00, tue 09:00, mon-fri 09:00 or tue,thu 09:00")
        return LocalMoment(_time(parts[-1]), _days(parts[0]) if len(parts) == 2 else frozenset(range(7)))


def next_local(text: str, after: datetime, zone: tzinfo | str) -> datetime:
    """Return the next instant, in UTC and later than `after`, at which a local moment comes.

    Args:
        text: such as `09:00`, `tue 09:00`, `mon-fri 09:00` or `tue,thu 9:00`.
        after: an aware moment.
        zone: the person's time zone.

    Raises:
        ValueError: the text or the zone's name means nothing.
    """
    moment = LocalMoment.parse(text)
    where = zone_named(zone) if isinstance(zone, str) else zone
    for day in _days_from(after, where, back=1):
        if day.weekday() in moment.days:
            instant = local_instant(day, moment.at, where)
            if instant > after:
                return instant
    raise ValueError(f"{text!r} never comes in {where}")


@dataclass(frozen=True)
class Hours:
    """Hours of each day, or of some days of the week, end exclusive; those that pass midnight belong to the day they begin on."""

    start: time
    end: time
    days: frozenset[int] = _EVERY_DAY

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> Hours:
        """Return what a text such as `09:00-20:00`, `21:00-08:00` or `mon-fri 09:00-18:00` means.

        Raises:
            ValueError: it means nothing, or no time at all.
        """
        match = _HOURS.match(text.lower())
        if match is None:
            raise ValueError(f"{text!r} are not hours; write such as 09:00-20:00 or mon-fri 09:00-18:00")
        start, end = _time(match[2]), _time(match[3])
        if start == end:
            raise ValueError(f"{text!r} begin and end at the same time; leave them out to mean the whole day")
        return Hours(start, end, _days(match[1]) if match[1] else _EVERY_DAY)

    @property
    def every_day(self) -> bool:
        """Whether they are the same every day."""
        return self.days == _EVERY_DAY

    def opens(self, now: datetime, zone: tzinfo | str) -> datetime | None:
        """Return None where `now` lies in these hours, else the moment, in UTC, at which they next begin."""
        where = zone_named(zone) if isinstance(zone, str) else zone
        for start, end in self._windows(now, where):
            if start <= now < end:
                return None
            if start > now:
                return start
        raise ValueError(f"{self} never come in {where}")

    def closes(self, now: datetime, zone: tzinfo | str) -> datetime | None:
        """Return None where `now` lies outside these hours, else the moment, in UTC, at which they end: the way out of quiet hours."""
        return self.complement().opens(now, zone)

    def complement(self) -> Hours:
        """Return all other hours of the day.

        Raises:
            ValueError: they are not the same every day.
        """
        if not self.every_day:
            raise ValueError(f"{self} are not the same every day")
        return Hours(self.end, self.start)

    def _windows(self, now: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        for day in _days_from(now, zone, back=2):
            if day.weekday() not in self.days:
                continue
            last = day if self.start < self.end else day + timedelta(days=1)
            start, end = local_instant(day, self.start, zone), local_instant(last, self.end, zone)
            if start < end:
                yield start, end

    def __str__(self) -> str:
        days = "" if self.every_day else ",".join(DAYS[day] for day in sorted(self.days)) + " "
        return f"{days}{self.start:%H:%M}-{self.end:%H:%M}"


def calendar_span(per: str, moment: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first instant of the day, week (from Monday) or month that a moment lies in, in a zone, and that of the next; in UTC.

    A day that daylight saving makes shorter or longer is one day all the same.
    """
    first = moment.astimezone(zone).date()
    if per == "day":
        after = first + timedelta(days=1)
    elif per == "week":
        first -= timedelta(days=first.weekday())
        after = first + timedelta(days=7)
    else:
        first = first.replace(day=1)
        after = (first + timedelta(days=32)).replace(day=1)
    return local_instant(first, time(), zone), local_instant(after, time(), zone)


def _time(text: str) -> time:
    match = _TIME.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time of day; write hours and minutes such as 09:00 or 21:30")
    return time(int(match[1]), int(match[2]))


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"{part!r} is not a day; write mon, tue, wed, thu, fri, sat or sun, a range mon-fri or a list tue,thu")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found.update((begin + i) % 7 for i in range((end - begin) % 7 + 1))
    return frozenset(found)


def _days_from(moment: datetime, zone: tzinfo, back: int) -> Iterator[date]:
    today = moment.astimezone(zone).date()
    return (today + timedelta(days=i) for i in range(-back, _LOOK_AHEAD_DAYS))


__all__ = ["DAYS", "Hours", "LocalMoment", "calendar_span", "local_instant", "next_local", "zone_name", "zone_named"]
