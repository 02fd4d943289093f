"""Signs of life: each process says from time to time that it is there; health reads it."""

from __future__ import annotations

import asyncio
import os
import platform
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, update

from sojourn.clock import real_now
from sojourn.errors import SojournError
from sojourn.store.database import Database
from sojourn.store.outlast import repeat
from sojourn.store.tables import heartbeats

INTERVAL_S = 5.0
SILENT_AFTER = timedelta(seconds=15)
_FORGOTTEN_AFTER = timedelta(hours=1)


def beat(connection: Connection, role: str, process: str, now: datetime) -> None:
    """Keep that a process of a role is alive at a real moment; forget those long gone."""
    if connection.execute(update(heartbeats).where(heartbeats.c.process == process).values(at=now)).rowcount == 0:
        connection.execute(insert(heartbeats).values(process=process, role=role, at=now))
        connection.execute(delete(heartbeats).where(heartbeats.c.at < now - _FORGOTTEN_AFTER))


def beat_no_more(connection: Connection, process: str) -> None:
    """Keep that a process has stopped."""
    connection.execute(delete(heartbeats).where(heartbeats.c.process == process))


def last_beats(connection: Connection) -> dict[str, datetime]:
    """Return each role's latest sign of life, in real time."""
    rows = connection.execute(select(heartbeats.c.role, func.max(heartbeats.c.at).label("at")).group_by(heartbeats.c.role))
    return {row.role: row.at for row in rows}


async def keep_beating(database: Database, role: str) -> None:
    """Say every few seconds that this process is alive, until cancelled."""
    process = f"{role}:{platform.node()}:{os.getpid()}"

    async def once() -> None:
        await database.write(beat, role, process, real_now())
        await asyncio.sleep(INTERVAL_S)

    try:
        await repeat("heartbeat", once)
    finally:
        with suppress(SojournError):  # one that was not taken back is silent soon
            await asyncio.shield(database.write(beat_no_more, process))
