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
from sojourn.delivery.facts import Checked
from sojourn.delivery.freezing import Frozen, Made, freeze, freeze_all
from sojourn.delivery.gate import judge
from sojourn.delivery.outcomes import Claimed, ClaimResult, NotAccepted, Outcome, Unclear
from sojourn.delivery.providers import Klass, Provider
from sojourn.delivery.routing import Routing, routing_of
from sojourn.delivery.rules import GateRules
from sojourn.delivery.sending import claim, decide, post, settle_send
from sojourn.errors import NotCaughtUp, ProviderBusy, ProviderUnclear, Transient
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.tables import profiles


@dataclass(frozen=True)
class Asked:
    """A message that is to be carried.

    Attributes:
        made: the message.
        rules: the shop's and the journey's.
        checked: what is wrong with the message by itself, where that was asked.
    """

    made: Made
    rules: GateRules
    checked: Checked | None = None

    @property
    def key(self) -> str:
        """Of its send."""
        return self.made.order.key

    @property
    def profile_id(self) -> str:
        """Whose it is."""
        return self.made.order.profile_id


Came = ClaimResult | Outcome | Transient
Keep = Callable[[Connection, Sequence[str]], object]


async def deliver_all(
    db: Database,
    provider: Provider | Routing,
    asked: Sequence[Asked],
    clock: Clock,
    *,
    keep: Keep,
    emit: Emit | None = None,
    at_once: int,
) -> list[Came]:
    """Carry messages through claim, post and settle, and return what came of each, in order.

    Where `sending.deliver` raises that it may be tried again, that error is what came of it here.

    Args:
        db: where the ledger is.
        provider: who carries them away, or who chooses one.
        asked: the messages.
        clock: the shop's.
        keep: writes down what led to messages, by their keys, in the transaction of their claims.
        emit: appends `Email Delivered` where the provider delivers by itself.
        at_once: how many are posted at once; their number is bounded by what can be posted while a claim is fresh.
    """
    routing = routing_of(provider)
    came, claimed_at = await db.write(_claim_all, asked, clock, routing, keep)
    turn = asyncio.Semaphore(at_once)

    async def carry(claimed: Claimed) -> Outcome:
        async with turn:
            outcome = replace(await post(claimed.provider, claimed.message, claimed_at), by=claimed.provider.name)
        routing.told(claimed.provider.name, outcome)
        return outcome

    posted = [place for place, each in enumerate(came) if isinstance(each, Claimed)]
    outcomes = await asyncio.gather(*(carry(each) for each in came if isinstance(each, Claimed)))

    def settle_all(conn: Connection) -> None:
        sends, moves = ledger.load_all(conn, [asked[place].key for place in posted]), ledger.Moves()
        for place, outcome in zip(posted, outcomes, strict=True):
            claimed = came[place]
            assert isinstance(claimed, Claimed)
            settle_send(conn, sends[asked[place].key], outcome, clock.now(), claimed.attempt, emit, moves)
            if isinstance(outcome, NotAccepted):
                routing.give_back(conn, claimed.provider.name, clock.now())
        moves.make(conn)

    if posted:
        await db.write(settle_all)
    told: list[Came] = list(came)
    for place, outcome in zip(posted, outcomes, strict=True):
        claimed = came[place]
        told[place] = _told(outcome, claimed.provider) if isinstance(claimed, Claimed) else outcome
    return told


def _claim_all(
    conn: Connection, asked: Sequence[Asked], clock: Clock, routing: Routing, keep: Keep
) -> tuple[list[ClaimResult | Transient], float]:
    """Claim what is new with what is read for all of them at once, and all else one by one."""
    now = clock.now()
    # In the order of people, as everyone locks them: two pages then wait for each other, and not for ever.
    places = sorted(range(len(asked)), key=lambda place: asked[place].profile_id)
    locks.lock_rows(conn, profiles, [each.profile_id for each in asked])
    alone = single(conn, [each.profile_id for each in asked])
    locks.hold_events(conn, sorted(alone))
    behind = facts.anything_waits(conn)
    came: dict[int, ClaimResult | Transient] = {}
    going: list[int] = []
    for place in places:
        if asked[place].profile_id not in alone:
            continue
        if behind:
            try:
                facts.caught_up(conn, [asked[place].profile_id])
            except NotCaughtUp as error:
                came[place] = error
                continue
        going.append(place)
    keep(conn, [asked[place].key for place in going])
    frozen = freeze_all(conn, [asked[place].made for place in going], now)
    _claim_new(conn, {place: asked[place] for place in going if asked[place].key in frozen}, frozen, now, routing, came)
    for place in places:
        if place not in came:
            came[place] = _claim_known(conn, asked[place], clock, routing, keep)
    return [came[place] for place in range(len(asked))], monotonic()


def _claim_new(
    conn: Connection,
    asked: Mapping[int, Asked],
    frozen: Mapping[str, Frozen],
    now: datetime,
    routing: Routing,
    came: dict[int, ClaimResult | Transient],
) -> None:
    """Claim what was planned in this very transaction: nothing can have become of it yet."""
    if not asked:
        return
    first = next(iter(asked.values()))
    addresses = {each.message.to_address for each in frozen.values() if each.message.to_address}
    ahead = read_ahead(conn, [each.send for each in frozen.values()], first.rules.on_list(conn, addresses))
    moves = ledger.Moves()
    for place, each in asked.items():
        made = frozen[each.key]
        send, message = made.send, made.message
        verdict = judge(facts.gather(conn, send, message, [send.profile_id], now, each.rules, ahead, each.checked))
        try:
            came[place] = decide(conn, send, message, verdict, now, routing, moves)
        except ProviderBusy as error:  # it stays planned
            came[place] = error
    moves.make(conn)


def _claim_known(conn: Connection, asked: Asked, clock: Clock, routing: Routing, keep: Keep) -> ClaimResult | Transient:
    ledger.written(conn)
    point = conn.begin_nested()
    try:
        keep(conn, [asked.key])
        freeze(conn, asked.made, clock.now())
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
