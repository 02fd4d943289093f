"""Names clusters by what sets each apart from the rest, and says it in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sojourn.language.clusters_model import CLUSTER, ClustersModel, Feature

if TYPE_CHECKING:
    from sojourn.customers.clustering.spaces import Labels, Matrix

LONGEST = 64 - len(CLUSTER)
SECOND_FROM = 0.5  # standard deviations: what sets people apart by less is no part of a name (Cohen: medium)
TOLD = 3


@dataclass(frozen=True)
class Difference:
    """How a cluster differs from everyone else in one feature.

    Attributes:
        by: of the common scale, in standard deviations of everyone; above 0 is more.
        inside: what is usual in the cluster, as measured: the median, of shares the mean.
        outside: what is usual of the rest.
    """

    feature: Feature
    by: float
    inside: float
    outside: float

    @property
    def word(self) -> str:
        """The word for it in a name."""
        high, low = self.feature.words
        return high if self.by > 0 else low

    def sentence(self) -> str:
        """Return it in numbers."""
        return f"{self.feature.label or self.feature.feature} {shown(self.inside)} (others {shown(self.outside)})"


@dataclass(frozen=True)
class Cluster:
    """A cluster as people read of it.

    Attributes:
        name: without the prefix of its segment.
        size: people in it.
        share: of everyone.
        differences: of all features, the largest first.
    """

    name: str
    size: int
    share: float
    differences: tuple[Difference, ...]

    @property
    def segment(self) -> str:
        """The segment's name."""
        return f"{CLUSTER}{self.name}"

    def description(self) -> str:
        """Return what sets it apart, in numbers."""
        told = "; ".join(difference.sentence() for difference in self.differences[:TOLD])
        return f"{self.size:,} people ({self.share:.1%}), set apart by: {told}."


def clusters(model: ClustersModel, measured: Matrix, scaled: Matrix, labels: Labels) -> tuple[Cluster, ...]:
    """Return the clusters with their names, in the order of their numbers; the same people give the same names."""
    import numpy as np

    spread = scaled.std(axis=0)
    found: list[Cluster] = []
    for number in range(int(labels.max()) + 1):
        mine = labels == number
        inside, outside = scaled[mine].mean(axis=0), scaled[~mine].mean(axis=0)
        by = np.where(spread > 0, (inside - outside) / np.where(spread > 0, spread, 1.0), 0.0)
        usual = [_usual(model, measured[each]) for each in (mine, ~mine)]
        every = [Difference(f, float(by[i]), usual[0][i], usual[1][i]) for i, f in enumerate(model.features)]
        every.sort(key=lambda difference: (-round(abs(difference.by), 9), difference.feature.feature))
        name = _name(tuple(every), {cluster.name for cluster in found})
        found.append(Cluster(name, int(mine.sum()), float(mine.mean()), tuple(every)))
    return tuple(found)


def _usual(model: ClustersModel, measured: Matrix) -> list[float]:
    """Return what is usual of some people: the median, and of shares, which are mostly 0, the mean."""
    import numpy as np

    middle, mean = np.median(measured, axis=0), measured.mean(axis=0)
    return [float(middle[i] if feature.scale == "log" else mean[i]) for i, feature in enumerate(model.features)]


def _name(differences: tuple[Difference, ...], taken: set[str]) -> str:
    words = [differences[0].word]
    words += [other.word for other in differences[1:] if abs(other.by) >= SECOND_FROM]
    for count in (2, 1, 3, 4):
        name = "_".join(words[:count])
        if len(words) >= count and len(name) <= LONGEST and name not in taken:
            return name
    base = "_".join(words[:2])[: LONGEST - 3].rstrip("_") if words else "cluster"
    return next(name for name in (f"{base}_{number}" for number in range(2, len(taken) + 3)) if name not in taken)


def shown(number: float) -> str:
    """Return a number as people read it."""
    size = abs(number)
    return f"{number:,.0f}" if size >= 100 else f"{number:.1f}" if size >= 10 else f"{number:.2g}"


__all__ = ["Cluster", "Difference", "clusters", "shown"]
