"""Journeys: definitions, entries, calls to make, decisions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint, text

from sojourn.store.tables.base import Seq, metadata
from sojourn.store.types import Json, Moment, NullableJson, OrderedJson

definitions = Table(
    "definitions",
    metadata,
    Column("version", String(64), primary_key=True),  # hash of the body
    Column("journey", String(64), nullable=False, index=True),
    Column("body", OrderedJson, nullable=False),  # sojourn.language.model.Journey, by alias; the order of arms decides who falls into which
    Column("first_seen", Moment, nullable=False),
)

entries = Table(
    "entries",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("journey", String(64), nullable=False),
    Column("version", String(64), ForeignKey("definitions.version"), nullable=False),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("subject", String(36)),  # the profile at entry: whom splits stick to, whatever it is merged into
    Column("key", String(255), nullable=False, server_default=""),
    Column("workflow_id", String(300), nullable=False),
    Column("run_id", String(64)),  # Temporal's, of its first run
    Column("trigger_id", String(255), nullable=False),  # the message id of the event that began it
    Column("trigger", Json, nullable=False),  # name, time, properties of that event
    Column("variants", Json, nullable=False),  # experiment or split id to arm
    Column("started_at", Moment, nullable=False),
    Column("delayed_until", Moment),  # its workflow does nothing before
    Column("state", String(16), nullable=False),  # running ended
    Column("outcome", String(64)),
    Column("because", Text),  # why it ended, in words
    Column("ended_by", String(16)),  # sojourn.intake.endings: guess or worker, which give way; None is certain
    Column("ended_at", Moment),
    Column("holdout", Boolean, nullable=False, server_default=text("false")),
    Column("goal_at", Moment),
    Column("goal_event_id", String(255)),
    Column("goal_value", Float),
    UniqueConstraint("journey", "trigger_id", "profile_id", "key"),
    Index("ix_entries_profile_journey_key", "profile_id", "journey", "key"),
    Index("ix_entries_workflow_id", "workflow_id"),
    Index("ix_entries_state_journey", "state", "journey"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("journey", String(64), nullable=False),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("event_id", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_refusals_profile_at", "profile_id", "at"),
    UniqueConstraint("journey", "event_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Seq, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),  # start signal terminate
    Column("entry_id", String(36), nullable=False),
    Column("workflow_id", String(300), nullable=False),
    Column("body", Json, nullable=False),  # sojourn.intake.outbox: StartCall, Arrived or TerminateCall
    Column("at", Moment, nullable=False),
    sqlite_autoincrement=True,
)  # a row is deleted when its call has been answered

decisions = Table(
    "decisions",
    metadata,
    Column("entry_id", String(36), ForeignKey("entries.id"), primary_key=True),
    Column("cursor", String(200), primary_key=True),  # the step at which judging began
    Column("at", Moment, nullable=False),
    Column("answers", Json, nullable=False),  # sojourn.travel.state.Progress
    Column("next_cursor", String(200)),
)

calls = Table(
    "calls",
    metadata,
    Column("entry_id", String(36), ForeignKey("entries.id"), primary_key=True),
    Column("cursor", String(200), primary_key=True),
    Column("name", String(64)),  # `keep`
    Column("state", String(16), nullable=False),  # trying, answered or failed
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("begun_at", Moment, nullable=False),
    Column("settled_at", Moment),
    Column("because", Text),
    Column("answer", NullableJson),  # where it is kept
)
