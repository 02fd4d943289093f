"""Segments: who is in which, when that can change next, and how far a changed definition has been gone through."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, text

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
    Column("cause", String(8)),  # sojourn.customers.segments.causes: what it is judged for then; none: time
    Column("live", Boolean, nullable=False, server_default=text("false")),  # an import or edit that journeys hear of
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
    Column("live", Boolean, nullable=False, server_default=text("false")),  # journeys hear of who comes and goes by it
)

segment_judged = Table(
    "segment_judged",
    metadata,
    Column("profile", String(36), ForeignKey("profiles.id"), primary_key=True),  # as of segment_due
    Column("serial", BigInteger, nullable=False),  # of the judging: sojourn.customers.segments.judging
)  # whom something else judged while definitions are gone through

segment_releases = Table(
    "segment_releases",
    metadata,
    Column("message_id", String(255), primary_key=True),  # of the event
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False, index=True),
    Column("segment", String(64), nullable=False),
    Column("entered", Boolean, nullable=False),
    Column("cause", String(8), nullable=False),
    Column("at", Moment, nullable=False, index=True),  # when journeys hear of it
)  # changes that an import or an edit with `--live` made: told a few a minute
