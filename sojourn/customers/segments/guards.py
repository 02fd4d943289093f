"""Warnings about segments for which people must be counted: too few members, and twice the same people.

What the definitions alone tell stands in `sojourn.language.segment_guards`.

**Overlap** is what two segments share of all who are in either of them (Jaccard). A segment that lies inside a much larger
one, as `loyal` inside `customers`, is no overlap in this sense: only two that are nearly the same people are. So two can
overlap above 90 % only where the smaller has more than 90 % of the larger's size, and only such pairs are counted. Of a
segment with more than SAMPLE members those with the lowest profile ids stand for all; ids are random, so they are a fair
sample, and the shares are right to half a point in a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from sojourn.language.problems import listed
from sojourn.store.bulk import among, many
from sojourn.store.tables import segment_members

FEWEST_MEMBERS = 100
MOST_OVERLAP = 0.9
SAMPLE = 5_000

_SIZES = select(segment_members.c.segment, func.count()).group_by(segment_members.c.segment)
_SIZE = select(func.count()).select_from(segment_members).where(segment_members.c.segment == bindparam("whichever"))
_LOWEST = (
    select(segment_members.c.profile_id)
    .where(segment_members.c.segment == bindparam("whichever"))
    .order_by(segment_members.c.profile_id)
    .limit(bindparam("most"))
)


@dataclass(frozen=True)
class Overlap:
    """What two segments have in common.

    Attributes:
        one: the smaller segment.
        other: the larger one.
        share: of all who are in either, how many are in both.
        of_one: of the smaller one, how many are in the larger.
        of_other: of the larger one, how many are in the smaller.
        sampled: whether a sample stood for all.
    """

    one: str
    other: str
    share: float
    of_one: float
    of_other: float
    sampled: bool


@dataclass(frozen=True)
class Guard:
    """A warning about a segment."""

    segment: str
    message: str


def sizes(connection: Connection, segments: Iterable[str]) -> dict[str, int]:
    """Return how many members each segment has."""
    found = {name: int(count) for name, count in connection.execute(_SIZES)}
    return {name: found.get(name, 0) for name in segments}


def size(connection: Connection, segment: str) -> int:
    """Return how many members one segment has."""
    return int(connection.execute(_SIZE, {"whichever": segment}).scalar_one())


def too_few(members: Mapping[str, int]) -> list[Guard]:
    """Return a warning for each segment with fewer than FEWEST_MEMBERS."""
    return [
        Guard(name, f"has {count:,} member{'' if count == 1 else 's'}, fewer than {FEWEST_MEMBERS}: too few to learn anything from")
        for name, count in members.items()
        if count < FEWEST_MEMBERS
    ]


def overlapping(one: str, other: str, sizes_: Mapping[str, int], sample: int, hits: int) -> Overlap:
    """Return what two segments have in common, from how many of a sample of the one are in the other.

    Args:
        one: the segment that the sample is of.
        other: another.
        sizes_: of both.
        sample: how many people it is.
        hits: how many of them are in the other.
    """
    of_one = hits / sample if sample else 0.0
    both = min(of_one * sizes_[one], sizes_[other])
    either = sizes_[one] + sizes_[other] - both
    of_other = both / sizes_[other] if sizes_[other] else 0.0
    return Overlap(one, other, both / either if either else 0.0, of_one, of_other, sample < sizes_[one])


def candidates(members: Mapping[str, int], most: float = MOST_OVERLAP) -> list[tuple[str, list[str]]]:
    """Return each segment with those at least as large that can overlap it by more than a share, the smallest first."""
    ordered = sorted((count, name) for name, count in members.items() if count)
    found = []
    for place, (count, name) in enumerate(ordered):
        near = [other for larger, other in ordered[place + 1 :] if count > most * larger]
        if near:
            found.append((name, near))
    return found


def shared(connection: Connection, people: Sequence[str], segments: Sequence[str]) -> dict[str, int]:
    """Return how many of some people are in each of some segments."""
    dialect = connection.dialect.name
    asked = {"people": many(dialect, people), "segments": many(dialect, segments)}
    found = {name: int(count) for name, count in connection.execute(_shared(dialect), asked)}
    return {name: found.get(name, 0) for name in segments}


def overlaps_of(
    connection: Connection, segment: str, others: Sequence[str], members: Mapping[str, int], most: int = SAMPLE
) -> list[Overlap]:
    """Return what a segment has in common with others; at most so many of its people are asked."""
    people = list(connection.execute(_LOWEST, {"whichever": segment, "most": most}).scalars())
    return [overlapping(segment, other, members, len(people), hits) for other, hits in shared(connection, people, others).items()]


def overlaps(connection: Connection, members: Mapping[str, int], step: Callable[[int, int], None] = lambda done, of: None) -> list[Overlap]:
    """Return what every two segments have in common that can overlap above MOST_OVERLAP.

    Args:
        connection: open.
        members: how many each has.
        step: told how many segments of how many are done.
    """
    found: list[Overlap] = []
    pairs = candidates(members)
    for done, (name, near) in enumerate(pairs, 1):
        found += overlaps_of(connection, name, near, members)
        step(done, len(pairs))
    return found


def too_alike(found: Iterable[Overlap]) -> list[Guard]:
    """Return a warning for each two segments that overlap above MOST_OVERLAP."""
    return [
        Guard(
            each.one,
            f"is {'about ' if each.sampled else ''}{each.share:.0%} the same people as `{each.other}` "
            f"({each.of_one:.0%} of `{each.one}` are in `{each.other}`, {each.of_other:.0%} of `{each.other}` are in `{each.one}`): "
            "keep one of the two",
        )
        for each in found
        if each.share > MOST_OVERLAP
    ]


def counted(connection: Connection, segments: Iterable[str], step: Callable[[int, int], None] = lambda done, of: None) -> list[Guard]:
    """Return every warning for which people are counted."""
    members = sizes(connection, segments)
    return too_few(members) + too_alike(overlaps(connection, members, step))


def not_counted(segments: Sequence[str]) -> str | None:
    """Return the sentence about segments that are not counted, since they are still gone through; None where none is."""
    return f"not counted yet, since everyone is still gone through: {listed(segments)}" if segments else None


@cache
def _shared(dialect: str) -> Select[Any]:
    return (
        select(segment_members.c.segment, func.count())
        .where(among(dialect, segment_members.c.profile_id, "people"), among(dialect, segment_members.c.segment, "segments"))
        .group_by(segment_members.c.segment)
    )


__all__ = [
    "FEWEST_MEMBERS", "MOST_OVERLAP", "Guard", "Overlap", "candidates", "counted", "not_counted", "overlapping", "overlaps", "overlaps_of",
    "shared", "size", "sizes", "too_alike", "too_few",
]  # fmt: skip
