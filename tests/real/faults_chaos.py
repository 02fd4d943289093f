"""kill -9 at random moments, aimed so that it strikes while the part has work in hand, and counted (P20)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from stack import Stack

AIM = 2.0  # seconds for which a strike waits until its part has work in hand
PATIENCE = 120.0  # seconds in which a part must be back at work; a small machine that does much else takes long to start one

# What only this part does: each number grows while it does it.
DONE = {
    "api": "select max(seq) from inbound",
    "router": "select seq from cursors where name = 'router'",
    "worker": "select max(id) from transitions",
    "temporal": "select count(*) from entries where run_id is not null",
}
# What this part has in hand: not nothing while it works.
IN_HAND = {
    "router": (
        "select (select count(*) from outbox) + "
        "(select count(*) from inbound where seq > coalesce((select seq from cursors where name = 'router'), 0))"
    ),
    "worker": (
        "select (select count(*) from sends where state in ('planned', 'claimed', 'unknown')) + (select count(*) from entries e "
        "where e.state = 'running' and e.delayed_until < ? and not exists (select 1 from sends s where s.entry_id = e.id))"
    ),
    "temporal": "select count(*) from entries where state = 'running' and run_id is not null",
}


@dataclass
class Strike:
    """One kill."""

    at: float  # Unix time
    in_hand: int
    back_after: float | None = None  # seconds until the part did its work again


@dataclass
class Chaos:
    """Kills the parts of a stack, each by a dice of its own, until each was hit so often."""

    stack: Stack
    seed: int
    hits: int
    calls_under_way: Callable[[], int]
    strikes: dict[str, list[Strike]] = field(default_factory=lambda: {part: [] for part in DONE})

    async def run(self) -> None:
        """Return when each part was hit often enough."""
        async with asyncio.TaskGroup() as group:
            for part in DONE:
                group.create_task(self._torment(part))

    def counted(self, part: str) -> list[Strike]:
        """The strikes that prove something: work was in hand, and the part did work before and after."""
        return [strike for strike in self.strikes[part] if strike.in_hand and strike.back_after is not None]

    async def _torment(self, part: str) -> None:
        dice = random.Random(f"{self.seed} {part}")
        await self._progress(part, self._done(part))
        while len(self.counted(part)) < self.hits:
            await asyncio.sleep(dice.uniform(0.1, 1.5))
            strike = Strike(0.0, await self._aim(part))
            self.stack.kill(part)
            strike.at = time.time()
            self.strikes[part].append(strike)
            await self._alive(part)  # a database server ends by itself what the dead had asked of it: that is no work of a new life
            await self._progress(part, self._done(part))
            strike.back_after = time.time() - strike.at

    async def _aim(self, part: str) -> int:
        deadline = time.monotonic() + AIM
        while (found := self._in_hand(part)) == 0 and time.monotonic() < deadline:
            await asyncio.sleep(0.003)
        return found

    async def _alive(self, part: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.stack.runs(part):
            assert time.monotonic() < deadline, f"{part} is not started again after {PATIENCE:.0f} s"
            await asyncio.sleep(0.02)

    async def _progress(self, part: str, before: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self._done(part) <= before:
            assert time.monotonic() < deadline, f"{part} is not back at work after {PATIENCE:.0f} s"
            await asyncio.sleep(0.05)

    def _done(self, part: str) -> int:
        rows = self.stack.rows(DONE[part])
        return int(rows[0][0] or 0) if rows else 0

    def _in_hand(self, part: str) -> int:
        if part == "api":
            return self.calls_under_way()
        return int(self.stack.rows(IN_HAND[part], *([int(time.time() * 1e6)] if part == "worker" else []))[0][0])
