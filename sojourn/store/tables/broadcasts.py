"""Broadcasts: each sending of one, and everyone whom it goes to."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment, OrderedJson

broadcasts = Table(
    "broadcasts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(64), nullable=False, index=True),
    Column("version", String(64), ForeignKey("definitions.version"), nullable=False),  # the journey of one recipient
    Column("definition", OrderedJson, nullable=False),  # sojourn.language.broadcast_model.Broadcast, by alias
    Column("state", String(16), nullable=False),  # sojourn.broadcasts.standing.State
    Column("serial", Integer, nullable=False, server_default="1"),  # of the last change that its workflow is to hear of
    Column("heard", Integer, nullable=False, server_default="0"),  # up to which it has
    Column("begins_at", Moment, nullable=False),  # for those for whom it begins first
    Column("ends_at", Moment, nullable=False),  # nothing is sent after
    Column("per_second", Float),  # how many messages at most
    Column("cursor", String(36), nullable=False, server_default=""),  # the last profile that was gathered
    Column("gathered_at", Moment),  # when everyone had been
    Column("recipients", Integer, nullable=False, server_default="0"),
    Column("because", Text),  # why it was paused or stopped
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Index("ix_broadcasts_heard", "heard", "serial"),
)

broadcast_recipients = Table(
    "broadcast_recipients",
    metadata,
    Column("broadcast_id", String(36), ForeignKey("broadcasts.id"), primary_key=True),
    # Not `profile_id`: it does not follow a merge, and two rows that became one person are told apart.
    Column("profile", String(36), ForeignKey("profiles.id"), primary_key=True),
    Column("lane", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # waiting; then what came of the send, or `merged`
    Column("due", Moment, nullable=False),  # not sent before
    Index("ix_broadcast_recipients_next", "broadcast_id", "lane", "state", "due", "profile"),
)
