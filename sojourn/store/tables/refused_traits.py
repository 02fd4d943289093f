"""Words about people that were not taken, and why."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment

trait_refusals = Table(
    "trait_refusals",
    metadata,
    Column("message_id", String(255), primary_key=True),  # of the event, or what set the trait
    Column("trait", String(200), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("origin_id", String(36)),  # whose it is without any merge; null: the same
    Column("reason", Text, nullable=False),  # without the word itself
    Column("at", Moment, nullable=False),  # when it was said
    Index("ix_trait_refusals_profile", "profile_id", "at"),
    Index("ix_trait_refusals_at", "at"),
)
