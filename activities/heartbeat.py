"""Tells Temporal that a worker lives, so that what one that was killed was at is soon taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from temporalio import activity

HEARTBEAT_EVERY = 1.5  # seconds


@asynccontextmanager
async def heartbeat() -> AsyncIterator[None]:
    """Tell Temporal that this worker lives, so that the send of one that was killed is soon taken up again."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_EVERY)  # first: most sends end sooner, and a heartbeat is a call that the server writes down
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
