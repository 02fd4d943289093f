"""Ourselves: signs of life, and who holds a role that only one may have."""

from __future__ import annotations

from sqlalchemy import Column, String, Table, Text

from sojourn.store.tables.base import metadata
from sojourn.store.types import Json, Moment

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("process", String(200), primary_key=True),  # role, machine and process id
    Column("role", String(32), nullable=False),
    Column("at", Moment, nullable=False, index=True),  # real time, not the shop's
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),  # the role
    Column("holder", String(200), nullable=False),  # whoever has it now
    Column("until", Moment, nullable=False),  # real time, as the holder last said; it changes with each renewal
)

# What the store knows of itself (sojourn.store.itself): who it is, what it was restored from, how it fits Temporal.
store_facts = Table(
    "store_facts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Json, nullable=False),
    Column("at", Moment, nullable=False),  # real time
)

doubts = Table(
    "doubts",
    metadata,
    Column("subject", String(36), primary_key=True),  # an entry's id, or a send's key
    Column("until", Moment),  # the shop's time up to which a send of it may have been made before; None: ever
    Column("because", Text, nullable=False),
    Column("at", Moment, nullable=False),
)  # what a store that was restored cannot know
