"""Clusters of records, guarded against chains: who resembles whom who resembles another is not yet that other. Pure.

Links at or above `upper` are taken in the order of their sureness. One joins two clusters only where
no record of the one is held apart from a record of the other: by a decision, because their own
probability is below `floor`, or because they are known to differ where one person's records do not;
nor where nothing in the pair itself tells relatives apart, or one of the two is as surely a third's
who contradicts the other. A link that joins nothing for that reason is held for review.
This is complete-linkage clustering, cut at `floor`, of the components that single linkage gives at `upper`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sojourn.customers.resolution.pairs import NO_RELATIVES, Pair, Relatives, ordered

CHAIN = "a chain: records on its two sides do not resemble each other"
DECIDED = "records on its two sides were held apart by a decision"
AMBIGUOUS = "one of the two may as well be another's, of whom it is known that they are two"
RELATIVES = "birth dates or first names differ: rather relatives than one person"
UNPROVEN = "a birth date is missing or a first name is only nearly the same, and no e-mail address is: they may be relatives"
HUB = "a hub: too many records hang together to be one person's"


@dataclass(frozen=True)
class Held:
    """A sure link that is not followed, and why."""

    pair: Pair
    why: str


@dataclass(frozen=True)
class Clusters:
    """What is merged, by which links, and which links wait."""

    members: tuple[tuple[str, ...], ...]  # of two or more, sorted
    links: tuple[Pair, ...]  # each joins two clusters; taken in this order they make all of them
    held: tuple[Held, ...]

    def label(self, records: Iterable[str]) -> dict[str, str]:
        """Return of each record the cluster it is in, named by its first member."""
        named = {record: members[0] for members in self.members for record in members}
        return {record: named.get(record, record) for record in records}


def components(pairs: Iterable[Pair], upper: float) -> list[tuple[str, ...]]:
    """Return the records that hang together by links at or above a probability."""
    parent: dict[str, str] = {}

    def root(record: str) -> str:
        parent.setdefault(record, record)
        while parent[record] != record:
            parent[record] = record = parent[parent[record]]
        return record

    for pair in pairs:
        if pair.probability >= upper:
            one, other = ordered(root(pair.left), root(pair.right))
            parent[other] = one
    found: dict[str, list[str]] = {}
    for record in sorted(parent):
        found.setdefault(root(record), []).append(record)
    return [tuple(members) for members in found.values()]


def inner(members: Iterable[Sequence[str]], largest: int) -> list[tuple[str, str]]:
    """Return every pair inside the components that are not too large to be a person's."""
    return [(one, other) for group in members if len(group) <= largest for place, one in enumerate(group) for other in group[place + 1 :]]


def cluster(
    pairs: Sequence[Pair],
    upper: float,
    floor: float,
    within: Mapping[tuple[str, str], float],
    largest: int,
    apart: AbstractSet[tuple[str, str]] = frozenset(),
    relatives: Relatives = NO_RELATIVES,
) -> Clusters:
    """Return the clusters that are merged, and the links that wait.

    Args:
        pairs: scored, in any order.
        upper: links at or above it are followed.
        floor: two records below it are in one cluster by no chain.
        within: the probability of every pair inside a component; one that is missing counts as nothing.
        largest: a component of more records is left whole to review.
        apart: pairs that a decision holds apart.
        relatives: which pairs contradict each other, and which prove nothing.
    """
    contradicting = relatives.contradicting
    sure = _neighbours(pairs, upper) if contradicting else {}
    too_large = {record for group in components(pairs, upper) if len(group) > largest for record in group}
    home: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    links: list[Pair] = []
    held: list[Held] = []
    for pair in sorted((pair for pair in pairs if pair.probability >= upper), key=lambda pair: pair.order):
        if pair.left in too_large:
            held.append(Held(pair, HUB))
            continue
        one, other = home.setdefault(pair.left, pair.left), home.setdefault(pair.right, pair.right)
        if one == other:
            continue
        ours, theirs = groups.setdefault(one, [one]), groups.setdefault(other, [other])
        across = [ordered(left, right) for left in ours for right in theirs]
        if any(key in apart for key in across):
            held.append(Held(pair, DECIDED))
        elif any(key in contradicting for key in across):
            held.append(Held(pair, RELATIVES))
        elif pair.key in relatives.unproven:
            held.append(Held(pair, UNPROVEN))
        elif _is_ambiguous(pair, sure, contradicting):
            held.append(Held(pair, AMBIGUOUS))
        elif any(within.get(key, 0.0) < floor for key in across):
            held.append(Held(pair, CHAIN))
        else:
            links.append(pair)
            ours += groups.pop(other)
            home.update(dict.fromkeys(theirs, one))
    members = tuple(sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1))
    return Clusters(members, tuple(links), tuple(held))


def _neighbours(pairs: Iterable[Pair], upper: float) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        if pair.probability >= upper:
            found.setdefault(pair.left, []).append(pair.right)
            found.setdefault(pair.right, []).append(pair.left)
    return found


def _is_ambiguous(pair: Pair, sure: Mapping[str, Sequence[str]], contradicting: AbstractSet[tuple[str, str]]) -> bool:
    """Tell whether one of two records may as surely be a third one's that contradicts the other: of father and son, say, without a date."""
    sides = ((pair.left, pair.right), (pair.right, pair.left))
    return any(
        ordered(third, other) in contradicting and ordered(third, one) not in contradicting
        for one, other in sides
        for third in sure.get(one, ())
        if third != other
    )
