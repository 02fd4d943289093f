"""Lets go on at once what a brake held, when a person releases it; without this it would look again within the hour.

A journey's entry is told by a call like any other, which ends its pause at the held send and nothing else; the
recipients of a broadcast become due, and its workflow hears of a change. Whatever was being judged at that very moment
and is not found here still looks again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, or_, select, update

from sojourn.broadcasts.gathering import WAITING
from sojourn.broadcasts.standing import State
from sojourn.delivery import brakes
from sojourn.delivery.gate import Check
from sojourn.delivery.ledger import State as SendState
from sojourn.store.tables import broadcast_recipients as recipients
from sojourn.store.tables import broadcasts, entries, outbox, profiles, sends
from sojourn.travel.state import Arrived, held_at

RELEASED = "Brake Released"
PAGE = 1_000


@dataclass(frozen=True)
class WentOn:
    """A page of what goes on.

    Attributes:
        entries: how many entries of journeys are called.
        broadcasts: whose recipients became due.
        recipients: how many of them.
        after: where the next page begins; None where this was the last.
    """

    entries: int = 0
    broadcasts: tuple[str, ...] = ()
    recipients: int = 0
    after: str | None = None


def go_on(connection: Connection, journey: str, now: datetime, after: str = "", page: int = PAGE) -> WentOn:
    """Let a page of what a brake held be judged again.

    Call it once the brake is released, with `after` of the last answer until that is None; each page may have its own
    transaction.

    Args:
        connection: of a writing transaction.
        journey: whose brake it was, or a broadcast's; `*`: the whole shop's.
        now: the shop's moment.
        after: the send's key after which the page begins.
        page: how many at most.
    """
    query = (
        select(sends.c.key, sends.c.entry_id, sends.c.step, entries.c.workflow_id, entries.c.trigger_id, entries.c.subject, broadcasts.c.id)
        .join(entries, entries.c.id == sends.c.entry_id)
        .outerjoin(broadcasts, broadcasts.c.id == entries.c.trigger_id)
        .where(
            sends.c.state == SendState.HELD.value,
            sends.c.reason.startswith(f"{Check.BRAKE.value}: "),
            entries.c.state == "running",
            sends.c.key > after,
        )
        .order_by(sends.c.key)
        .limit(page)
    )
    rows = connection.execute(query if journey == brakes.WHOLE_SHOP else query.where(sends.c.journey == journey)).all()
    calls = [_call(row, journey, now) for row in rows if row.id is None]
    sent_to = [row for row in rows if row.id is not None]
    touched = tuple(sorted({row.id for row in sent_to}))
    due = sum(_make_due(connection, one, [row.subject for row in sent_to if row.id == one], now) for one in touched)
    if calls:
        connection.execute(insert(outbox), calls)
    return WentOn(len(calls), touched, due, rows[-1].key if len(rows) == page else None)


def _call(row: Any, journey: str, now: datetime) -> dict[str, Any]:
    told = f"released:{journey}:{row.key}:{now.isoformat()}"  # of two brakes that are released at one moment each is heard
    arrived = Arrived(id=told, entry_id=row.entry_id, event=RELEASED, time=now, meets=(held_at(row.step),))
    body = arrived.model_dump(mode="json")
    return {"kind": "signal", "entry_id": row.entry_id, "workflow_id": row.workflow_id, "body": body, "at": now}


def _make_due(connection: Connection, broadcast_id: str, people: Sequence[str], now: datetime) -> int:
    whose = select(profiles.c.id).where(or_(profiles.c.id.in_(people), profiles.c.merged_into.in_(people)))
    waiting = (recipients.c.broadcast_id == broadcast_id, recipients.c.state == WAITING, recipients.c.profile.in_(whose))
    count = connection.execute(update(recipients).where(*waiting, recipients.c.due > now).values(due=now)).rowcount
    running = (broadcasts.c.id == broadcast_id, broadcasts.c.state == State.RUNNING)
    connection.execute(update(broadcasts).where(*running).values(serial=broadcasts.c.serial + 1))
    return int(count)


__all__ = ["RELEASED", "WentOn", "go_on"]
