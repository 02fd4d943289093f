"""Outlasts a database that is away: what works in rounds goes on when it is back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from sojourn.clock import monotonic
from sojourn.errors import StoreUnavailable

T = TypeVar("T")

AWAY_PAUSE_S = 0.5
AWAY_SAID_EVERY_S = 10.0  # between two lines that say so
COMMAND_PATIENCE_S = 120.0  # for which a command goes on asking a store that is busy

log = structlog.get_logger(__name__)


async def repeat(job: str, once: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again, until cancelled; a round that found the database away is made anew a moment later."""
    while True:
        await outlast(job, once)


async def outlast(job: str, once: Callable[[], Awaitable[T]]) -> T:
    """Return what something comes to, however long the database is away; it is begun anew a moment later.

    Args:
        job: what is done, for the log.
        once: does it; a second time changes nothing.
    """
    since = said_at = None
    while True:
        try:
            return await once()
        except StoreUnavailable as error:
            now = monotonic()
            since = now if since is None else since
            if said_at is None:  # to be busy for a moment is normal
                log.info("the database is away, or busy; trying again", job=job, reason=str(error))
                said_at = now
            elif now - said_at >= AWAY_SAID_EVERY_S:
                log.warning("the database is still away, or busy; trying again", job=job, reason=str(error), seconds=round(now - since))
                said_at = now
            await asyncio.sleep(AWAY_PAUSE_S)


def outlast_now(once: Callable[[], T], patience: float = COMMAND_PATIENCE_S) -> T:
    """Return what something comes to; where the database is busy it is begun anew, until patience ends.

    Args:
        once: does it; a second time changes nothing.
        patience: seconds after which no new attempt is made.

    Raises:
        StoreUnavailable: the database was busy all the time.
    """
    until = monotonic() + patience
    while True:
        try:
            return once()
        except StoreUnavailable:
            if monotonic() > until:
                raise
            threading.Event().wait(AWAY_PAUSE_S)
