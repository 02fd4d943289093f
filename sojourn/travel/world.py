"""What the interpreter needs of the world it walks in; Temporal's and virtual time each supply one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sojourn.travel.state import Advance, Progress, State


class World(Protocol):
    """The world a journey is walked in."""

    def now(self) -> datetime:
        """Return the shop's present moment."""
        ...

    async def pause(self, until: datetime, wake: Callable[[], bool], summary: str) -> None:
        """Return at a moment of the shop, or as soon as `wake()` holds.

        Args:
            until: the moment.
            wake: asked whenever an event has arrived.
            summary: what is waited for, in the author's words.
        """
        ...

    async def advance(self, ask: Advance, *, acts: bool, summary: str) -> Progress:
        """Judge the steps from a cursor on, up to the next wait or end, making at most one effect.

        Args:
            ask: where to begin, and the facts that the entry carries.
            acts: whether an effect (send, set, enter) can be reached; without one nothing is written.
            summary: what is done, in the author's words.
        """
        ...

    def tell(self, state: State) -> None:
        """Make the progress visible to whoever looks."""
        ...
