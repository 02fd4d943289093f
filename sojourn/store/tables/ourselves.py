"""Ourselves: signs of life."""

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
