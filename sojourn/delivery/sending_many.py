"""Carries many messages through the send protocol together: three transactions for all of them instead of two for each.

Each is judged, claimed and settled by the same functions as one alone (`sending.py`). What goes wrong with one of them
changes nothing of the others: a claim that cannot be given yet is taken back to where it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from sojourn.clock import Clock, monotonic
from sojourn.delivery.engagement import Emit
from sojourn.delivery.outcomes import Claimed, ClaimResult, NotAccepted, Outcome, Unclear
from sojourn.delivery.providers import Klass, Provider
from sojourn.delivery.routing import Routing, routing_of
from sojourn.delivery.rules import GateRules
from sojourn.delivery.sending import claim, post, settle
from sojourn.errors import ProviderBusy, ProviderUnclear, Transient
from sojourn.store.database import Database


@dataclass(frozen=True)
class Asked:
    """A message that is to be carried.

    Attributes:
        key: of its send.
        profile_id: whose it is.
        rules: the shop's and the journey's.
        prepare: runs first in its claim (a `plan`).
    """

    key: str
    profile_id: str
    rules: GateRules
    prepare: Callable[[Connection], object]


Came = ClaimResult | Outcome | Transient


async def deliver_all(
    db: Database, provider: Provider | Routing, asked: Sequence[Asked], clock: Clock, *, emit: Emit | None = None, at_once: int
) -> list[Came]:
    """Carry messages through claim, post and settle, and return what came of each, in order.

    Where `sending.deliver` raises that it may be tried again, that error is what came of it here.

    Args:
        db: where the ledger is.
        provider: who carries them away, or who chooses one.
        asked: the messages.
        clock: the shop's.
        emit: appends `Email Delivered` where the provider delivers by itself.
        at_once: how many are posted at once; their number is bounded by what can be posted while a claim is fresh.
    """
    routing = routing_of(provider)
    came, claimed_at = await db.write(_claim_all, asked, clock, routing)
    turn = asyncio.Semaphore(at_once)

    async def carry(claimed: Claimed) -> Outcome:
        async with turn:
            outcome = replace(await post(claimed.provider, claimed.message, claimed_at), by=claimed.provider.name)
        routing.told(claimed.provider.name, outcome)
        return outcome

    posted = [place for place, each in enumerate(came) if isinstance(each, Claimed)]
    outcomes = await asyncio.gather(*(carry(each) for each in came if isinstance(each, Claimed)))

    def settle_all(conn: Connection) -> None:
        for place, outcome in zip(posted, outcomes, strict=True):
            claimed = came[place]
            assert isinstance(claimed, Claimed)
            settle(conn, asked[place].key, outcome, clock.now(), claimed.attempt, emit)
            if isinstance(outcome, NotAccepted):
                routing.give_back(conn, claimed.provider.name, clock.now())

    if posted:
        await db.write(settle_all)
    told: list[Came] = list(came)
    for place, outcome in zip(posted, outcomes, strict=True):
        claimed = came[place]
        told[place] = _told(outcome, claimed.provider) if isinstance(claimed, Claimed) else outcome
    return told


def _claim_all(conn: Connection, asked: Sequence[Asked], clock: Clock, routing: Routing) -> tuple[list[ClaimResult | Transient], float]:
    came: dict[int, ClaimResult | Transient] = {}
    # In the order of people, as everyone locks them: two pages then wait for each other, and not for ever.
    for place, each in sorted(enumerate(asked), key=lambda one: one[1].profile_id):
        point = conn.begin_nested()
        try:
            each.prepare(conn)
            came[place] = claim(conn, each.key, clock.now(), each.rules, routing)
        except Transient as error:
            point.rollback()
            came[place] = error
        else:
            point.commit()
    return [came[place] for place in range(len(asked))], monotonic()


def _told(outcome: Outcome, provider: Provider) -> Came:
    if isinstance(outcome, NotAccepted):
        return ProviderBusy(outcome.reason)
    if isinstance(outcome, Unclear) and provider.klass is Klass.KEYED:
        return ProviderUnclear(outcome.reason)
    return outcome


__all__ = ["Asked", "Came", "deliver_all"]
