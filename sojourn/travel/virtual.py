"""Virtual time: an entry whose pauses pass when the clock is moved, with no event loop beneath.

The interpreter is a coroutine; here it is driven by hand. Months pass in milliseconds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import datetime

from sojourn.clock import Clock
from sojourn.travel.interpreter import travel
from sojourn.travel.program import Program
from sojourn.travel.state import Advance, Arrived, Progress, State

Advancer = Callable[[Advance], Awaitable[Progress]]
"""Judges and acts; must not wait for anything but what is at hand."""


@dataclass(frozen=True)
class _Pause:
    until: datetime
    wake: Callable[[], bool]

    def __await__(self) -> Generator[_Pause, None, None]:
        yield self


class VirtualEntry:
    """One entry walking in virtual time.

    Args:
        program: the journey.
        state: where it begins.
        clock: tells the time; whoever holds it moves it, then calls `run`.
        advance: judges steps and makes effects.
    """

    def __init__(self, program: Program, state: State, clock: Clock, advance: Advancer) -> None:
        self.program = program
        self.state = state
        self.outcome: str | None = None
        self._clock = clock
        self._advance = advance
        self._pause: _Pause | None = None
        self._walk = travel(program, state, self)

    @property
    def due(self) -> datetime | None:
        """When it goes on by itself; None where it has ended."""
        return self._pause.until if self._pause and self.outcome is None else None

    def run(self) -> None:
        """Go on as far as the present moment allows."""
        while self.outcome is None:
            if self._pause is not None and self._clock.now() < self._pause.until and not self._pause.wake():
                return
            try:
                self._pause = self._walk.send(None)
            except StopIteration as stop:
                self.outcome = stop.value

    def hear(self, arrived: Arrived) -> None:
        """Let an event arrive, and go on where it was waited for."""
        if self.outcome is None and self.state.hear(arrived):
            self.run()

    def stop(self) -> None:
        """Abandon the walk where it stands."""
        self._walk.close()
        self.outcome = self.outcome or "stopped"

    # -- World -----------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the clock's moment."""
        return self._clock.now()

    async def pause(self, until: datetime, wake: Callable[[], bool], summary: str) -> None:
        """Suspend the walk."""
        await _Pause(until, wake)

    async def advance(self, ask: Advance, *, acts: bool, summary: str) -> Progress:
        """Judge and act at once."""
        return await self._advance(ask)

    def tell(self, state: State) -> None:
        """Whoever looks, looks at the state itself."""
