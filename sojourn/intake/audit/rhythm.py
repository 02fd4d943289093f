"""Counts events by the hour, all in one pass over the log, and finds gaps: hours of nothing where the rhythm expects something.

The rhythm of an event is its rate by hour of the week (by hour of the day where two weeks are not there
yet). Were arrivals independent, a run of empty hours in which `expected` events should have come has the
chance exp(-expected). They come in bursts, so `expected` is first divided by how much more the hours vary
than they would (the dispersion, at least 1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, case, func, select

from sojourn.intake.audit.logged import logged
from sojourn.intake.audit.noted import Note, Period, percent
from sojourn.store.types import EPOCH, from_micros, to_micros

HOUR = 3_600_000_000  # microseconds
DAY_HOURS, WEEK_HOURS = 24, 168
MIN_DAYS, MIN_WEEKS = 3, 2  # of data, before a rhythm by the day, by the week is known
UNLIKELY = 9.0  # events expected in empty hours; exp(-9) is 1 in 8,000
PRIOR = 0.5  # occurrences of an hour with nothing, added to those that were counted: an hour that is always empty expects nothing
LATE_SHARE = 0.05
LATE_MIN = 20
COVERED = 0.8  # of a gap lies in one of all events: it is not the event's own
_BEFORE = -1


@dataclass
class Heard:
    """How often an event came, and when.

    Attributes:
        hours: events by hour since 1970, in the period.
        count: in the period.
        late: of these, received more than an hour after they happened.
        very_late: more than a day after.
        last: the latest moment at which it happened, in the whole log.
        ever: in the whole log.
    """

    hours: Counter[int] = field(default_factory=Counter)
    count: int = 0
    late: int = 0
    very_late: int = 0
    last: datetime = EPOCH
    ever: int = 0


@dataclass(frozen=True)
class Gap:
    """Hours in which nothing came.

    Attributes:
        begin: the first empty hour since 1970.
        end: the hour after the last.
        expected: how many events the rhythm expects in them.
        ongoing: it lasts until the end of the period.
    """

    begin: int
    end: int
    expected: float
    ongoing: bool

    @property
    def hours(self) -> int:
        """How long it is."""
        return self.end - self.begin


def heard(connection: Connection, period: Period) -> dict[str, Heard]:
    """Return how often each track event from outside came, by its name."""
    each = logged(period).c
    late = each.received - each.time
    rows = (
        select(
            each.name,
            each.time,
            case((each.time >= to_micros(period.since), each.time // HOUR), else_=_BEFORE).label("hour"),
            case((late > HOUR, 1), else_=0).label("late"),
            case((late > DAY_HOURS * HOUR, 1), else_=0).label("very_late"),
        ).subquery()
    ).c
    sums = func.sum(rows.late).label("late"), func.sum(rows.very_late).label("very_late"), func.max(rows.time).label("last")
    counted = select(rows.name, rows.hour, func.count().label("events"), *sums).group_by(rows.name, rows.hour)
    found: dict[str, Heard] = {}
    for row in connection.execute(counted):
        one = found.setdefault(row.name, Heard())
        one.ever += row.events
        one.last = max(one.last, from_micros(int(row.last)))
        if row.hour != _BEFORE:
            one.hours[int(row.hour)] += row.events
            one.count += row.events
            one.late += int(row.late)
            one.very_late += int(row.very_late)
    return found


def gaps(hours: Mapping[int, int], begin: int, end: int) -> list[Gap]:
    """Return the runs of empty hours in which the rhythm of all the others expects too much for chance.

    Args:
        hours: events by hour since 1970; hours of none may be left out.
        begin: the first hour that counts: that of the first event.
        end: the hour after the last that counts; one that is not over yet does not.
    """
    cycle = _cycle(end - begin)
    if cycle is None:
        return []
    counts, occurrences = [0] * cycle, [0] * cycle
    for hour in range(begin, end):
        occurrences[hour % cycle] += 1
    for hour, count in hours.items():
        if begin <= hour < end:
            counts[hour % cycle] += count
    rates = [count / (times + PRIOR) for count, times in zip(counts, occurrences, strict=True)]
    dispersion = _dispersion(hours, rates, begin, end)
    found = []
    for first, after in _empty(hours, begin, end):
        expected = sum(_rate_without(hour, first, after, counts, occurrences) for hour in range(first, after))
        if expected / dispersion >= UNLIKELY:
            found.append(Gap(first, after, expected, after == end))
    return found


def _cycle(hours: int) -> int | None:
    if hours >= MIN_WEEKS * WEEK_HOURS - DAY_HOURS:
        return WEEK_HOURS
    return DAY_HOURS if hours >= MIN_DAYS * DAY_HOURS else None


def _dispersion(hours: Mapping[int, int], rates: list[float], begin: int, end: int) -> float:
    """Return how much more the hours vary than independent arrivals would: Pearson's chi-square by its degrees of freedom."""
    chi = 0.0
    for hour in range(begin, end):
        rate, count = rates[hour % len(rates)], hours.get(hour, 0)
        if rate > 0 and count:  # empty hours may be the very gaps that are looked for
            chi += (count - rate) ** 2 / rate
    return max(1.0, chi / max(1, sum(1 for hour in hours if begin <= hour < end)))


def _empty(hours: Mapping[int, int], begin: int, end: int) -> list[tuple[int, int]]:
    """Return the runs of hours in which nothing came."""
    found, first = [], begin
    for hour in [*sorted(hour for hour, count in hours.items() if count and begin <= hour < end), end]:
        if hour > first:
            found.append((first, hour))
        first = hour + 1
    return found


def _rate_without(hour: int, first: int, after: int, counts: list[int], occurrences: list[int]) -> float:
    """Return the rate at an hour by all but a run of empty hours, which must not vouch for itself."""
    cycle, slot = len(counts), hour % len(counts)
    within = (after - 1 - slot) // cycle - (first - 1 - slot) // cycle  # how often this hour of the cycle lies in the run
    others = occurrences[slot] - within
    return counts[slot] / (others + PRIOR)


def note_gaps(found: Mapping[str, Heard], period: Period) -> list[Note]:
    """Return the gaps of events and of the log as a whole, as notes."""
    until = to_micros(period.until) // HOUR
    every: Counter[int] = Counter()
    for one in found.values():
        every.update(one.hours)
    if not every:
        return []
    whole = gaps(every, min(every), until)
    notes = [_note("*", gap, "the senders, the write key and `sojourn up`: nothing came at all") for gap in whole]
    silent = {hour for gap in whole for hour in range(gap.begin, gap.end)}
    for name, one in sorted(found.items()):
        for gap in gaps(one.hours, min(one.hours), until) if one.hours else ():
            if sum(hour in silent for hour in range(gap.begin, gap.end)) < COVERED * gap.hours:
                notes.append(_note(name, gap, "who sends it: a release, a consent banner, a renamed event?"))
    return notes


def _note(event: str, gap: Gap, where: str) -> Note:
    begin, end = (from_micros(hour * HOUR) for hour in (gap.begin, gap.end))
    span = f"since {begin:%Y-%m-%d %H:%M}" if gap.ongoing else f"from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"
    what = f"nothing {span} UTC ({gap.hours} hours), where its rhythm expects {gap.expected:.0f}"
    return Note("gap", event, what, f"look at {where}" if gap.ongoing else f"look at what happened then with {where}")


def note_late(found: Mapping[str, Heard]) -> list[Note]:
    """Return the events that arrive long after they happened, as notes."""
    notes = []
    for name, one in sorted(found.items()):
        if one.late >= max(LATE_MIN, LATE_SHARE * one.count):
            late, very_late = percent(one.late / one.count), percent(one.very_late / one.count)
            what = f"{late} came more than an hour after they happened, {very_late} more than a day"
            advice = "check the sender's clock and its queue: a late event starts nothing that is over (imported history is late by nature)"
            notes.append(Note("late", name, what, advice, count=one.late))
    return notes
