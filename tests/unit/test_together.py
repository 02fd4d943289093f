"""Work for several at once: who comes while it is under way goes with the next, and nobody bears another's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sojourn.errors import StoreUnavailable
from sojourn.together import Together


class Work:
    """Doubles numbers, when it is let; -1 it cannot do."""

    def __init__(self, most: int = 100) -> None:
        self.turns: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.double = Together(self._do, most)

    async def _do(self, numbers: Sequence[int]) -> list[int]:
        self.turns.append(list(numbers))
        await asyncio.sleep(0)
        await self.free.wait()
        if -1 in numbers:
            raise ValueError("cannot double -1")
        return [2 * number for number in numbers]


async def test_who_comes_alone_goes_at_once_and_who_comes_meanwhile_goes_together_in_order() -> None:
    work = Work()
    assert await asyncio.gather(*map(work.double, range(6))) == [0, 2, 4, 6, 8, 10]
    assert work.turns == [[0], [1, 2, 3, 4, 5]]
    assert await work.double(7) == 14
    assert work.turns[-1] == [7]


async def test_no_more_go_together_than_may() -> None:
    work = Work(most=4)
    assert await asyncio.gather(*map(work.double, range(10))) == [2 * number for number in range(10)]
    assert [len(turn) for turn in work.turns] == [1, 4, 4, 1]


async def test_what_is_wrong_with_one_is_told_to_it_alone() -> None:
    work = Work()
    told = await asyncio.gather(*map(work.double, (1, 2, -1, 3)), return_exceptions=True)
    assert told[:2] + told[3:] == [2, 4, 6]
    assert isinstance(told[2], ValueError)
    assert work.turns == [[1], [2, -1, 3], [2], [-1], [3]]


async def test_what_passes_by_itself_is_told_to_all_at_once() -> None:
    turns = []

    async def away(numbers: Sequence[int]) -> list[int]:
        turns.append(list(numbers))
        await asyncio.sleep(0)
        raise StoreUnavailable("the database is away")

    told = await asyncio.gather(*map(Together(away, 100), range(5)), return_exceptions=True)
    assert [type(each) for each in told] == [StoreUnavailable] * 5
    assert turns == [[0], [1, 2, 3, 4]]


async def test_after_one_that_went_alone_and_failed_the_others_go_on() -> None:
    work = Work()
    told = await asyncio.gather(*map(work.double, (-1, 2, 3)), return_exceptions=True)
    assert isinstance(told[0], ValueError)
    assert told[1:] == [4, 6]


async def test_whoever_gave_up_waiting_is_left_out_and_holds_up_nobody() -> None:
    work = Work()
    work.free.clear()
    first, gone, last = (asyncio.create_task(work.double(number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    work.free.set()
    assert (await first, await last) == (2, 6)
    assert work.turns == [[1], [3]]


async def test_a_first_that_is_cancelled_at_work_leaves_the_work_to_the_others() -> None:
    work = Work()
    work.free.clear()
    first, other = asyncio.create_task(work.double(1)), asyncio.create_task(work.double(2))
    await asyncio.sleep(0)
    first.cancel()
    work.free.set()
    assert await other == 4
    with pytest.raises(asyncio.CancelledError):
        await first


def test_one_whose_loop_ended_in_the_middle_works_on_another() -> None:
    work = None

    async def begin() -> None:
        nonlocal work
        work = Work()
        work.free.clear()
        for number in (1, 2):
            asyncio.get_running_loop().create_task(work.double(number))
        await asyncio.sleep(0)

    asyncio.run(begin())

    async def again() -> int:
        assert work is not None
        work.free = asyncio.Event()
        work.free.set()
        return await work.double(4)

    assert asyncio.run(again()) == 8
