"""Chooses how many clusters there are, and by which method: by silhouette and by stability.

Silhouette (Rousseeuw, 1987): how much nearer people are to their own cluster than to the next.
Stability (after Ben-Hur, Elisseeff and Guyon, 2002): how alike the clusters of subsamples are to those of the
whole, and those of one seed to those of another, by the adjusted Rand index: 1 is the same, 0 is chance. The lower of
the two counts.

A clustering is the best of several runs with seeds of their own (k-means: the least sum of squares). Whom the figures
are computed on does not depend on the seed: two numbers of clusters that are nearly as good would else win by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from sojourn.customers.clustering.spaces import Centres, enough
from sojourn.errors import Terminal
from sojourn.language.clusters_model import ClustersModel

if TYPE_CHECKING:
    from sojourn.customers.clustering.spaces import Labels, Matrix

SILHOUETTE_AT_MOST = 2_000
WARD_AT_MOST = 3_000  # its tree takes memory by the square of people
SUBSAMPLES = 8
SUBSAMPLE_SHARE = 0.8
STABILITY_AT_MOST = 2_000
RUNS = 5  # seeds that a clustering is compared by
STARTS = 10  # of each run
SUBSAMPLE_STARTS = 5
DRAW = 1  # the stream that samples are drawn by, whatever the seed


class NoClusters(Terminal):
    """People cannot be grouped so that each group has the minimum."""


@dataclass(frozen=True)
class Trial:
    """One number of clusters by one method, with what came of it.

    Attributes:
        asked: how many were asked for.
        clusters: how many are left after small ones joined their nearest.
        silhouette: of those left; -1 where one is left.
        resampled: mean adjusted Rand index between the whole and subsamples.
        reseeded: mean adjusted Rand index between the clusters of all people that runs with different seeds find.
        smallest: people in the smallest.
        centres: by which people are assigned.
    """

    method: str
    asked: int
    clusters: int
    silhouette: float
    resampled: float
    reseeded: float
    smallest: int
    centres: Centres

    @property
    def stability(self) -> float:
        """How far the same clusters are found again, from other people or by another seed: the lower of the two."""
        return min(self.resampled, self.reseeded)

    @property
    def quality(self) -> float:
        """Silhouette and stability as one number: a structure that is not found again counts for little."""
        return max(self.silhouette, 0.0) * max(self.stability, 0.0)


@dataclass(frozen=True)
class Choice:
    """The trial that was chosen, beside all others.

    Attributes:
        weak: what speaks against it, as sentences; empty where it is sound.
    """

    chosen: Trial
    trials: tuple[Trial, ...]
    weak: tuple[str, ...]


def choose(scaled: Matrix, model: ClustersModel, advanced: Callable[[], None] = lambda: None) -> Choice:
    """Return the best grouping of people.

    Among the trials that are stable enough the one of the highest silhouette times stability is taken; where none
    is, the best of all, and the choice says so.

    Args:
        scaled: everyone, on the common scale.
        model: methods, range, minimum, sample, seed, and which figures are weak.
        advanced: told after each trial.

    Raises:
        NoClusters: no number of clusters leaves each with the minimum of people.
    """
    import numpy as np
    import sklearn.cluster  # type: ignore[import-untyped]  # noqa: F401  before the limit: it holds what is loaded by then
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    people, minimum = len(scaled), model.minimum
    if people < 2 * minimum:
        raise NoClusters(
            f"{people} people cannot make two clusters of {minimum} each; wait for more people, or lower `minimum` in clusters.yaml"
        )
    chance = np.random.default_rng(DRAW)
    sample = scaled if people <= model.sample else scaled[np.sort(chance.choice(people, model.sample, replace=False))]
    different = len(np.unique(sample, axis=0))
    trials: list[Trial] = []
    with threadpool_limits(1):
        for method in dict.fromkeys(model.methods):
            finder = _Finder(method, sample, model.seed)
            for asked in range(model.clusters.from_, model.clusters.to + 1):
                if asked < different:
                    trials.append(_trial(finder, asked, scaled, minimum))
                advanced()
    usable = [trial for trial in trials if trial.clusters > 1]
    if not usable:
        raise NoClusters(
            f"no grouping of {people} people leaves each cluster with {minimum}: they behave too much alike; "
            "lower `minimum` in clusters.yaml, or measure other features"
        )
    limits = model.weak_below
    stable = [trial for trial in usable if trial.stability >= limits.stability]
    # Of equals the first in the file's order of methods, and of its trials the one with the fewest clusters.
    best = max(stable or usable, key=lambda trial: round(trial.quality, 6))
    weak = []
    if best.silhouette < limits.silhouette:
        weak.append(f"silhouette {best.silhouette:.2f} is below {limits.silhouette:g}: people form hardly any groups by this behaviour")
    if best.resampled < limits.stability:
        weak.append(f"stability {best.resampled:.2f} is below {limits.stability:g}: other people of this shop would be grouped otherwise")
    if best.reseeded < limits.stability:
        weak.append(f"agreement between seeds {best.reseeded:.2f} is below {limits.stability:g}: another `seed` groups people otherwise")
    return Choice(best, tuple(trials), tuple(weak))


class _Finder:
    """Finds k groups in a sample, by several seeds, and in the same subsamples of it for every k."""

    def __init__(self, method: str, sample: Matrix, seed: int) -> None:
        import numpy as np

        self.method, self.seed = method, seed
        chance = np.random.default_rng((DRAW, 1))
        limit = WARD_AT_MOST if method == "ward" else len(sample)
        self.sample = sample if len(sample) <= limit else sample[np.sort(chance.choice(len(sample), limit, replace=False))]
        size = min(int(len(self.sample) * SUBSAMPLE_SHARE), STABILITY_AT_MOST)
        self.parts = [self.sample[np.sort(chance.choice(len(self.sample), size, replace=False))] for _ in range(SUBSAMPLES)]
        few = min(len(self.sample), SILHOUETTE_AT_MOST)
        self.shown = self.sample[np.sort(chance.choice(len(self.sample), few, replace=False))]
        self._trees: dict[int, Matrix] = {}

    def runs(self, k: int) -> list[Centres]:
        """Return the centres of k groups of the sample as different seeds find them, the best first."""
        import numpy as np

        if self.method == "ward":  # knows no chance
            return [self._tree_centres(-1, self.sample, k)]
        seeds = np.random.SeedSequence((self.seed, k)).generate_state(RUNS)
        found = sorted((self._kmeans(self.sample, k, int(seed), STARTS) for seed in seeds), key=lambda run: run[0])
        return [centres for _, centres in found]

    def resampled(self, k: int, whole: Centres) -> float:
        """Return how alike the groups of subsamples are to those of the sample."""
        import numpy as np
        from sklearn.metrics import adjusted_rand_score  # type: ignore[import-untyped]

        return float(
            np.mean([adjusted_rand_score(whole.nearest(part), self._of_part(i, k).nearest(part)) for i, part in enumerate(self.parts)])
        )

    def _of_part(self, which: int, k: int) -> Centres:
        if self.method == "ward":
            return self._tree_centres(which, self.parts[which], k)
        return self._kmeans(self.parts[which], k, DRAW, SUBSAMPLE_STARTS)[1]

    def _kmeans(self, people: Matrix, k: int, seed: int, starts: int) -> tuple[float, Centres]:
        from sklearn.cluster import KMeans

        fitted = KMeans(k, n_init=starts, random_state=seed).fit(people)
        # Rounded, so that of runs that find the same the first is taken whatever their last digits.
        return round(float(fitted.inertia_), 6), _ordered(fitted.cluster_centers_)

    def _tree_centres(self, which: int, people: Matrix, k: int) -> Centres:
        import numpy as np
        from scipy.cluster.hierarchy import fcluster, linkage  # type: ignore[import-untyped]

        if which not in self._trees:
            self._trees[which] = linkage(people, "ward")
        labels: Labels = fcluster(self._trees[which], k, "maxclust")
        return _ordered([people[labels == label].mean(axis=0) for label in np.unique(labels)])


def _ordered(points: Iterable[Iterable[float]]) -> Centres:
    ordered = sorted(tuple(float(round(x, 9)) for x in point) for point in points)
    return Centres(tuple(ordered), tuple(range(len(ordered))))


def _trial(finder: _Finder, asked: int, scaled: Matrix, minimum: int) -> Trial:
    import numpy as np
    from sklearn.metrics import silhouette_score

    runs = finder.runs(asked)
    joined = [enough(found, scaled, minimum) for found in runs]
    centres = joined[0]
    labels = centres.assign(finder.shown)
    silhouette = float(silhouette_score(finder.shown, labels)) if 1 < len(np.unique(labels)) < len(labels) else -1.0
    everyone = [each.assign(scaled) for each in joined]
    smallest = int(np.bincount(everyone[0]).min())
    resampled, reseeded = finder.resampled(asked, runs[0]), _agreement(everyone)
    return Trial(finder.method, asked, centres.clusters, silhouette, resampled, reseeded, smallest, centres)


def _agreement(labellings: list[Labels]) -> float:
    """Return the mean adjusted Rand index between any two groupings of the same people."""
    import numpy as np
    from sklearn.metrics import adjusted_rand_score

    return float(np.mean([adjusted_rand_score(one, other) for one, other in combinations(labellings, 2)] or [1.0]))


__all__ = ["Choice", "NoClusters", "Trial", "choose"]
