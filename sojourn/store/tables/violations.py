"""What was taken in although its definition finds it wrong."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment

violations = Table(
    "violations",
    metadata,
    Column("id", String(36), primary_key=True),  # the same for the same fault of the same event
    Column("message_id", String(255), nullable=False),
    Column("event", String(200), nullable=False),
    Column("path", String(255), nullable=False),  # of a property, such as products[].price; no value ever
    Column("reason", Text, nullable=False),
    Column("at", Moment, nullable=False),  # when it was received
    Index("ix_violations_at", "at"),
)
