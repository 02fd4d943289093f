"""Outlasts a database that is away: what works in rounds goes on when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from sojourn.errors import StoreUnavailable

AWAY_PAUSE_S = 0.5

log = structlog.get_logger(__name__)


async def repeat(job: str, once: Callable[[], Awaitable[object]]) -> None:
    """Do something again and again, until cancelled; a round that found the database away is made anew a moment later."""
    while True:
        try:
            await once()
        except StoreUnavailable as error:
            log.warning("the database is away, or busy; trying again", job=job, reason=str(error))
            await asyncio.sleep(AWAY_PAUSE_S)
