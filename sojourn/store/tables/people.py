"""People: profiles, identifiers, history, consent, suppression."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text, text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Json, Moment

profiles = Table(
    "profiles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("merged_into", String(36), ForeignKey("profiles.id")),  # always the canonical one, never a chain
    Column("traits", Json, nullable=False),
    Column("trait_times", Json, nullable=False, server_default=text("'{}'")),  # sojourn.customers.traits: when each was said
    Column("tallies", Json, nullable=False, server_default=text("'{}'")),  # sojourn.customers.tallies: on what device, at what hour
    Column("zone", String(64)),
    Column("locale", String(35)),
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    Index("ix_profiles_merged_into", "merged_into"),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("kind", String(32), primary_key=True),  # user_id anonymous_id
    Column("value", String(255), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False, index=True),
    Column("since", Moment, nullable=False),
)

merges = Table(
    "merges",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("loser_id", String(36), nullable=False),
    Column("winner_id", String(36), nullable=False),
    Column("because", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("id", String(255), primary_key=True),  # the message id
    Column("seq", BigInteger, nullable=False),  # of its inbound row
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("time", Moment, nullable=False),
    Column("properties", Json, nullable=False),
    Column("send_key", String(36)),  # of engagement with a message
    Column("machine", Boolean, nullable=False, server_default=text("false")),  # a robot opened or clicked
    Index("ix_events_profile_name_time", "profile_id", "name", "time"),
    Index("ix_events_profile_time", "profile_id", "time"),
)

consents = Table(
    "consents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("wording", String(64)),  # version of the text that was agreed to
    Column("source", String(200), nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_consents_profile_purpose_at", "profile_id", "purpose", "at"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),  # keyed HMAC of the normalised address
    Column("reason", String(64), nullable=False),  # unsubscribed hard_bounce complaint manual
    Column("at", Moment, nullable=False),
)
