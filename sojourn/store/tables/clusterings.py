"""Clusterings: each version by which people were grouped, so that new people can be assigned by the same."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, String, Table

from sojourn.store.tables.base import metadata
from sojourn.store.types import Json, Moment

clusterings = Table(
    "clusterings",
    metadata,
    Column("version", String(16), primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("method", String(16), nullable=False),  # kmeans ward
    Column("k", Integer, nullable=False),
    Column("people", Integer, nullable=False),
    Column("minimum", Integer, nullable=False),
    Column("silhouette", Float, nullable=False),
    Column("stability", Float, nullable=False),
    Column("features", Json, nullable=False),  # the file that they were measured by
    Column("scaling", Json, nullable=False),
    Column("centres", Json, nullable=False),  # points, and the cluster of each
    Column("names", Json, nullable=False),  # of the clusters, by number
)
