"""Pairs of profiles that may be one person's, and what was decided of them."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, String, Table, UniqueConstraint

from sojourn.store.tables.base import metadata
from sojourn.store.types import Json, Moment

# The two ids are those at the time of the proposal: they do not follow a merge, so that what was decided stays readable.
merge_candidates = Table(
    "merge_candidates",
    metadata,
    Column("id", String(36), primary_key=True),  # of the pair: the same pair is never proposed twice
    Column("left_id", String(36), nullable=False),  # the lesser of the two
    Column("right_id", String(36), nullable=False, index=True),
    Column("probability", Float(53), nullable=False),
    Column("match_weight", Float(53), nullable=False),  # log2 of the odds
    Column("because", Json, nullable=False),  # per field: its agreement and its weight, no values
    Column("state", String(16), nullable=False),  # pending merged rejected refused stale
    Column("reason", String(400)),  # of a refusal, or why a sure pair waits
    Column("model", String(32), nullable=False),  # the settings' fingerprint
    Column("created_at", Moment, nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(200)),
    UniqueConstraint("left_id", "right_id"),
    Index("ix_merge_candidates_state_probability", "state", "probability", "id"),
)
