"""How many messages may wait for a provider's answer at once.

What has been handed over and is not answered is in doubt, and where the answer never comes it stays so. So a provider that
falls silent is given no more, and after an answer that was lost it begins with one message again, and gets more as it
answers. A message that finds no place is not handed over at all: that is proof, and it waits as planned.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, runtime_checkable

from sojourn.clock import monotonic
from sojourn.errors import ProviderSlow, ProviderUnclear

MOST = 50  # as many as a worker posts at once
PLACE_SECONDS = 10.0  # so long a message waits for a place
SILENT_SECONDS = 1.0  # after which an answer is overdue, and longer where answers usually take longer
USUAL = 4.0  # times the usual time
CROWDED = 2.0  # times the least time: a provider that answers one after another gains nothing by more at once
CROWDED_SECONDS = 0.02  # so little more time says nothing of that
DRIFT = 1.01  # by which the least time is forgotten
HANGS_SECONDS = 5.0  # of silence, after which nothing new is even claimed for the provider


@runtime_checkable
class Answering(Protocol):
    """A provider that says how many of its answers are still to come."""

    @property
    def answers(self) -> AnswerWindow:
        """Its window."""
        ...


class Place:
    """A message's place; whoever holds it says where the answer told nothing."""

    def __init__(self) -> None:
        self.lost = False


class AnswerWindow:
    """Gives places to messages that are about to be handed over, and takes them back with the answer.

    Args:
        first: how many there are before anything was answered: one where nothing ever clears up a lost answer.
    """

    def __init__(self, first: int = MOST) -> None:
        self.size = first
        self._least: float | None = None  # seconds of the quickest answer
        self._usual = 0.0
        self._out: dict[Place, float] = {}  # since when each is handed over
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def hangs(self) -> bool:
        """Whether the provider has been silent for so long that it is better left alone."""
        return self._silence() > max(HANGS_SECONDS, USUAL * self._usual)

    @asynccontextmanager
    async def place(self, seconds: float = PLACE_SECONDS) -> AsyncIterator[Place]:
        """Hold a place while a message is handed over and its answer comes.

        Args:
            seconds: how long to wait for one.

        Raises:
            ProviderSlow: none got free; nothing was handed over.
        """
        mine = Place()
        await self._enter(mine, seconds)
        try:
            yield mine
        except (ProviderUnclear, TimeoutError, OSError, asyncio.CancelledError):
            mine.lost = True
            raise
        finally:
            self._leave(mine)

    async def _enter(self, mine: Place, seconds: float) -> None:
        deadline = monotonic() + seconds
        while not self._open():
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                async with asyncio.timeout(max(deadline - monotonic(), 0)):
                    await turn
            except TimeoutError:
                raise ProviderSlow("answers of the provider are still to come, and nothing more is handed over meanwhile") from None
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        self._out[mine] = monotonic()

    def _leave(self, mine: Place) -> None:
        took = monotonic() - self._out.pop(mine)
        if mine.lost:
            self.size = 1
        else:
            self._least = took if self._least is None else min(took, self._least * DRIFT)
            self._usual = took if not self._usual else 0.9 * self._usual + 0.1 * took
            if self._waiting and took <= CROWDED * self._least + CROWDED_SECONDS:
                self.size = min(self.size + 1, MOST)
        free = self.size - len(self._out)
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else whoever waited has given up
                turn.set_result(None)
                free -= 1

    def _open(self) -> bool:
        return len(self._out) < self.size and self._silence() <= max(SILENT_SECONDS, USUAL * self._usual)

    def _silence(self) -> float:
        return monotonic() - min(self._out.values()) if self._out else 0.0
