"""Segments: who is in which."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, String, Table

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment

segment_members = Table(
    "segment_members",
    metadata,
    Column("segment", String(64), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), primary_key=True),
    Column("since", Moment, nullable=False),
)
