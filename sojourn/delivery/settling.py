"""Opens and clicks on their way to becoming events: kept at once, told a moment later.

Whether a click is one of a robot's burst shows only in the second after it. So each is written to
`engagements` before its reader is answered, and becomes an event, marked or not, when it has settled;
a crash in between loses nothing, for the rows are told by whoever comes next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Row, delete, insert, select, update

from sojourn.clock import Clock
from sojourn.delivery import engagement, ledger, machine, sending
from sojourn.delivery.engagement import Emit
from sojourn.delivery.ledger import State
from sojourn.delivery.machine import BURST_WINDOW, Click
from sojourn.delivery.outcomes import Accepted
from sojourn.log_errors import error_fields
from sojourn.store.database import Database
from sojourn.store.tables import engagements, links

SETTLING = BURST_WINDOW + timedelta(milliseconds=500)  # a burst that began with a click has ended by then
TICK_SECONDS = 0.25
BATCH = 500
OPEN, CLICK = "open", "click"
BURST = f"{machine.BURST_LINKS} links or more clicked within a second"

log = structlog.get_logger(__name__)


def note(conn: Connection, send_key: str, kind: str, now: datetime, because: str | None, position: int | None = None) -> None:
    """Keep an open or a click, once the send is known; it is told when it has settled.

    Args:
        conn: a writing transaction.
        send_key: whose.
        kind: open or click.
        now: the shop's moment.
        because: why the request is a robot's, where it is.
        position: of the link that was clicked.

    Raises:
        NotFound: there is no such send.
    """
    send = ledger.load(conn, send_key)
    why = because or machine.by_time(now, send.settled_at if send.state is State.ACCEPTED else send.claimed_at)
    conn.execute(insert(engagements).values(id=str(uuid4()), send_key=send_key, kind=kind, position=position, at=now, machine=why))
    if send.state in (State.CLAIMED, State.UNKNOWN, State.ABANDONED):
        # Who opens a message has received it: the evidence that an answer lost on the way would have been.
        sending.settle(conn, send_key, Accepted(send.provider_message_id), now)


def due(conn: Connection, now: datetime) -> list[str]:
    """Return the sends of which an open or a click has settled."""
    query = select(engagements.c.send_key).where(engagements.c.at <= now - SETTLING).order_by(engagements.c.at).limit(BATCH)
    return list(dict.fromkeys(conn.execute(query).scalars()))


def tell(conn: Connection, now: datetime, emit: Emit) -> int:
    """Turn what has settled into events, and return how many there were."""
    keys = due(conn, now)
    if not keys:
        return 0
    query = (
        select(engagements, links.c.url)
        .outerjoin(links, (links.c.send_key == engagements.c.send_key) & (links.c.position == engagements.c.position))
        .where(engagements.c.send_key.in_(keys))
        .order_by(engagements.c.send_key, engagements.c.at)
    )
    told: list[str] = []
    for key, group in groupby(conn.execute(query).all(), key=lambda row: str(row.send_key)):
        told += _tell_one(conn, key, list(group), now, emit)
    conn.execute(delete(engagements).where(engagements.c.id.in_(told)))
    return len(told)


def _tell_one(conn: Connection, key: str, rows: Sequence[Row[Any]], now: datetime, emit: Emit) -> list[str]:
    burst = machine.bursts([Click(row.id, row.position, row.at) for row in rows if row.kind == CLICK])
    if burst:  # kept on those that have not settled yet, for the others of their burst will be gone by then
        conn.execute(update(engagements).where(engagements.c.id.in_(burst), engagements.c.machine.is_(None)).values(machine=BURST))
    settled = [row for row in rows if row.at <= now - SETTLING]
    for row in settled:
        why = row.machine or (BURST if row.id in burst else None)
        properties: dict[str, Any] = {"machine": True, "because": why} if why else {}
        if row.kind == CLICK:
            properties |= {"link_url": row.url, "link_position": row.position}
        name = engagement.CLICKED if row.kind == CLICK else engagement.OPENED
        emit(conn, engagement.engagement(conn, key, name, f"{row.kind}:{row.id}", row.at, properties))
    return [row.id for row in settled]


async def keep_telling(db: Database, clock: Clock, emit: Emit, tick: float = TICK_SECONDS) -> None:
    """Tell what settles, until cancelled; what a crash left behind first."""
    while True:
        try:
            if await db.read(due, clock.now()):
                await db.write(tell, clock.now(), emit)
        except Exception as error:  # the rows are still there, and the next turn takes them
            log.error("opens and clicks could not be told", **error_fields(error))
        await asyncio.sleep(tick)
