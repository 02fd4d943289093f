"""Every table, in the order of the road: log, people, definitions, entries, sends.

Ids are random uuids as text. Moments are aware UTC. JSON columns hold plain JSON.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sojourn.store.types import Json, Moment

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_Seq = BigInteger().with_variant(Integer, "sqlite")

# -- the log -----------------------------------------------------------------------------------

inbound = Table(
    "inbound",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=True),
    Column("message_id", String(255), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # track identify page screen group alias
    Column("name", String(200), nullable=False),  # the event's name; of the others, their kind
    Column("user_id", String(255)),
    Column("anonymous_id", String(255)),
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
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)

# -- people ------------------------------------------------------------------------------------

profiles = Table(
    "profiles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("merged_into", String(36), ForeignKey("profiles.id")),  # always the canonical one, never a chain
    Column("traits", Json, nullable=False),
    Column("trait_times", Json, nullable=False, server_default=text("'{}'")),  # sojourn.customers.traits: when each was said
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

segment_members = Table(
    "segment_members",
    metadata,
    Column("segment", String(64), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), primary_key=True),
    Column("since", Moment, nullable=False),
)

# -- journeys ----------------------------------------------------------------------------------

definitions = Table(
    "definitions",
    metadata,
    Column("version", String(64), primary_key=True),  # hash of the body
    Column("journey", String(64), nullable=False, index=True),
    Column("body", Json, nullable=False),  # sojourn.language.model.Journey, by alias
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
    Column("seq", _Seq, primary_key=True, autoincrement=True),
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

# -- sends -------------------------------------------------------------------------------------

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
    Index("ix_sends_profile_claimed_at", "profile_id", "claimed_at"),
    Index("ix_sends_entry_id", "entry_id"),
    Index("ix_sends_state_claimed_at", "state", "claimed_at"),
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
)

links = Table(
    "links",
    metadata,
    Column("send_key", String(36), ForeignKey("sends.key"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", Text, nullable=False),
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
    Column("id", _Seq, primary_key=True, autoincrement=True),
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
    Column("id", _Seq, primary_key=True, autoincrement=True),
    Column("send_key", String(36), ForeignKey("sends.key"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    Column("from_state", String(16)),
    Column("to_state", String(16), nullable=False),
    Column("because", Text, nullable=False),
    sqlite_autoincrement=True,
)

# -- ourselves ---------------------------------------------------------------------------------

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("process", String(200), primary_key=True),  # role, machine and process id
    Column("role", String(32), nullable=False),
    Column("at", Moment, nullable=False, index=True),  # real time, not the shop's
)
