"""The two activities of a journey: decide, and send. Both advance an entry; they differ in what Temporal promises of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeat
from sojourn.clock import monotonic
from sojourn.errors import NotCaughtUp, NotFound, Terminal
from sojourn.tracing import span
from sojourn.travel.state import Advance, Progress
from sojourn.travel.stored import StoredJourneys

CATCH_UP_PAUSE = 0.02  # seconds between two looks whether the router has caught up
CATCH_UP_LIMIT = 5.0  # seconds; then the attempt is given back to Temporal


@dataclass(frozen=True)
class JourneyActivities:
    """Advances entries for Temporal."""

    journeys: StoredJourneys

    @activity.defn(name="decide")
    async def decide(self, ask: Advance) -> Progress:
        """Judge scores, conditions and splits; nothing is sent."""
        with span("decide", ask.trace, entry=ask.entry_id, step=ask.cursor):
            return await self._advance(ask)

    @activity.defn(name="send")
    async def send(self, ask: Advance) -> Progress:
        """Judge, and make the one effect that is reached."""
        with span("send", ask.trace, entry=ask.entry_id, step=ask.cursor):
            async with heartbeat():
                return await self._advance(ask)

    async def _advance(self, ask: Advance) -> Progress:
        deadline = monotonic() + CATCH_UP_LIMIT
        while True:
            try:
                return await self.journeys.advance(ask)
            except NotCaughtUp:
                if monotonic() > deadline:
                    raise
                await asyncio.sleep(CATCH_UP_PAUSE)
            except NotFound:  # a worker that was started on other data may have been asked: whoever has the entry goes on
                raise
            except Terminal as error:
                raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
