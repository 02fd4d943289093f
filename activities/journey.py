"""The two activities of a journey: decide, and send. Both advance an entry; they differ in what Temporal promises of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.heartbeat import heartbeat
from sojourn.clock import monotonic
from sojourn.errors import NotCaughtUp, NotFound, Terminal
from sojourn.tracing import span
from sojourn.travel.state import Advance, Progress
from sojourn.travel.stored import StoredJourneys

CATCH_UP_PAUSE = 0.02  # seconds between two looks whether the router has caught up
CATCH_UP_LIMIT = 5.0  # seconds; then the attempt is given back to Temporal
STRANGER_FIRST, STRANGER_LAST = timedelta(seconds=1), timedelta(minutes=10)  # between two tries for an entry that is not known here
STRANGERS_EVERY = 60.0  # seconds

log = structlog.get_logger("sojourn")


class Strangers:
    """Says from time to time how many entries were asked for that this store does not know: a line for all of them."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._said_at = float("-inf")

    def asked(self, entry_id: str) -> None:
        """Note an entry that this store does not know."""
        self._asked.add(entry_id)
        if monotonic() - self._said_at < STRANGERS_EVERY:
            return
        log.warning("journeys were asked for that this store does not know; see health", entries=len(self._asked))
        self._said_at = monotonic()
        self._asked.clear()


@dataclass(frozen=True)
class JourneyActivities:
    """Advances entries for Temporal."""

    journeys: StoredJourneys
    strangers: Strangers = field(default_factory=Strangers)

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
                return await self._advance(ask.model_copy(update={"asked_at": activity.info().scheduled_time}))

    async def _advance(self, ask: Advance) -> Progress:
        deadline = monotonic() + CATCH_UP_LIMIT
        while True:
            try:
                return await self.journeys.advance(ask)
            except NotCaughtUp:
                if monotonic() > deadline:
                    raise
                await asyncio.sleep(CATCH_UP_PAUSE)
            except NotFound as error:
                # A worker that was started on other data may have been asked: whoever has the entry goes on. What no store
                # knows is ended when entries are held against workflows; until then it is asked for less and less often.
                self.strangers.asked(ask.entry_id)
                raise ApplicationError(
                    str(error),
                    type=type(error).__name__,
                    next_retry_delay=min(STRANGER_FIRST * 4 ** (activity.info().attempt - 1), STRANGER_LAST),
                    category=ApplicationErrorCategory.BENIGN,  # one line for all of them, and not a traceback for each try
                ) from error
            except Terminal as error:
                raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
