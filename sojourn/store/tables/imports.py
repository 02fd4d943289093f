"""Bulk imports: which file has come how far."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table

from sojourn.store.tables.base import Seq, metadata
from sojourn.store.types import Json, Moment

imports = Table(
    "imports",
    metadata,
    Column("id", Seq, primary_key=True, autoincrement=True),
    Column("fingerprint", String(64), nullable=False, unique=True),  # of content, kind, mapping and mode: one import is done once
    Column("content", String(64), nullable=False),  # SHA-256 of the file
    Column("size", BigInteger, nullable=False),  # in bytes
    Column("file", String(255), nullable=False),  # its name, without folders
    Column("kind", String(16), nullable=False),  # profiles events
    Column("mapping", Json, nullable=False),  # sojourn.bulk.mapping: what the command line said
    Column("as_of", Moment, nullable=False),  # of rows that bear no time: the same however often it is begun
    Column("position", BigInteger, nullable=False),  # rows read and settled
    Column("offset", BigInteger, nullable=False),  # bytes of the uncompressed text read
    Column("line", BigInteger, nullable=False),  # lines read
    Column("done", BigInteger, nullable=False),  # rows taken
    Column("errors", BigInteger, nullable=False),  # rows refused
    Column("errors_size", BigInteger, nullable=False),  # bytes of the errors file
    Column("started_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("finished_at", Moment),
    sqlite_autoincrement=True,
)
