"""Work that is asked for one by one and done for several at once, as a database commits for whoever came meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sojourn.errors import Transient

MOST = 20  # at once: enough to share what a transaction costs, few enough that none waits long for the others
Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Together(Generic[Ask, Answer]):
    """Does at once what is asked for while it is at work: one that comes alone goes alone, and waits for nobody.

    Where several cannot be done together, each is done alone, so that what is wrong with one of them is told to whoever
    asked for it and to no one else. Nothing of what failed may remain: it is done again. What passes by itself (`Transient`:
    the store is away) is told to all of them at once: each alone would wait for it as long as all together did.

    Args:
        work: does some and gives an answer to each, in their order. As many wait as there are callers; these are bounded.
        most: how many at once.
    """

    def __init__(self, work: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]], most: int = MOST) -> None:
        self._work, self._most = work, most
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._at_work: asyncio.Task[None] | None = None
        self._busy = False

    async def __call__(self, ask: Ask) -> Answer:
        """Return the answer; raise what its work raised."""
        if not self._busy:
            self._busy = True
            try:
                [answer] = await self._work([ask])
                return answer
            finally:
                self._hand_on()
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, waiting))
        return await waiting

    def _hand_on(self) -> None:
        if self._waiting:
            self._at_work = asyncio.get_running_loop().create_task(self._work_off())
        else:
            self._busy = False

    async def _work_off(self) -> None:
        some: list[tuple[Ask, asyncio.Future[Answer]]] = []
        try:
            while self._waiting:
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))]
                some = [(ask, answer) for ask, answer in taken if not answer.done()]  # else its caller has gone
                if some:
                    await self._do(some)
        finally:
            for _, answer in (*some, *self._waiting):  # where the loop ends, nobody is left waiting for what will not be done
                answer.cancel()
            self._waiting.clear()
            self._busy = False

    async def _do(self, some: Sequence[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._work([ask for ask, _ in some])
        except Exception as error:
            if len(some) == 1 or isinstance(error, Transient):
                for _, waiting in some:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for one in some:
                    await self._do([one])
            return
        for (_, waiting), answer in zip(some, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
