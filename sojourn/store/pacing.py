"""How much of a long work goes into one transaction: as much as keeps others from the store for no longer than they can bear.

On SQLite one transaction at a time may write, in all processes. So whatever goes through many rows does so a piece at a time,
each piece a transaction, sized by how long the one before held the lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from sojourn.clock import monotonic

P = ParamSpec("P")
T = TypeVar("T")

HOLD_SECONDS = 0.05  # what a transaction is aimed to take; slower moments included it stays below 0.1


@dataclass
class Pace:
    """The size of the next piece of a long work.

    Args:
        size: of the first piece.
        least: below which no piece is made, however slow the machine.
        most: above which none is, however fast.
        seconds: what a piece is aimed to take.
    """

    size: int
    least: int
    most: int
    seconds: float = HOLD_SECONDS
    took: float = 0.0
    _began: float = field(default_factory=monotonic)

    def timed(self, function: Callable[Concatenate[Connection, P], T]) -> Callable[Concatenate[Connection, P], T]:
        """Return a function of a connection that notes when its transaction has begun: what it waited before is not its own."""

        def run(connection: Connection, /, *args: P.args, **kwargs: P.kwargs) -> T:
            self._began = monotonic()
            return function(connection, *args, **kwargs)

        return run

    def ended(self, count: int) -> None:
        """Note that the transaction has ended, and how much it held; the next piece follows from that."""
        self.settle(count, monotonic() - self._began)

    def settle(self, count: int, seconds: float) -> None:
        """Size the next piece by one that held `count` and took some seconds."""
        self.took = seconds
        if count < self.size // 2 and seconds < self.seconds:
            return  # there was no more: it says nothing of how much would go
        fits = int(max(count, 1) * self.seconds / max(seconds, 1e-4))
        self.size = max(self.least, min(fits, self.size * 2, self.most))


__all__ = ["HOLD_SECONDS", "Pace"]
