"""What halts journeys by itself: what went wrong with messages, and the brakes that it pulled."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table, Text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment

incidents = Table(
    "incidents",
    metadata,
    Column("send_key", String(36), ForeignKey("sends.key"), primary_key=True),
    Column("kind", String(16), primary_key=True),  # bounce complaint
    Column("journey", String(64), nullable=False),
    Column("at", Moment, nullable=False),  # when it was heard of
    Index("ix_incidents_kind_journey_at", "kind", "journey", "at"),
    Index("ix_incidents_kind_at", "kind", "at"),
)  # one for each message and kind, however often it is told

brakes = Table(
    "brakes",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("journey", String(64), nullable=False),  # `*` for the whole shop
    Column("kind", String(16), nullable=False),  # bounce complaint
    Column("level", String(8), nullable=False),  # alarm halt
    Column("share", Float, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("sent", BigInteger, nullable=False),
    Column("because", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("released_at", Moment),
    Column("released_because", Text),
    Index("ix_brakes_journey_released_at", "journey", "released_at"),
)
