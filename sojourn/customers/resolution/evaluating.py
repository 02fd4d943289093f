"""How well clusters agree with the truth. Pure.

- Pairwise, "cluster F1": of all pairs of records that the final clusters put together, and of all that
  belong together, as splink and the literature of record linkage count it.
- B-cubed (Bagga and Baldwin, 1998): precision and recall of each record's cluster, averaged over records.

Where only a part of the records is judged, a pair counts against precision as soon as one of its two
records is of that part: a false link to the other part is as false as one inside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

_HASH_RANGE = 10_000


@dataclass(frozen=True)
class Score:
    """Precision, recall, and their harmonic mean."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean; nothing where both are."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def pairwise(found: Mapping[str, str], truth: Mapping[str, str], judged: Collection[str] | None = None) -> Score:
    """Return the score over the pairs that final clusters make.

    Args:
        found: of each record the cluster it was put in.
        truth: of each record whose it is.
        judged: the records whose pairs count; default: all.
    """
    ours = set(truth if judged is None else judged)
    together = _pairs(found[record] for record in truth) - _pairs(found[record] for record in truth if record not in ours)
    right = _pairs((found[record], truth[record]) for record in ours)
    belong = _pairs(truth[record] for record in ours)
    return Score(right / together if together else 1.0, right / belong if belong else 1.0)


def b_cubed(found: Mapping[str, str], truth: Mapping[str, str], judged: Collection[str] | None = None) -> Score:
    """Return the B-cubed score, averaged over the judged records."""
    ours = list(truth if judged is None else judged)
    clusters = Counter(found[record] for record in truth)
    owners = Counter(truth.values())
    both = Counter((found[record], truth[record]) for record in truth)
    if not ours:
        return Score(1.0, 1.0)
    right = [(both[found[record], truth[record]], clusters[found[record]], owners[truth[record]]) for record in ours]
    return Score(sum(hit / size for hit, size, _ in right) / len(ours), sum(hit / size for hit, _, size in right) / len(ours))


def tuning_part(truth: Mapping[str, str], share: float) -> set[str]:
    """Return the records of those persons whose hash falls into a share of all: the part that may be looked at."""
    return {record for record, owner in truth.items() if _place(owner) < share * _HASH_RANGE}


def _place(owner: str) -> int:
    return int(sha256(owner.encode()).hexdigest()[:8], 16) % _HASH_RANGE


def _pairs(labels: Iterable[object]) -> int:
    return sum(size * (size - 1) // 2 for size in Counter(labels).values())
