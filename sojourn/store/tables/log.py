"""The log: what was accepted, what was set aside, and how far each reader has come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from sojourn.store.tables.base import Seq, metadata
from sojourn.store.types import Json, Moment, NullableJson

inbound = Table(
    "inbound",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("message_id", String(255), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # track identify page screen group alias
    Column("name", String(200), nullable=False),  # the event's name; of the others, their kind
    Column("user_id", String(255)),
    Column("anonymous_id", String(255)),
    Column("profile_id", String(36)),  # of an event from inside, which knows whose it is
    Column("known_by", Text),  # what else it names the person by: JSON, [[kind, value], ...]
    Column("time", Moment, nullable=False),  # when it happened, corrected for the sender's clock
    Column("received_at", Moment, nullable=False),
    Column("body", Json, nullable=False),  # sojourn.intake.envelope.Envelope
    sqlite_autoincrement=True,
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("message_id", String(255)),
    Column("reason", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("received_at", Moment, nullable=False, index=True),
    Column("name", String(200)),  # of an event that was read: the three below are there together, or none
    Column("time", Moment),
    Column("envelope", NullableJson),  # what is taken in once its definition is mended
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
