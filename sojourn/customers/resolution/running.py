"""A run over the whole store: read, learn, score, cluster, propose, and merge what is sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sojourn.customers.resolution import queue, records
from sojourn.customers.resolution.clustering import Clusters, cluster, components, inner
from sojourn.customers.resolution.frame import Frame
from sojourn.customers.resolution.linking import Learned, Linking
from sojourn.customers.resolution.merging import MergeProfiles
from sojourn.customers.resolution.pairs import NO_RELATIVES, Pair, Relatives, Tell, ordered
from sojourn.language.resolution_model import ResolutionSettings
from sojourn.store.bulk import chunks
from sojourn.store.database import Database

READING, CLUSTERING, MERGING = "reading", "clustering", "merging"
_CHUNK = 500  # proposals in one transaction: others write in between


@dataclass(frozen=True)
class Scored:
    """What was learned of records, before anything is decided."""

    records: int
    learned: Learned
    pairs: tuple[Pair, ...]  # at or above lower, the surest first
    within: Mapping[tuple[str, str], float]  # of every pair of those that hang together at upper
    relatives: Relatives = NO_RELATIVES  # among the pairs of both


@dataclass(frozen=True)
class Linked:
    """What is to be merged and what waits, before anything is done about it."""

    scored: Scored
    pairs: tuple[Pair, ...]  # without those that a decision holds apart
    clusters: Clusters

    def waiting(self) -> list[tuple[Pair, str | None]]:
        """Return the pairs that need a person, each with why where it is sure and waits all the same.

        Of several pairs between the same two clusters the surest asks for all of them.
        """
        home = self.clusters.label(id_ for pair in self.pairs for id_ in pair.key)
        why = {held.pair.key: held.why for held in self.clusters.held}
        surest: dict[tuple[str, str], Pair] = {}
        for pair in self.pairs:
            if home[pair.left] != home[pair.right]:
                surest.setdefault(ordered(home[pair.left], home[pair.right]), pair)
        return [(pair, why.get(pair.key)) for pair in surest.values()]


@dataclass(frozen=True)
class Outcome:
    """What a run did; what identity refused to merge waits with the others."""

    linked: Linked
    merged: int = 0
    refused: int = 0
    waiting: int = 0
    stale: int = 0


def score(frame: Frame, tell: Tell) -> Scored:
    """Return the scored pairs of a frame's records.

    Raises:
        NotComparable: too few records, or too many pairs.
    """
    settings = frame.settings
    frame.prepare()
    model = Linking(frame)
    learned = model.learn(tell)
    pairs = model.pairs(settings.lower, tell)
    within = model.within(inner(components(pairs, settings.upper), settings.largest))
    return Scored(frame.count, learned, tuple(pairs), within, frame.relatives([*within, *(pair.key for pair in pairs)]))


def decide(scored: Scored, settings: ResolutionSettings, apart: frozenset[tuple[str, str]] = frozenset()) -> Linked:
    """Return what is merged and what waits; pure.

    Args:
        scored: with an upper that is no higher than the settings'.
        settings: the thresholds.
        apart: pairs that a decision holds apart.
    """
    pairs = tuple(pair for pair in scored.pairs if pair.key not in apart)
    made = cluster(pairs, settings.upper, settings.floor, scored.within, settings.largest, apart, scored.relatives)
    return Linked(scored, pairs, made)


def run(
    database: Database,
    settings: ResolutionSettings,
    now: datetime,
    tell: Tell,
    merge: MergeProfiles,
    *,
    dry_run: bool = False,
) -> Outcome:
    """Find profiles that are one person's; merge those at or above upper, queue those at or above lower.

    Nothing below upper is merged. Each step is a transaction of its own and may be repeated.

    Args:
        database: the store.
        settings: what is compared, and the thresholds.
        now: the moment of every decision.
        tell: told of progress.
        merge: merges two profiles, or says why not.
        dry_run: write nothing.

    Raises:
        NotComparable: too few profiles, or too many pairs.
    """
    with Frame(settings) as frame:
        _read(database, frame, tell)
        scored = score(frame, tell)
    tell(CLUSTERING, 0, 1)
    linked = decide(scored, settings, database.read_now(queue.apart))
    tell(CLUSTERING, 1, 1)
    if dry_run:
        return Outcome(linked, waiting=len(linked.waiting()))
    return act(database, linked, settings.version, now, tell, merge)


def act(database: Database, linked: Linked, model: str, now: datetime, tell: Tell, merge: MergeProfiles) -> Outcome:
    """Put the pairs into the queue, and merge those that are to be; each step may be repeated."""
    waiting = linked.waiting()
    links: list[tuple[Pair, str | None]] = [(pair, None) for pair in linked.clusters.links]
    for some in chunks(links + waiting, _CHUNK):
        database.write_now(queue.propose, some, model, now)
    states = []
    for number, (pair, _) in enumerate(links):
        tell(MERGING, number, len(links))
        states.append(database.write_now(queue.merge_link, pair, now, merge).state)
    tell(MERGING, len(links), len(links))
    stale = database.write_now(queue.expire, {pair.id for pair, _ in links + waiting}, now)
    left = database.read_now(queue.counts)[queue.PENDING]
    return Outcome(linked, states.count(queue.MERGED), states.count(queue.PENDING), left, stale)


def _read(database: Database, frame: Frame, tell: Tell) -> None:
    total, done, after = database.read_now(records.count), 0, ""
    tell(READING, 0, total)
    while page := database.read_now(records.page, after, frame.traits):
        frame.add([id_ for id_, _ in page], list(zip(*(values for _, values in page), strict=True)))
        after = page[-1][0]
        done += len(page)
        tell(READING, min(done, total), total)
