"""Carries many messages through the send protocol together: three transactions for all of them instead of two for each.

Each is judged, claimed and settled by the same functions as one alone (`sending.py`). What goes wrong with one of them
changes nothing of the others: a claim that cannot be given yet is taken back to where it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from sojourn.clock import Clock, monotonic
from sojourn.delivery import facts, ledger
from sojourn.delivery.ahead import read_ahead, single
from sojourn.delivery.engagement import Emit
from sojourn.delivery.gate import judge
from sojourn.delivery.outcomes import Claimed, ClaimResult, NotAccepted, Outcome, Unclear
from sojourn.delivery.providers import Klass, Provider
from sojourn.delivery.routing import Routing, routing_of
from sojourn.delivery.rules import GateRules
from sojourn.delivery.sending import Frozen, claim, decide, post, settle
from sojourn.errors import NotCaughtUp, ProviderBusy, ProviderUnclear, Transient
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.tables import profiles


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
    prepare: Callable[[Connection], Frozen | None]


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
    """Claim what is new with what is read for all of them at once, and all else one by one."""
    now = clock.now()
    # In the order of people, as everyone locks them: two pages then wait for each other, and not for ever.
    places = sorted(range(len(asked)), key=lambda place: asked[place].profile_id)
    locks.lock_rows(conn, profiles, [each.profile_id for each in asked])
    alone = single(conn, [each.profile_id for each in asked])
    locks.hold_events(conn, sorted(alone))
    behind = facts.anything_waits(conn)
    came: dict[int, ClaimResult | Transient] = {}
    frozen: dict[int, Frozen] = {}
    for place in places:
        each = asked[place]
        if each.profile_id not in alone:
            continue
        if behind:
            try:
                facts.caught_up(conn, [each.profile_id])
            except NotCaughtUp as error:
                came[place] = error
                continue
        made = each.prepare(conn)
        if made is not None:
            frozen[place] = made
    _claim_new(conn, asked, frozen, now, routing, came)
    for place in places:
        if place not in came:
            came[place] = _claim_known(conn, asked[place], clock, routing)
    return [came[place] for place in range(len(asked))], monotonic()


def _claim_new(
    conn: Connection,
    asked: Sequence[Asked],
    frozen: Mapping[int, Frozen],
    now: datetime,
    routing: Routing,
    came: dict[int, ClaimResult | Transient],
) -> None:
    """Claim what was planned in this very transaction: nothing can have become of it yet."""
    if not frozen:
        return
    sends = [each.send for each in frozen.values()]
    journeys = {send.journey for send in sends}
    ahead = read_ahead(conn, [send.profile_id for send in sends], [send.entry_id for send in sends], [send.key for send in sends], journeys)
    for place, made in frozen.items():
        send, message, rules = made.send, made.message, asked[place].rules
        verdict = judge(facts.gather(conn, send, message, [send.profile_id], now, rules, ahead))
        try:
            came[place] = decide(conn, send, message, verdict, now, routing)
        except ProviderBusy as error:  # it stays planned
            came[place] = error


def _claim_known(conn: Connection, asked: Asked, clock: Clock, routing: Routing) -> ClaimResult | Transient:
    ledger.written(conn)
    point = conn.begin_nested()
    try:
        asked.prepare(conn)
        claimed = claim(conn, asked.key, clock.now(), asked.rules, routing)
        ledger.written(conn)
    except Transient as error:
        point.rollback()
        ledger.unwritten(conn)
        return error
    point.commit()
    return claimed


def _told(outcome: Outcome, provider: Provider) -> Came:
    if isinstance(outcome, NotAccepted):
        return ProviderBusy(outcome.reason)
    if isinstance(outcome, Unclear) and provider.klass is Klass.KEYED:
        return ProviderUnclear(outcome.reason)
    return outcome


__all__ = ["Asked", "Came", "deliver_all"]
