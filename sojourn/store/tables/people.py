"""People: profiles, identifiers, history, consent, suppression.

`profile_id` names the profile whose row it is now, after every merge. `origin_id` names the one whose it would
be without them (none: the same), so that a merge can be undone.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text, UniqueConstraint, text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Json, Moment, NullableJson

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
    Column("own", NullableJson),  # sojourn.customers.profiles: its own facts, where merges added others' to the columns
    Column("first_seen", Moment, nullable=False),
    Column("last_seen", Moment, nullable=False),
    # Of those alone: asked for the living, SQLite would go through all of them by it, and sort.
    Index(
        "ix_profiles_merged_into",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("kind", String(40), primary_key=True),  # user_id anonymous_id email phone, or of a CRM: stripe_id ...; nobody:KIND
    Column("value", String(255), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False, index=True),
    Column("origin_id", String(36)),
    Column("since", Moment, nullable=False),
    Column("shared", Boolean, nullable=False, server_default=text("false")),  # nobody's: it joins no one and leads to no person
    Index("ix_identifiers_value", "value"),
)

merges = Table(
    "merges",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("number", BigInteger, nullable=False, index=True),  # in the order in which they were made
    Column("loser_id", String(36), nullable=False, index=True),
    Column("winner_id", String(36), nullable=False, index=True),
    Column("from_id", String(36), nullable=False),  # the two that were found to be one person's:
    Column("to_id", String(36), nullable=False),  # loser and winner, or some that were merged into these before
    Column("kind", String(32), nullable=False),  # of the identifier that they share; else alias hand resolution
    Column("because", Text, nullable=False),
    Column("message_id", String(255)),  # of the event that said so
    Column("at", Moment, nullable=False),
    Column("members", Json, nullable=False, server_default=text("'{}'")),  # the segments of loser and winner, before
    Column("undone_at", Moment),
    Column("undone_because", Text),
)

refused_merges = Table(
    "refused_merges",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("one_id", String(36), nullable=False, index=True),
    Column("other_id", String(36), nullable=False, index=True, server_default=""),  # empty: one identifier too many, and no other profile
    Column("kind", String(32), nullable=False),  # of the identifier, or alias hand resolution
    Column("value", String(255), nullable=False, server_default=""),
    Column("reason", String(16), nullable=False),  # sojourn.customers.identity_words.Reason
    Column("message_id", String(255)),
    Column("at", Moment, nullable=False, index=True),
    UniqueConstraint("kind", "value", "one_id", "other_id", "reason"),
)

separations = Table(
    "separations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("one_id", String(36), nullable=False, index=True),
    Column("other_id", String(36), nullable=False, index=True),
    Column("because", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("ended_at", Moment),  # someone merged them by hand after all
)

events = Table(
    "events",
    metadata,
    Column("id", String(255), primary_key=True),  # the message id
    Column("seq", BigInteger, nullable=False),  # of its inbound row
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("origin_id", String(36)),
    Column("kind", String(16), nullable=False),
    Column("name", String(200), nullable=False),
    Column("time", Moment, nullable=False),
    Column("properties", Json, nullable=False),
    Column("send_key", String(36)),  # of engagement with a message
    Column("machine", Boolean, nullable=False, server_default=text("false")),  # a robot opened or clicked
    Index("ix_events_profile_name_time", "profile_id", "name", "time"),
    Index("ix_events_profile_time", "profile_id", "time"),
    Index("ix_events_send_key", "send_key", sqlite_where=text("send_key IS NOT NULL"), postgresql_where=text("send_key IS NOT NULL")),
)

consents = Table(
    "consents",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("origin_id", String(36)),
    Column("purpose", String(64), nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("pending", Boolean, nullable=False, server_default=text("false")),  # a yes that waits to be confirmed; not granted yet
    Column("wording", String(64)),  # version of the text that was agreed to
    Column("source", String(200), nullable=False),
    Column("at", Moment, nullable=False),
    Column("own", Boolean, nullable=False, server_default=text("false")),  # a deed of the reader; else a state that something repeats
    Column("stream", String(64)),  # of a state: what repeats it, where that is not its source
    Column("again_at", Moment),  # of a state: when it was said last
    Index("ix_consents_profile_purpose_at", "profile_id", "purpose", "at"),
)

preferences = Table(
    "preferences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("profile_id", String(36), ForeignKey("profiles.id"), nullable=False),
    Column("origin_id", String(36)),
    Column("frequency", String(16), nullable=False),  # sojourn.customers.preferences.Frequency
    Column("until", Moment),  # of a pause
    Column("source", String(200), nullable=False),
    Column("at", Moment, nullable=False),
    Index("ix_preferences_profile_at", "profile_id", "at"),
)  # how often a person wants to be written to; the latest word stands

suppressions = Table(
    "suppressions",
    metadata,
    Column("address_hash", String(64), primary_key=True),  # keyed HMAC of the normalised address
    Column("reason", String(64), nullable=False),  # unsubscribed complaint import manual hard_bounce
    Column("at", Moment, nullable=False),
    Column("folded", Boolean, nullable=False, server_default=text("false")),  # hashed before addresses had one form
    Index("ix_suppressions_at", "at", "address_hash"),
)

address_refusals = Table(
    "address_refusals",
    metadata,
    Column("address_hash", String(64), primary_key=True),  # as in suppressions
    Column("purpose", String(80), primary_key=True),
    Column("at", Moment, nullable=False),
)  # the last no of whoever bore an address, to one purpose; only a later yes of their own outweighs it
