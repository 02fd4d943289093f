"""A clustering as a page that stands alone: sizes, how the number was chosen, and what each cluster is like."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sojourn.customers.clustering.choosing import Trial
from sojourn.customers.clustering.grouping import Clustering, facts
from sojourn.customers.clustering.naming import Cluster, shown
from sojourn.language.clusters_model import ClustersModel

COLOURS = ("#2f67a8", "#3d7a55", "#b58a1c", "#9b4a6b", "#5b5ea6", "#c2683c", "#4a8a8f", "#77716a")
WIDTH, HEIGHT, MARGIN = 340, 190, 42
MOST = 2.0  # standard deviations that fill a bar
PROFILE_ROWS = 6


def report(done: Clustering) -> str:
    """Return the page as HTML; it needs no other file and no script."""
    environment = Environment(loader=PackageLoader("sojourn.customers.clustering"), autoescape=True, undefined=StrictUndefined)
    biggest = max(cluster.size for cluster in done.clusters)
    return environment.get_template("report.html").render(
        version=done.version,
        at=f"{done.at:%Y-%m-%d %H:%M} UTC",
        people=f"{done.people:,}",
        window=done.model.window,
        minimum=done.model.minimum,
        facts=facts(done),
        weak=done.choice.weak,
        clusters=[_cluster(i, cluster, biggest) for i, cluster in enumerate(done.clusters)],
        charts=[_chart(done, what) for what in ("silhouette", "stability")],
        methods=[{"name": _method(method), "colour": COLOURS[i]} for i, method in enumerate(done.model.methods)],
        trials=[_row(trial, trial is done.choice.chosen) for trial in done.choice.trials],
        features=_features(done.model),
    )


def _cluster(number: int, cluster: Cluster, biggest: int) -> dict[str, Any]:
    rows = [
        {
            "label": difference.feature.label or difference.feature.feature,
            "inside": shown(difference.inside),
            "outside": shown(difference.outside),
            "x": 100 + min(0.0, max(difference.by, -MOST)) / MOST * 96,
            "width": max(min(abs(difference.by), MOST) / MOST * 96, 1),
            "by": f"{difference.by:+.1f}",
        }
        for difference in cluster.differences[:PROFILE_ROWS]
    ]
    colour = COLOURS[number % len(COLOURS)]
    return {
        "name": cluster.segment, "size": f"{cluster.size:,}", "share": f"{cluster.share:.1%}", "bar": cluster.size / biggest * 100,
        "colour": colour, "rows": rows, "sentence": cluster.description(),
    }  # fmt: skip


def _chart(done: Clustering, what: str) -> dict[str, Any]:
    """Return a line for each method over the number asked for, with a dot at what was chosen."""
    low, high = done.model.clusters.from_, done.model.clusters.to
    limit = getattr(done.model.weak_below, what)
    values = [max(getattr(trial, what), 0.0) for trial in done.choice.trials]
    top = min(1.0, max(0.2, *values, limit) * 1.15)

    def x(k: int) -> float:
        return MARGIN + (k - low) / max(high - low, 1) * (WIDTH - 2 * MARGIN)

    def y(value: float) -> float:
        return float(HEIGHT - MARGIN - max(value, 0.0) / top * (HEIGHT - 2 * MARGIN))

    lines = []
    for i, method in enumerate(done.model.methods):
        points = [(x(trial.asked), y(getattr(trial, what))) for trial in done.choice.trials if trial.method == method]
        lines.append({"points": " ".join(f"{a:.1f},{b:.1f}" for a, b in points), "dots": points, "colour": COLOURS[i]})
    chosen = done.choice.chosen
    ticks = [{"y": y(top * part), "label": f"{top * part:.2f}"} for part in (0, 0.5, 1)]
    return {
        "title": what.capitalize(), "lines": lines, "ks": [{"x": x(k), "label": k} for k in range(low, high + 1)], "ticks": ticks,
        "limit": y(limit) if 0 <= limit <= top else None, "chosen": (x(chosen.asked), y(getattr(chosen, what))),
        "width": WIDTH, "height": HEIGHT, "margin": MARGIN,
    }  # fmt: skip


def _row(trial: Trial, chosen: bool) -> dict[str, Any]:
    return {
        "method": _method(trial.method), "asked": trial.asked, "clusters": trial.clusters, "chosen": chosen,
        "silhouette": f"{trial.silhouette:.3f}", "stability": f"{trial.stability:.3f}", "smallest": f"{trial.smallest:,}",
    }  # fmt: skip


def _method(method: str) -> str:
    return {"kmeans": "k-means", "ward": "Ward"}[method]


def _features(model: ClustersModel) -> list[str]:
    return [feature.label or feature.feature for feature in model.features]


__all__ = ["report"]
