"""Sends: the ledger and what belongs to it."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from sojourn.store.tables.base import Seq, metadata
from sojourn.store.types import Json, Moment

sends = Table(
    "sends",
    metadata,
    Column("key", String(36), primary_key=True),
    Column("entry_id", String(36), ForeignKey("entries.id"), nullable=False),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("journey", String(64), nullable=False),
    Column("step", String(200), nullable=False),  # the step's cursor
    Column("send_id", String(64), nullable=False),  # the author's id, else the content's name
    Column("content", String(64), nullable=False),
    Column("variant", String(64)),
    Column("purpose", String(64), nullable=False),
    Column("topic", String(64)),
    Column("priority", Integer, nullable=False, server_default="50"),
    Column("state", String(16), nullable=False),  # sojourn.delivery.ledger.State
    Column("reason", Text),  # why suppressed, held, rejected or abandoned
    Column("held_until", Moment),
    Column("consent_id", String(36)),
    Column("provider", String(32)),
    Column("provider_message_id", String(255)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Moment, nullable=False),
    Column("claimed_at", Moment),
    Column("settled_at", Moment),
    Column("mailbox", String(64)),  # a digest of the address that it goes to, as addresses are compared
    Index("ix_sends_mailbox", "mailbox", "profile_id"),
    Index("ix_sends_profile_claimed_at", "profile_id", "claimed_at"),
    Index("ix_sends_entry_id", "entry_id"),
    Index("ix_sends_state_claimed_at", "state", "claimed_at"),
    Index("ix_sends_provider_message_id", "provider_message_id"),
    Index("ix_sends_created_at_key", "created_at", "key"),
    Index("ix_sends_journey_claimed_at", "journey", "claimed_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("send_key", String(36), ForeignKey("sends.key"), primary_key=True),
    Column("to_address", String(320), nullable=False),
    Column("to_name", String(200)),
    Column("from_address", String(320), nullable=False),
    Column("from_name", String(200)),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("headers", Json, nullable=False),
    Column("tokens", Json, nullable=False),  # name to value and where it came from
    Column("rendered_at", Moment, nullable=False),
    Column("amp", Text),  # the part text/x-amp-html
)

links = Table(
    "links",
    metadata,
    Column("send_key", String(36), ForeignKey("sends.key"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", Text, nullable=False),
)

live_parts = Table(
    "live_parts",
    metadata,
    Column("send_key", String(36), ForeignKey("sends.key"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("shows", Json, nullable=False),  # sojourn.content.live
)

engagements = Table(
    "engagements",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("send_key", String(36), ForeignKey("sends.key"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # open click
    Column("position", Integer),  # of the link
    Column("at", Moment, nullable=False, index=True),
    Column("machine", Text),  # why it is taken for a robot's
)  # opens and clicks until it is settled whether a robot made them; then they become events and the rows go

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("send_key", String(36), ForeignKey("sends.key"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("check", String(32), nullable=False),  # exit consent suppression goal holdout quiet_hours cap ...
    Column("verdict", String(16), nullable=False),  # pass suppress hold
    Column("because", Text, nullable=False),
    sqlite_autoincrement=True,
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("send_key", String(36), ForeignKey("sends.key"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("from_state", String(16)),
    Column("to_state", String(16), nullable=False),
    Column("because", Text, nullable=False),
    sqlite_autoincrement=True,
)
