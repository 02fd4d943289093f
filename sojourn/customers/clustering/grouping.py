"""Groups people from beginning to end: measured, scaled, chosen, named; and assigns others by a kept version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from sojourn.customers.clustering.choosing import Choice, choose
from sojourn.customers.clustering.naming import Cluster, clusters
from sojourn.customers.clustering.spaces import Centres, Scaling
from sojourn.customers.clustering.vectors import Behaviour
from sojourn.errors import NotFound, Terminal
from sojourn.language.clusters_model import CLUSTER, ClustersModel
from sojourn.store.tables import clusterings, segment_members

if TYPE_CHECKING:
    from sojourn.customers.clustering.spaces import Labels, Matrix

Replace = Callable[[str, list[str]], None]
"""Makes a segment's members exactly these people."""


class TooSmall(Terminal):
    """A cluster would have fewer people than the minimum."""


@dataclass(frozen=True)
class Clustering:
    """A finished clustering.

    Attributes:
        clusters: by number, the largest first.
        people: how many were grouped.
        features: names of what was measured.
    """

    version: str
    at: datetime
    model: ClustersModel
    scaling: Scaling
    choice: Choice
    clusters: tuple[Cluster, ...]
    members: tuple[list[str], ...]
    people: int

    @property
    def centres(self) -> Centres:
        """The centres by which people are assigned."""
        return self.choice.chosen.centres


@dataclass(frozen=True)
class Kept:
    """A clustering as stored."""

    version: str
    at: datetime
    model: ClustersModel
    scaling: Scaling
    centres: Centres
    names: tuple[str, ...]


def group(found: Behaviour, model: ClustersModel, at: datetime, advanced: Callable[[], None] = lambda: None) -> Clustering:
    """Return people grouped by their behaviour.

    Raises:
        NoClusters: no grouping leaves each cluster with the minimum of people.
    """
    measured = matrix(found)
    if len(measured) < 2 * model.minimum:
        choose(measured, model)  # refuses, in its own words
    scaling = Scaling.fit(measured, model)
    scaled = scaling.apply(measured)
    choice = choose(scaled, model, advanced)
    labels = choice.chosen.centres.assign(scaled)
    named = clusters(model, measured, scaled, labels)
    centres = choice.chosen.centres
    told = json.dumps([at.isoformat(), model.model_dump(mode="json", by_alias=True), scaling.plain(), centres.points, centres.homes])
    version = hashlib.sha256(told.encode()).hexdigest()[:8]
    return Clustering(version, at, model, scaling, choice, named, members(found, labels, len(named)), len(found))


def matrix(found: Behaviour) -> Matrix:
    """Return what was measured as one row a person."""
    import numpy as np

    return np.frombuffer(found.values, dtype=float).reshape(len(found), len(found.features)) if len(found) else np.zeros((0, 1))


def members(found: Behaviour, labels: Labels, count: int) -> tuple[list[str], ...]:
    """Return the people of each cluster."""
    parts: tuple[list[str], ...] = tuple([] for _ in range(count))
    for profile_id, label in zip(found.ids, labels.tolist(), strict=True):
        parts[label].append(profile_id)
    return parts


def keep(connection: Connection, done: Clustering, replace: Replace) -> None:
    """Store a clustering, and make its people the members of its segments; clusters of earlier versions lose theirs.

    Args:
        connection: of a writing transaction.
        done: the clustering.
        replace: makes a segment's members exactly some people, or notes that they are to be.
    """
    chosen = done.choice.chosen
    if connection.execute(select(clusterings.c.version).where(clusterings.c.version == done.version)).first() is None:
        row = {
            "version": done.version, "at": done.at, "method": chosen.method, "k": chosen.clusters, "people": done.people,
            "minimum": done.model.minimum, "silhouette": chosen.silhouette, "stability": chosen.stability,
            "features": done.model.model_dump(mode="json", by_alias=True), "scaling": done.scaling.plain(),
            "centres": {"points": [list(point) for point in chosen.centres.points], "homes": list(chosen.centres.homes)},
            "names": [cluster.name for cluster in done.clusters],
        }  # fmt: skip
        connection.execute(insert(clusterings), [row])
    for cluster, theirs in zip(done.clusters, done.members, strict=True):
        replace(cluster.segment, theirs)
    for segment in sorted(_filled(connection) - {cluster.segment for cluster in done.clusters}):
        replace(segment, [])


def kept(connection: Connection, version: str | None = None) -> Kept:
    """Return a stored clustering, the latest where no version is given.

    Raises:
        NotFound: there is none.
    """
    query = select(clusterings).order_by(clusterings.c.at.desc(), clusterings.c.version).limit(1)
    row = connection.execute(query if version is None else query.where(clusterings.c.version == version)).mappings().first()
    if row is None:
        which = "" if version is None else f" of version {version}"
        raise NotFound(f"there is no clustering{which} yet; make one with: sojourn cluster")
    model = ClustersModel.model_validate_json(json.dumps(row["features"]))
    centres = Centres(tuple(tuple(point) for point in row["centres"]["points"]), tuple(row["centres"]["homes"]))
    return Kept(row["version"], row["at"], model, Scaling.read(row["scaling"]), centres, tuple(row["names"]))


def assign(found: Behaviour, by: Kept) -> tuple[list[str], ...]:
    """Return the people of each cluster of a kept clustering; everyone who was measured is in one.

    Raises:
        TooSmall: one would fall below the minimum; it is time for a new clustering.
    """
    parts: tuple[list[str], ...] = tuple([] for _ in by.names)
    if len(found):
        parts = members(found, by.centres.assign(by.scaling.apply(matrix(found))), len(by.names))
    for name, theirs in zip(by.names, parts, strict=True):
        if len(theirs) < by.model.minimum:
            raise TooSmall(
                f"{CLUSTER}{name} would have {len(theirs)} people, fewer than the minimum of {by.model.minimum}: "
                "behaviour has changed since; group people anew with: sojourn cluster"
            )
    return parts


def refill(by: Kept, parts: tuple[list[str], ...], replace: Replace) -> Iterator[tuple[str, int]]:
    """Make people the members of their clusters; yield each segment and its size."""
    for name, theirs in zip(by.names, parts, strict=True):
        replace(f"{CLUSTER}{name}", theirs)
        yield f"{CLUSTER}{name}", len(theirs)


def _filled(connection: Connection) -> set[str]:
    query = select(segment_members.c.segment).where(segment_members.c.segment.startswith(CLUSTER, autoescape=True)).distinct()
    return set(connection.execute(query).scalars())


def facts(done: Clustering) -> dict[str, Any]:
    """Return what is said of a clustering as a whole: method, number, figures."""
    chosen = done.choice.chosen
    method = {"kmeans": "k-means", "ward": "hierarchical (Ward)"}[chosen.method]
    return {
        "method": method, "k": chosen.clusters, "silhouette": chosen.silhouette, "stability": chosen.stability,
        "resampled": chosen.resampled, "reseeded": chosen.reseeded,
    }  # fmt: skip


__all__ = ["Clustering", "Kept", "Replace", "TooSmall", "assign", "facts", "group", "keep", "kept", "matrix", "refill"]
