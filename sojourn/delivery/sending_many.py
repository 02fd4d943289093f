"""Carries messages through the send protocol together: two transactions for all of them instead of two for each.

Each is judged, claimed and settled by the same functions as one alone (`sending.py`). What goes wrong with one of them
changes nothing of the others: a claim that cannot be given yet is taken back to where it began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from sojourn.clock import Clock, monotonic
from sojourn.delivery import doubts, facts, ledger
from sojourn.delivery.ahead import read_ahead, single
from sojourn.delivery.engagement import Emit
from sojourn.delivery.facts import Checked
from sojourn.delivery.freezing import Frozen, Made, freeze, freeze_all
from sojourn.delivery.gate import judge
from sojourn.delivery.mailboxes import mailbox_of
from sojourn.delivery.outcomes import Claimed, ClaimResult, NotAccepted, Outcome, Unclear
from sojourn.delivery.providers import Klass, Provider
from sojourn.delivery.routing import Routing, routing_of
from sojourn.delivery.rules import GateRules
from sojourn.delivery.sending import claim, decide, post, settle, settle_send
from sojourn.errors import NotCaughtUp, ProviderBusy, ProviderUnclear, Transient
from sojourn.store import locks
from sojourn.store.database import Database
from sojourn.store.tables import profiles
from sojourn.together import Together


@dataclass(frozen=True)
class Asked:
    """A message that is to be carried.

    Attributes:
        made: the message.
        rules: the shop's and the journey's.
        checked: what is wrong with the message by itself, where that was asked.
        led_by: what led to it, for `keep`.
    """

    made: Made
    rules: GateRules
    checked: Checked | None = None
    led_by: Sequence[dict[str, Any]] = ()

    @property
    def key(self) -> str:
        """Of its send."""
        return self.made.order.key

    @property
    def profile_id(self) -> str:
        """Whose it is."""
        return self.made.order.profile_id


@dataclass(frozen=True)
class _Posted:
    """A message that was posted, and what came of it."""

    key: str
    claimed: Claimed
    outcome: Outcome


Came = ClaimResult | Outcome
Keep = Callable[[Connection, Sequence[Asked]], object]


class Deliveries:
    """Carries messages through claim, post and settle.

    Args:
        db: where the ledger is.
        provider: who carries them away, or who chooses one.
        clock: the shop's.
        keep: writes down what led to messages, in the transaction of their claims; doing so again changes nothing.
        emit: appends `Email Delivered` where the provider delivers by itself.
    """

    def __init__(self, db: Database, provider: Provider | Routing, clock: Clock, keep: Keep, emit: Emit | None = None) -> None:
        self._db, self._routing, self._clock, self._keep, self._emit = db, routing_of(provider), clock, keep, emit
        self._claims = Together(self._claim)
        self._settlements = Together(self._settle)

    async def deliver(self, asked: Asked) -> Came:
        """Carry one message, its transactions together with those of others that are asked for at the same time.

        Raises:
            NotCaughtUp: try again at once.
            ProviderBusy: nothing was accepted; try again later.
            ProviderUnclear: the answer was lost, and the provider's key makes it safe to try again.
        """
        claimed, claimed_at = await self._claims(asked)
        came: Came | Transient = claimed
        if isinstance(claimed, Claimed):
            posted = _Posted(asked.key, claimed, await self._post(claimed, claimed_at))
            await self._settlements(posted)
            came = _told(posted)
        if isinstance(came, Transient):
            raise came
        return came

    async def deliver_all(
        self, asked: Sequence[Asked], at_once: int, first: Callable[[Connection], object] = lambda _: None
    ) -> list[Came | Transient]:
        """Carry messages and return what came of each, in order; what `deliver` would raise is what came of it here.

        Args:
            asked: the messages.
            at_once: how many are posted at once; their number is bounded by what can be posted while a claim is fresh.
            first: runs first in the transaction of their claims; what it raises stops them all.
        """

        def claim_them(conn: Connection) -> tuple[list[ClaimResult | Transient], float]:
            first(conn)
            return self._claim_all(conn, asked)

        claims, claimed_at = await self._db.write(claim_them)
        came: list[Came | Transient] = [*claims]
        turn = asyncio.Semaphore(at_once)

        async def carry(place: int, claimed: Claimed) -> _Posted:
            async with turn:
                return _Posted(asked[place].key, claimed, await self._post(claimed, claimed_at))

        going = {place: each for place, each in enumerate(claims) if isinstance(each, Claimed)}
        posted = await asyncio.gather(*(carry(place, each) for place, each in going.items()))
        if posted:
            await self._db.write(self._settle_all, posted)
        for place, outcome in zip(going, posted, strict=True):
            came[place] = _told(outcome)
        return came

    # -- the claims --------------------------------------------------------------------------------

    async def _claim(self, asked: Sequence[Asked]) -> list[tuple[ClaimResult | Transient, float]]:
        came, claimed_at = await self._db.write(self._claim_all, asked)
        return [(each, claimed_at) for each in came]

    def _claim_all(self, conn: Connection, asked: Sequence[Asked]) -> tuple[list[ClaimResult | Transient], float]:
        """Claim what is new with what is read for all of them at once, and all else one by one; return also the real moment of it."""
        now = self._clock.now()
        # In the order of people, as everyone locks them: two pages then wait for each other, and not for ever.
        places = sorted(range(len(asked)), key=lambda place: asked[place].profile_id)
        locks.lock_rows(conn, profiles, [each.profile_id for each in asked])
        alone, everyone = single(conn, {each.profile_id for each in asked})
        boxes = {place: mailbox_of(each.made.order.to_address) for place, each in enumerate(asked)}
        locks.hold_mailboxes(conn, boxes.values())
        locks.hold_events(conn, sorted(everyone))
        behind = facts.anything_waits(conn)
        came: dict[int, ClaimResult | Transient] = {}
        going: dict[str, int] = {}  # by person: a second message of theirs is judged when the first is claimed
        there: set[str | None] = set()  # and so is a second one to their mailbox, under another id
        for place in places:
            person = asked[place].profile_id
            if person not in alone or person in going or (boxes[place] is not None and boxes[place] in there):
                continue
            if behind:
                try:
                    facts.caught_up(conn, [person])
                except NotCaughtUp as error:
                    came[place] = error
                    continue
            going[person] = place
            there.add(boxes[place])
        some = [asked[place] for place in going.values()]
        if some:
            self._keep(conn, some)
        frozen = freeze_all(conn, [each.made for each in some], now)
        self._claim_new(conn, {place: asked[place] for place in going.values() if asked[place].key in frozen}, frozen, now, came)
        for place in places:
            if place not in came:
                came[place] = self._claim_known(conn, asked[place])
        return [came[place] for place in range(len(asked))], monotonic()

    def _claim_new(
        self,
        conn: Connection,
        asked: Mapping[int, Asked],
        frozen: Mapping[str, Frozen],
        now: datetime,
        came: dict[int, ClaimResult | Transient],
    ) -> None:
        """Claim what was planned in this very transaction: nothing can have become of it yet."""
        if not asked:
            return
        first = next(iter(asked.values()))
        addresses = {each.message.to_address for each in frozen.values() if each.message.to_address}
        counted = addresses if any(each.rules.by_mailbox for each in asked.values()) else ()
        boxes = {box for address in counted if (box := mailbox_of(address)) is not None}
        ahead = read_ahead(conn, [each.send for each in frozen.values()], first.rules.on_list(conn, addresses), boxes)
        surely_new = doubts.none_of(conn, [each.send for each in frozen.values()], now)
        moves = ledger.Moves()
        for place, each in asked.items():
            made = frozen[each.key]
            send, message = made.send, made.message
            try:
                found = facts.gather(conn, send, message, [send.profile_id], now, each.rules, ahead, each.checked, each.made.recipient)
                verdict = judge(found)
                came[place] = decide(conn, send, message, verdict, now, self._routing, moves, surely_new=surely_new)
            except Transient as error:  # it stays planned
                came[place] = error
        moves.make(conn)

    def _claim_known(self, conn: Connection, asked: Asked) -> ClaimResult | Transient:
        ledger.written(conn)
        point = conn.begin_nested()
        try:
            self._keep(conn, [asked])
            freeze(conn, asked.made, self._clock.now())
            claimed = claim(conn, asked.key, self._clock.now(), asked.rules, self._routing, asked.made)
            ledger.written(conn)
        except Transient as error:
            point.rollback()
            ledger.unwritten(conn)
            return error
        point.commit()
        return claimed

    # -- the post, and what came of it ---------------------------------------------------------------

    async def _post(self, claimed: Claimed, claimed_at: float) -> Outcome:
        outcome = replace(await post(claimed.provider, claimed.message, claimed_at), by=claimed.provider.name)
        self._routing.told(claimed.provider.name, outcome)
        return outcome

    async def _settle(self, posted: Sequence[_Posted]) -> list[None]:
        await self._db.write(self._settle_all, posted)
        return [None] * len(posted)

    def _settle_all(self, conn: Connection, posted: Sequence[_Posted]) -> None:
        first = {each.key: each for each in reversed(posted)}
        sends, moves, now = ledger.load_all(conn, sorted(first)), ledger.Moves(), self._clock.now()
        for key, each in first.items():
            settle_send(conn, sends[key], each.outcome, now, each.claimed.attempt, self._emit, moves)
        moves.make(conn)
        for each in posted:
            if each is not first[each.key]:  # another attempt under the same key: judged by what has become of the send
                settle(conn, each.key, each.outcome, now, each.claimed.attempt, self._emit)
            if isinstance(each.outcome, NotAccepted):
                self._routing.give_back(conn, each.claimed.provider.name, now)


def _told(posted: _Posted) -> Came | Transient:
    outcome = posted.outcome
    if isinstance(outcome, NotAccepted):
        return ProviderBusy(outcome.reason)
    if isinstance(outcome, Unclear) and posted.claimed.provider.klass is Klass.KEYED:
        return ProviderUnclear(outcome.reason)
    return outcome


__all__ = ["Asked", "Came", "Deliveries", "Keep"]
