"""What providers have room for, and what they told us of messages."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Table

from sojourn.store.tables.base import metadata
from sojourn.store.types import Json, Moment

carrier_slots = Table(
    "carrier_slots",
    metadata,
    Column("provider", String(32), primary_key=True),  # empty where all providers share the rate
    Column("scope", String(255), primary_key=True),  # a recipient domain's group; empty for all of them
    Column("next_at", Moment, nullable=False),  # when the next message would go at an even pace
)

carrier_days = Table(
    "carrier_days",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("day", String(10), primary_key=True),  # in UTC
    Column("count", Integer, nullable=False),
)

notices = Table(
    "notices",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("id", String(64), primary_key=True),  # a digest of the provider's id of the event: the same however often it is told
    Column("send_key", String(36), ForeignKey("sends.key"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # sojourn.delivery.webhooks.Kind
    Column("at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False, index=True),  # forgotten by it: sojourn.delivery.webhooks.forgetting
    Column("detail", Json, nullable=False),  # codes, and no words: words may hold an address
)
