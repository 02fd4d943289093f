"""Sends to one lane of a broadcast for a while: pages of recipients, paced, until it is paused, done, or its time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from sojourn.broadcasts.gathering import PAGE as GATHERED
from sojourn.broadcasts.gathering import gather_page
from sojourn.broadcasts.recipients import Came, Taken, settle, soon, take
from sojourn.broadcasts.standing import NotRunning, State, begin_gathering, finish, hold_running, look, state_of
from sojourn.clock import monotonic
from sojourn.errors import NotCaughtUp, Transient
from sojourn.store.pacing import Pace
from sojourn.travel.state import Advance, Progress
from sojourn.travel.stored import StoredJourneys

FIRST_GATHERED, SMALLEST_GATHERED = 1_000, 250  # people looked at in one transaction of gathering
PAGE = 50  # recipients of a lane taken at once; a pause is heeded between two pages
SOON = timedelta(seconds=10)  # a throttled lane whose next place opens within this waits for it
LOOK_SECONDS = 0.3  # real; between two looks whether it is paused
AT_ONCE = 25  # messages of a lane on their way to the provider
AGAIN_SECONDS = 2.0  # shop time; after what may succeed at once: events not routed, an answer that was lost
BUSY_SECONDS = 30.0  # shop time; after a provider that was busy
START = "0"  # the cursor of the one send

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Lane:
    """What a while of sending came to.

    Attributes:
        state: of the broadcast.
        sent: how many recipients were dealt with.
        next_due: when this lane goes on; None: it is done, or the broadcast is not running.
    """

    state: State
    sent: int
    next_due: datetime | None


@dataclass(frozen=True)
class Broadcasting:
    """Gathers recipients and sends to them.

    Args:
        journeys: advances the entry of each recipient: the same road as that of a journey's message.
    """

    journeys: StoredJourneys

    async def gather(self, broadcast_id: str, seconds: float) -> tuple[State, bool]:
        """Write recipients down for a while; return the broadcast's state, and whether all are written down."""
        deadline, registry = monotonic() + seconds, self.journeys.registry
        state = await self.journeys.store.write(begin_gathering, broadcast_id, self.journeys.clock.now())
        computed, calendar = registry.loaded.profile.trees, registry.calendar
        pace = Pace(FIRST_GATHERED, SMALLEST_GATHERED, GATHERED)
        while state is State.GATHERING and monotonic() < deadline:
            now = self.journeys.clock.now()
            work = pace.timed(gather_page)
            pace.ended(await self.journeys.store.write(work, broadcast_id, registry.segments, computed, calendar, now, pace.size))
            state = await self.journeys.store.read(state_of, broadcast_id)
        return state, state is State.RUNNING

    async def send(self, broadcast_id: str, lane: int, seconds: float, beat: Callable[[int], None] = lambda _: None) -> Lane:
        """Send to a lane's recipients for a while.

        Args:
            broadcast_id: which.
            lane: which share of its recipients.
            seconds: real ones; one page is sent however few they are, and a page that was begun is brought to its end.
            beat: told after each page how many recipients were dealt with.
        """
        store, clock = self.journeys.store, self.journeys.clock
        standing = await store.read(look, broadcast_id)
        throttled = standing.per_second is not None
        deadline, sent, next_page = monotonic() + seconds, 0, clock.now()
        came: list[Came] = []  # of the page before: it is written down with the taking of the next

        def turn(connection: Connection) -> Taken:
            settle(connection, broadcast_id, came, clock.now())
            return take(connection, self.journeys.registry, broadcast_id, lane, clock.now(), PAGE)

        while not sent or monotonic() < deadline:
            if clock.now() < next_page:
                if monotonic() >= deadline:
                    break
                await self._settle(broadcast_id, came)
                came = []
                await asyncio.sleep(LOOK_SECONDS)
                if await store.read(state_of, broadcast_id) is not State.RUNNING:
                    next_page = clock.now()  # and the next look at the lane says what it is
                continue
            taken = await store.write(turn)
            came = []
            if not taken.entries:
                if throttled and taken.next_due is not None and taken.next_due - clock.now() < SOON and monotonic() < deadline:
                    next_page = max(taken.next_due, clock.now())
                    continue
                return Lane(taken.state, sent, taken.next_due)
            came = await self._page(broadcast_id, taken)
            sent += len(came)
            beat(sent)
        await self._settle(broadcast_id, came)
        return Lane(State.RUNNING, sent, max(next_page, clock.now()))

    async def finish(self, broadcast_id: str) -> State:
        """Note that nothing is left to be sent."""
        return await self.journeys.store.write(finish, broadcast_id, self.journeys.clock.now())

    async def _settle(self, broadcast_id: str, came: Sequence[Came]) -> None:
        if came:
            await self.journeys.store.write(settle, broadcast_id, came, self.journeys.clock.now())

    async def _page(self, broadcast_id: str, taken: Taken) -> list[Came]:
        """Send to a page; nobody comes back of one that was paused before its claims: all of it is taken again."""
        asks = [Advance(entry_id=entry, cursor=START) for entry in taken.entries.values()]
        try:
            told = await self.journeys.send_all(asks, AT_ONCE, partial(hold_running, broadcast_id=broadcast_id))
        except NotRunning:
            return []
        now = self.journeys.clock.now()
        came = [_came(*one, progress, now) for one, progress in zip(taken.entries.items(), told, strict=True)]
        again = sum(1 for each in came if each.until)
        if again:
            log.info("recipients of a broadcast are held, or tried again", broadcast=broadcast_id, count=again)
        return came


def _came(profile: str, entry: str, progress: Progress | Transient, now: datetime) -> Came:
    if isinstance(progress, NotCaughtUp):
        return Came(profile, entry, "", until=soon(now, AGAIN_SECONDS))
    if isinstance(progress, Transient):
        return Came(profile, entry, "", str(progress), until=soon(now, BUSY_SECONDS))
    because = progress.trail[-1].because if progress.trail else ""
    return Came(profile, entry, "done", because, until=progress.until)
