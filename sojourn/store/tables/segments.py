"""Segments: who is in which, when that can change next, and how far a changed definition has been gone through."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment

segment_members = Table(
    "segment_members",
    metadata,
    Column("segment", String(64), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), primary_key=True),
    Column("since", Moment, nullable=False),
    Index("ix_segment_members_profile_id", "profile_id"),
)

segment_due = Table(
    "segment_due",
    metadata,
    # Not `profile_id`: it does not follow a merge, the one that lives on gets a moment of its own.
    Column("profile", String(36), ForeignKey("profiles.id"), primary_key=True),
    Column("at", Moment, nullable=False, index=True),  # the earliest at which any of its memberships can change by itself
)

segment_builds = Table(
    "segment_builds",
    metadata,
    Column("segment", String(64), primary_key=True),
    Column("version", String(64), nullable=False),  # hash of what its condition means
    Column("state", String(16), nullable=False),  # building live
    Column("cursor", String(36), nullable=False, server_default=""),  # the last profile gone through
    Column("done", Integer, nullable=False, server_default="0"),  # profiles
    Column("total", Integer, nullable=False, server_default="0"),
    Column("entered", Integer, nullable=False, server_default="0"),
    Column("exited", Integer, nullable=False, server_default="0"),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("condition", Text, nullable=False),  # as its author wrote it
)
