"""How many people a segment had at past moments: its condition asked as of each of them; of a list, from its events.

What is known of a condition's past is the events: they are asked as of the moment, whoever was not yet known then is left
out. Traits, and lists that it names, are taken as they stand now: their past is not kept. In a large store a sample of
people is asked, those with the lowest profile ids; ids are random, so that is fair, and each number comes with its error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, case, false, func, select, true

from sojourn.customers.segments.live import ENTERED, EXITED
from sojourn.customers.segments.preview import people
from sojourn.language.conditions import Condition
from sojourn.store.tables import events, profiles, segment_members

MOST = 20_000  # people of whom every one is asked
CONFIDENT = 1.96  # of 100 such errors 95 are smaller
_NONE_SEEN = 3.0  # "the rule of three": nobody among n people is, with the same confidence, at most 3 of n


@dataclass(frozen=True)
class Sample:
    """The people who are asked.

    Attributes:
        until: the last of them by profile id; None where everyone is asked.
        taken: how many they are.
        of: how many people there are.
    """

    until: str | None
    taken: int
    of: int


@dataclass(frozen=True)
class Size:
    """How many members a segment had at a moment, and how wrong that may be: with 95 % confidence not more."""

    at: datetime
    members: int
    error: int = 0


def take(connection: Connection, most: int = MOST) -> Sample:
    """Return the sample of people to ask; everyone, where they are not more than `most`."""
    every = people(connection)
    if every <= most:
        return Sample(None, every, every)
    living = select(profiles.c.id).where(profiles.c.merged_into.is_(None)).order_by(profiles.c.id)
    return Sample(connection.execute(living.offset(most - 1).limit(1)).scalar_one(), most, every)


def moments(now: datetime, over: timedelta, steps: int) -> list[datetime]:
    """Return so many moments, evenly from `over` ago until now, in order."""
    return [now - over * (steps - 1 - i) / max(steps - 1, 1) for i in range(steps)]


def estimate(hits: int, sample: Sample) -> tuple[int, int]:
    """Return how many of all people that many of a sample stand for, and the error."""
    if sample.until is None or not sample.taken:
        return hits, 0
    share = hits / sample.taken
    spread = math.sqrt(share * (1 - share) / sample.taken * (1 - sample.taken / sample.of))
    error = CONFIDENT * spread if 0 < hits < sample.taken else _NONE_SEEN / sample.taken
    return round(share * sample.of), math.ceil(error * sample.of)


def size_at(connection: Connection, condition: Condition, conditions: Mapping[str, Condition], at: datetime, sample: Sample) -> Size:
    """Return how many people a condition held for at a moment."""
    there = (profiles.c.merged_into.is_(None), profiles.c.first_seen <= at, *_in(sample, profiles.c.id))
    count = select(func.count()).select_from(profiles).where(condition.sql(at, conditions), *there)
    return Size(at, *estimate(int(connection.execute(count).scalar_one()), sample))


def list_sizes(connection: Connection, segment: str, at: Sequence[datetime], sample: Sample) -> list[Size]:
    """Return how many people stood on a list at moments, from now backwards: less those who came since, and more those who went."""
    now_on = select(func.count()).select_from(segment_members)
    standing = connection.execute(
        now_on.where(segment_members.c.segment == segment, *_in(sample, segment_members.c.profile_id))
    ).scalar_one()
    since = [
        func.coalesce(func.sum(case((and_(events.c.time > moment, events.c.name == name), 1), else_=0)), 0)
        for moment in at
        for name in (ENTERED, EXITED)
    ]
    told = (events.c.name.in_([ENTERED, EXITED]), events.c.properties["segment"].as_string() == segment, events.c.machine == false())
    counts = connection.execute(select(*since).where(*told, *_in(sample, events.c.profile_id))).one()
    hits = [max(int(standing) - int(came) + int(went), 0) for came, went in zip(counts[::2], counts[1::2], strict=True)]
    return [Size(moment, *estimate(min(count, sample.taken), sample)) for moment, count in zip(at, hits, strict=True)]


def _in(sample: Sample, column: ColumnElement[str]) -> list[ColumnElement[bool]]:
    return [true() if sample.until is None else column <= sample.until]


__all__ = ["MOST", "Sample", "Size", "estimate", "list_sizes", "moments", "size_at", "take"]
