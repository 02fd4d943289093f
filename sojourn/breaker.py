"""A circuit breaker: a provider, or any other service, that fails again and again is left alone for a while.

Each process learns by itself; what it has learned is worth no row in a database.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sojourn.clock import monotonic

FAILURES = 5  # in a row
REST_SECONDS = 30.0
LONGEST_REST_SECONDS = 300.0


@dataclass
class Breaker:
    """One provider's, or one host's.

    Args:
        time: says how late it is, in seconds.
    """

    time: Callable[[], float] = monotonic
    failures: int = 0
    rest: float = 0.0
    closed_until: float = 0.0
    asked_until: float = 0.0  # it asked for this itself: that others got through does not take it back

    def allows(self) -> bool:
        """Tell whether it may be asked; after a rest the next failure begins a longer one."""
        return self.time() >= max(self.closed_until, self.asked_until)

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        self.failures, self.rest, self.closed_until = 0, 0.0, 0.0

    def failed(self, *, locked: bool = False) -> bool:
        """It did not take what it was given, or was not heard; tell whether it is left alone from now on.

        Args:
            locked: it said that it takes nothing from us: one such word is enough.
        """
        if not self.allows():  # one of those that were under way when it began to be left alone: nothing new
            return False
        self.failures += 1
        if self.failures < FAILURES and not locked:
            return False
        self.rest = min(max(REST_SECONDS, self.rest * 2), LONGEST_REST_SECONDS)
        self.closed_until = self.time() + self.rest
        return True

    def asked(self, seconds: float) -> bool:
        """It says by itself after which time it may be asked again; tell whether it is left alone from now on.

        Args:
            seconds: what it says; more than the longest rest is not believed at once.
        """
        if not self.allows():
            return False
        self.asked_until = self.time() + min(max(seconds, 0.0), LONGEST_REST_SECONDS)
        return True
