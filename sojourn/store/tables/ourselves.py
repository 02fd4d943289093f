"""Ourselves: signs of life, and who holds a role that only one may have."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from sojourn.store.tables.base import metadata
from sojourn.store.types import Moment

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
