"""Finds times whose zone is wrong: events that come whole hours late, and a day whose hours moved from one day to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import pi, sqrt
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from sojourn.intake.audit.logged import logged
from sojourn.intake.audit.noted import Note, Period, percent
from sojourn.intake.audit.rhythm import HOUR, LATE_MIN, LATE_SHARE, Heard
from sojourn.store.types import from_micros, to_micros

MINUTE = 60_000_000  # microseconds
EXACT = 2 * MINUTE  # how near to a whole hour
MAX_HOURS = 14  # no zone is further from UTC
MOSTLY = 0.5
MIN_DAYS = 3  # on either side of a shift
MIN_EVENTS = 200
MOVED = 0.3  # the distance of two days' hours, of at most 2, that is a change
NEARER = 0.5  # of that distance must be gone when one is shifted
BY_CHANCE = 2.0  # times the distance that samples of these sizes have by chance
DAY = 24
_ADVICE = "ask who sends it in which zone it writes its times: write UTC, or the offset with the time"
_CLOCKS = " (where no release was made that day: the clocks of its people may have changed)"


def note_whole_hours_late(connection: Connection, period: Period, found: Mapping[str, Heard]) -> list[Note]:
    """Return the events that come exactly some hours after they happened, as notes."""
    each = logged(period, to_micros(period.since)).c
    late = each.received - each.time + EXACT
    exact = (late >= HOUR, late % HOUR < 2 * EXACT, late < (MAX_HOURS + 1) * HOUR)
    whole = select(each.name, (late // HOUR).label("hours")).where(*exact).subquery().c
    query = select(whole.name, whole.hours, func.count().label("events")).group_by(whole.name, whole.hours)
    notes = []
    for row in connection.execute(query.order_by(whole.name)):
        one = found.get(row.name)
        if one is None or row.events < max(LATE_MIN, LATE_SHARE * one.count) or row.events < MOSTLY * one.late:
            continue
        what = f"{percent(row.events / one.count)} came exactly {_hours(int(row.hours))} after they happened, as if of another zone"
        notes.append(Note("zone", row.name, what, _ADVICE, count=row.events))
    return notes


def note_shifted_hours(found: Mapping[str, Heard], zone: ZoneInfo) -> list[Note]:
    """Return the events whose hours of the day moved from one day on, as notes.

    Args:
        found: what came, by name.
        zone: the shop's, in whose day people live.
    """
    notes = []
    for name, one in sorted(found.items()):
        shift = shifted(_by_day(one.hours, zone))
        if shift is not None:
            day, hours = shift
            what = f"its hours of the day moved by {hours:+d} h from about {day:%Y-%m-%d}"
            notes.append(Note("zone", name, what, _ADVICE + (_CLOCKS if abs(hours) == 1 else "")))
    return notes


def _hours(count: int) -> str:
    return "an hour" if count == 1 else f"{count} hours"


def _by_day(hours: Mapping[int, int], zone: ZoneInfo) -> dict[datetime, list[int]]:
    days: dict[datetime, list[int]] = {}
    for hour, count in sorted(hours.items()):
        local = from_micros(hour * HOUR).astimezone(zone)
        days.setdefault(local.replace(hour=0), [0] * DAY)[local.hour] += count
    return days


def shifted(days: Mapping[datetime, Sequence[int]]) -> tuple[datetime, int] | None:
    """Return from which day on the hours of the day lie elsewhere, and by how many; None where they do not.

    Args:
        days: each day's events by hour, in order.
    """
    best: tuple[float, datetime, int] | None = None
    for day, before, after in _splits(days):
        n, m = sum(before), sum(after)
        if min(n, m) < MIN_EVENTS:
            continue
        left, right = [count / n for count in before], [count / m for count in after]
        apart = _distance(left, right, 0)
        chance = BY_CHANCE * sqrt((1 / n + 1 / m) * 2 / pi) * sum(sqrt(share) for share in left)
        if apart < max(MOVED, chance):
            continue
        least, hours = min((_distance(left, right, by), by) for by in range(-MAX_HOURS + 2, MAX_HOURS - 1) if by)
        if least <= NEARER * apart and (best is None or apart - least > best[0]):
            best = apart - least, day, hours
    return None if best is None else best[1:]


def _splits(days: Mapping[datetime, Sequence[int]]) -> Iterator[tuple[datetime, list[int], list[int]]]:
    order = list(days)
    total = [sum(hour) for hour in zip(*days.values(), strict=True)] if days else []
    before = [0] * DAY
    for place, day in enumerate(order):
        if MIN_DAYS <= place <= len(order) - MIN_DAYS:
            yield day, list(before), [every - some for every, some in zip(total, before, strict=True)]
        before = [sum(pair) for pair in zip(before, days[day], strict=True)]


def _distance(left: Sequence[float], right: Sequence[float], by: int) -> float:
    """Return the sum of the differences of two days' shares, the second shifted back by some hours."""
    return sum(abs(share - right[(hour + by) % DAY]) for hour, share in enumerate(left))


__all__ = ["note_shifted_hours", "note_whole_hours_late", "shifted"]
