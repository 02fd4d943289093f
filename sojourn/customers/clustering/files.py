"""The segment files of a clustering."""

from __future__ import annotations

from sojourn.customers.clustering.grouping import Clustering, facts
from sojourn.customers.clustering.naming import Cluster
from sojourn.customers.stages.files import GENERATED, described, header
from sojourn.language.loader import load_segment


def cluster_files(done: Clustering) -> dict[str, str]:
    """Return the text of each cluster's file by its name."""
    told = facts(done)
    head = (
        f"{GENERATED}cluster`, version {done.version}; edit clusters.yaml and run it again, rather than this file.",
        f"{told['method']}, {told['k']} clusters over {done.people:,} people, behaviour of {done.model.window} up to {done.at:%Y-%m-%d}.",
        f"Silhouette {told['silhouette']:.2f}, stability {told['stability']:.2f} (other people {told['resampled']:.2f}, other seeds "
        f"{told['reseeded']:.2f}), seed {done.model.seed}.",
        *(f"Weak: {sentence}." for sentence in done.choice.weak),
    )
    texts = {f"{cluster.segment}.yaml": header(head) + _text(cluster, done.version) for cluster in done.clusters}
    for name, text in texts.items():
        load_segment(text, name)  # what is written is read as strictly as what people write
    return texts


def _text(cluster: Cluster, version: str) -> str:
    # The version is quoted: one of digits alone would be read as a number.
    return f'segment: {cluster.segment}\n{described(cluster.description())}list: cluster\nversion: "{version}"\n'


__all__ = ["cluster_files"]
