"""Judges the resolution on a labelled file: a threshold is chosen on one part of the persons and judged on the others.

Labels are never learned from. The model is trained on all records without them; the part to tune on is
chosen by a hash of whose a record is, and only there a threshold may be looked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sojourn.customers.resolution.clustering import components, inner
from sojourn.customers.resolution.evaluating import Score, b_cubed, pairwise, tuning_part
from sojourn.customers.resolution.frame import RECORDS, Frame
from sojourn.customers.resolution.linking import Learned, Linking
from sojourn.customers.resolution.pairs import NotComparable, Pair, Tell
from sojourn.customers.resolution.running import CLUSTERING, READING, Scored, decide
from sojourn.language.problems import unknown
from sojourn.language.resolution_model import ResolutionSettings

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
TUNE = 0.3
CAUTION = 0.005  # of F1 given away on the tuning part for a higher threshold: a false merge costs more than one that waits


@dataclass(frozen=True)
class AtThreshold:
    """What merging at a threshold comes to."""

    threshold: float
    tuning: Score
    judged: Score  # pairwise, from final clusters: "cluster F1"
    b_cubed: Score  # of the judged part
    whole: Score
    clusters: int
    merges: int  # that no person looks at
    false: int  # of these, between two persons


@dataclass(frozen=True)
class Judgement:
    """What was measured on a file."""

    records: int
    persons: int
    tuned_on: int  # records
    candidates: int  # pairs at or above the least threshold
    learned: Learned
    table: tuple[AtThreshold, ...]
    best: AtThreshold  # the highest threshold that is as good as any on the tuning part, but for CAUTION
    fixed: AtThreshold  # the one that counts: at upper, or where one was asked for
    exact: Mapping[str, Score]  # of records that agree exactly, by what; of the judged part
    pairs: tuple[Pair, ...]


def judge(
    settings: ResolutionSettings,
    path: Path,
    truth_column: str,
    tell: Tell,
    *,
    id_column: str | None = None,
    threshold: float | None = None,
    tune: float = TUNE,
    exact: Sequence[Sequence[str]] = (),
) -> Judgement:
    """Return how well a file's records are resolved.

    Args:
        settings: what is compared, and the thresholds.
        path: a CSV, Parquet or JSONL file.
        truth_column: whose each record truly is.
        tell: told of progress.
        id_column: of the records; default: their number.
        threshold: fixed beforehand; default: upper.
        tune: the share of persons in the part that a threshold may be chosen on.
        exact: columns that are compared for exact equality beside; always also all compared ones together.

    Raises:
        NotComparable: the file or a column is not there, or there are too few records or too many pairs.
    """
    fixed = settings.upper if threshold is None else threshold
    for name in (name for rule in exact for name in rule if name not in settings.traits):
        raise NotComparable(unknown("compared column", name, settings.traits))
    with Frame(settings) as frame:
        tell(READING, 0, 1)
        truth = frame.read(path, id_column, truth_column)
        frame.prepare()
        tell(READING, 1, 1)
        model = Linking(frame)
        learned = model.learn(tell)
        levels = sorted({*THRESHOLDS, fixed})
        pairs = model.pairs(min(levels[0], settings.lower), tell)
        connected = {group for level in levels for group in components(pairs, level)}
        within = model.within(sorted(set(inner(connected, settings.largest))))
        scored = Scored(frame.count, learned, tuple(pairs), within, frame.relatives([*within, *(pair.key for pair in pairs)]))
        known = _equal(frame, [tuple(each.trait for each in settings.compare), *map(tuple, exact)])
    tuning = tuning_part(truth, tune)
    judged = truth.keys() - tuning
    table = []
    for number, level in enumerate(levels):
        tell(CLUSTERING, number, len(levels))
        made = decide(scored, settings.model_copy(update={"upper": level})).clusters
        false = sum(truth[pair.left] != truth[pair.right] for pair in made.links)
        found = made.label(truth)
        scores = pairwise(found, truth, tuning), pairwise(found, truth, judged), b_cubed(found, truth, judged), pairwise(found, truth)
        table.append(AtThreshold(level, *scores, len(made.members), len(made.links), false))
    tell(CLUSTERING, len(levels), len(levels))
    most = max(row.tuning.f1 for row in table)
    return Judgement(
        records=len(truth),
        persons=len(set(truth.values())),
        tuned_on=len(tuning),
        candidates=len(pairs),
        learned=learned,
        table=tuple(table),
        best=max((row for row in table if row.tuning.f1 >= most - CAUTION), key=lambda row: row.threshold),
        fixed=next(row for row in table if row.threshold == fixed),
        exact={name: pairwise(found, truth, judged) for name, found in known.items()},
        pairs=tuple(pairs),
    )


def _equal(frame: Frame, rules: Sequence[Sequence[str]]) -> dict[str, dict[str, str]]:
    """Return for each rule the clusters of records that agree in all of its columns; a missing value agrees with nothing."""
    found = {}
    for rule in rules:
        columns = frame.rule(rule)
        known = " and ".join(f"{column} is not null" for column in columns)
        rows = frame.rows(
            f"select id, case when {known} then min(id) over (partition by {', '.join(columns)}) else id end from {RECORDS}"  # noqa: S608
        )
        found[", ".join(rule)] = {str(record): str(label) for record, label in rows}
    return found
