"""Clears up what nobody knows: asks the provider where it can be asked, and posts again where that is no second message.

class A, inside the key's window      claimed and posted again under the same key, through the gate
class B, found by a look-up           accepted
class B, not found past the lag       planned, claimed and posted again, through the gate, in one transaction
everything else                       waits for evidence, and is abandoned when its grace is over (sending.abandon)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection, bindparam, or_, select

from sojourn.clock import Clock
from sojourn.delivery import ledger, sending
from sojourn.delivery.ledger import SendRow, State
from sojourn.delivery.message import message_id_of
from sojourn.delivery.outcomes import Accepted
from sojourn.delivery.providers.base import Klass, LooksUp, Provider, Receipt, Sought
from sojourn.delivery.routing import Routing, routing_of
from sojourn.errors import NotCaughtUp, ProviderBusy, SojournError
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.tables import messages, sends

PAGE = 100  # sends a round, of each kind
AT_ONCE = 5  # look-ups
OURS_FIRST = timedelta(minutes=2)  # so long a journey's own attempts are left alone
Prepare = Callable[[Connection], object]
Again = Callable[[str, Prepare | None], Awaitable[object]]
"""Claims and posts a send again under its journey's rules; what is to be done first in the claim's transaction may be given."""

_UNKNOWN = (
    select(sends.c.key, sends.c.claimed_at)
    .where(sends.c.state == State.UNKNOWN.value, sends.c.claimed_at > bindparam("since"))
    .order_by(sends.c.claimed_at, sends.c.key)
    .limit(PAGE)
)
_LEFT = (
    select(sends.c.key)
    .where(
        sends.c.state.in_([State.PLANNED.value, State.HELD.value]),
        sends.c.attempts > 0,
        or_(sends.c.held_until.is_(None), sends.c.held_until <= bindparam("now")),
    )
    .order_by(sends.c.created_at)
    .limit(PAGE)
)
_WRITTEN = select(messages.c.to_address, messages.c.from_address).where(messages.c.send_key == bindparam("sought"))

log = structlog.get_logger(__name__)


@dataclass
class Cleared:
    """What a round came to."""

    accepted: int = 0  # found at the provider
    unsent: int = 0  # not there, and posted again
    again: int = 0  # posted again under a key that holds, or after a proof that nothing was accepted
    open: int = 0  # nobody knows yet


async def reconcile(db: Database, provider: Provider | Routing, clock: Clock, again: Again) -> Cleared:
    """Clear up one page of what is unknown, and of what a look-up or a refusal left planned."""
    routing, found = routing_of(provider), Cleared()
    for key in await db.read(_left, clock.now()):
        found.again += await _again(again, key, None)
    doubtful = await db.read(_unknown, clock.now())
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(send: SendRow, sought: Sought) -> None:
        async with gate:
            await _clear(db, routing, clock, again, send, sought, found)

    await asyncio.gather(*(one(send, sought) for send, sought in doubtful))
    return found


async def _clear(db: Database, routing: Routing, clock: Clock, again: Again, send: SendRow, sought: Sought, found: Cleared) -> None:
    provider, now = routing.named(send.provider), clock.now()
    if provider is None:
        found.open += 1
    elif provider.klass is Klass.KEYED:
        if sending.key_holds(send, provider, now) and now - sought.since >= OURS_FIRST:
            found.again += await _again(again, send.key, None)
        else:
            found.open += 1
    elif not isinstance(provider, LooksUp):
        found.open += 1
    else:
        try:
            receipt = await provider.look_up(sought)
        except ProviderBusy as error:
            log.warning("a look-up had no answer", provider=provider.name, send_key=send.key, because=str(error))
            found.open += 1
            return
        if receipt is not None:
            await db.write(_seen, send, receipt, clock.now())
            found.accepted += 1
        elif now - sought.since >= provider.index_lag:
            found.unsent += await _again(again, send.key, lambda conn: _unsent(conn, send, provider.name, clock.now()))
        else:
            found.open += 1


def _left(conn: Connection, now: datetime) -> list[str]:
    return list(conn.execute(_LEFT, {"now": now}).scalars())


def _unknown(conn: Connection, now: datetime) -> list[tuple[SendRow, Sought]]:
    found = []
    for key, claimed_at in conn.execute(_UNKNOWN, {"since": now - 2 * sending.GRACE}).all():
        written = conn.execute(_WRITTEN, {"sought": key}).one()
        sought = Sought(key, message_id_of(key, written.from_address), written.to_address, claimed_at)
        found.append((ledger.look(conn, key), sought))
    return found


def _seen(conn: Connection, before: SendRow, receipt: Receipt, now: datetime) -> None:
    sending.settle(conn, before.key, Accepted(receipt.provider_message_id or before.provider_message_id), now)


def _unsent(conn: Connection, before: SendRow, provider: str, now: datetime) -> None:
    """Plan a send again that its provider does not know; where anything has happened to it since, that counts more."""
    locks.lock_person(conn, before.profile_id)
    send = ledger.load(conn, before.key)
    if send.state is State.UNKNOWN and send.attempts == before.attempts:
        because = f"{provider} does not know it, and would by now"
        ledger.move(conn, send, State.PLANNED, because, now, claimed_at=None)


async def _again(again: Again, key: str, prepare: Prepare | None) -> int:
    try:
        await again(key, prepare)
    except (NotCaughtUp, ProviderBusy):
        return 0  # the next round takes it up
    except SojournError as error:
        log.warning("a send could not be taken up again", send_key=key, because=str(error))
        return 0
    return 1
