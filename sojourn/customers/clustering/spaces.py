"""The space that people are compared in: features on a common scale, and centres to which each person is near."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sojourn.language.clusters_model import ClustersModel

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Matrix = NDArray[numpy.float64]
    Labels = NDArray[numpy.int64]

LIMIT = 3.0  # spreads from the middle; beyond them more is no more different
OUTERMOST = (1, 99)  # percentiles
CHUNK = 50_000


@dataclass(frozen=True)
class Scaling:
    """How measured numbers come onto one scale: logarithm where told, minus the middle, by the spread.

    Attributes:
        logs: which features go by their logarithm.
        middles: the median of each.
        spreads: standard deviation of each, robust against outliers; 0 where everyone is alike, and then the feature says nothing.
    """

    logs: tuple[bool, ...]
    middles: tuple[float, ...]
    spreads: tuple[float, ...]

    @classmethod
    def fit(cls, measured: Matrix, model: ClustersModel) -> Scaling:
        """Return the scaling of measured people."""
        import numpy as np

        logs = tuple(feature.scale == "log" for feature in model.features)
        moved = _moved(measured, logs)
        middle = np.median(moved, axis=0)
        # Without the outermost, whom one odd person would be enough to move. Quartiles would say nothing of what
        # only a few do (most never used a discount); there even these few may be the outermost, and count.
        inner = np.clip(moved, *np.percentile(moved, OUTERMOST, axis=0)).std(axis=0)
        spreads = np.where(inner > 0, inner, moved.std(axis=0))
        return cls(logs, tuple(map(float, middle)), tuple(float(each) if each > 1e-9 else 0.0 for each in spreads))

    def apply(self, measured: Matrix) -> Matrix:
        """Return measured people on the common scale."""
        import numpy as np

        spreads = np.array(self.spreads)
        scaled = (_moved(measured, self.logs) - np.array(self.middles)) / np.where(spreads > 0, spreads, 1.0)
        result: Matrix = np.where(spreads > 0, np.clip(scaled, -LIMIT, LIMIT), 0.0)
        return result

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"logs": list(self.logs), "middles": list(self.middles), "spreads": list(self.spreads)}

    @classmethod
    def read(cls, plain: dict[str, Any]) -> Scaling:
        """Return the scaling that plain JSON says."""
        return cls(tuple(plain["logs"]), tuple(plain["middles"]), tuple(plain["spreads"]))


@dataclass(frozen=True)
class Centres:
    """Points of the space, and to which cluster each belongs; a cluster that took in another has several.

    Attributes:
        points: one row a centre.
        homes: the cluster of each centre, from 0.
    """

    points: tuple[tuple[float, ...], ...]
    homes: tuple[int, ...]

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return len(set(self.homes))

    def nearest(self, scaled: Matrix) -> Labels:
        """Return the nearest centre of each person."""
        import numpy as np

        points = np.array(self.points)
        squares = (points**2).sum(axis=1)
        parts = [(squares - 2 * scaled[start : start + CHUNK] @ points.T).argmin(axis=1) for start in range(0, max(len(scaled), 1), CHUNK)]
        return np.concatenate(parts)

    def assign(self, scaled: Matrix) -> Labels:
        """Return each person's cluster: that of the nearest centre."""
        import numpy as np

        return np.array(self.homes)[self.nearest(scaled)]


def enough(centres: Centres, scaled: Matrix, minimum: int) -> Centres:
    """Return centres whose clusters all have the minimum of people, by joining the smallest with its nearest, again and again.

    Clusters are numbered by size, the largest first. One cluster remains where nothing else is left.
    """
    import numpy as np

    sizes = np.bincount(centres.nearest(scaled), minlength=len(centres.points)).astype(float)
    points = np.array(centres.points)
    homes = list(centres.homes)
    while len(set(homes)) > 1:
        total = {home: float(sum(sizes[i] for i, each in enumerate(homes) if each == home)) for home in sorted(set(homes))}
        smallest = min(total, key=lambda home: (total[home], home))
        if total[smallest] >= minimum:
            break
        middles = {home: _middle(points, sizes, homes, home) for home in total}
        others = [home for home in total if home != smallest]
        near = min(others, key=lambda home: (float(((middles[home] - middles[smallest]) ** 2).sum()), home))
        homes = [near if each == smallest else each for each in homes]
    final = {home: float(sum(sizes[i] for i, each in enumerate(homes) if each == home)) for home in set(homes)}
    order = {home: place for place, home in enumerate(sorted(final, key=lambda home: (-final[home], home)))}
    return Centres(centres.points, tuple(order[home] for home in homes))


def _middle(points: Matrix, sizes: Matrix, homes: list[int], home: int) -> Matrix:
    import numpy as np

    mine = [i for i, each in enumerate(homes) if each == home]
    weights = sizes[mine] if sizes[mine].sum() > 0 else None
    result: Matrix = np.average(points[mine], axis=0, weights=weights)
    return result


def _moved(measured: Matrix, logs: tuple[bool, ...]) -> Matrix:
    import numpy as np

    result: Matrix = np.where(np.array(logs), np.log1p(np.maximum(measured, 0.0)), measured)
    return result


__all__ = ["Centres", "Scaling", "enough"]
