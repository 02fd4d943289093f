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
PROBE_SECONDS = 60.0  # after which a probe of which nothing was heard is given up, and the next one may go


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
    probe: str | None = None  # what is on its way after a rest
    probe_until: float = 0.0

    def allows(self) -> bool:
        """Tell whether it may be asked; after a rest the next failure begins a longer one."""
        return self.time() >= max(self.closed_until, self.asked_until)

    def admits(self, key: str) -> bool:
        """Tell whether it may be asked this: after a rest one goes as a probe, and the others wait for what becomes of it.

        Args:
            key: names what is asked; the same may be told so again.
        """
        if not self.allows():
            return False
        if not self.rest:
            return True
        if self.probe not in (None, key) and self.time() < self.probe_until:
            return False
        self.probe, self.probe_until = key, self.time() + PROBE_SECONDS
        return True

    def dismiss(self, key: str) -> None:
        """Take back that this was admitted: it is not asked after all."""
        if self.probe == key:
            self.probe = None

    def succeeded(self) -> None:
        """It answered, whatever it said."""
        self.failures, self.rest, self.closed_until, self.probe = 0, 0.0, 0.0, None

    def failed(self, *, locked: bool = False) -> bool:
        """It did not take what it was given, or was not heard; tell whether it is left alone from now on.

        Args:
            locked: it said that it takes nothing from us: one such word is enough.
        """
        if not self.allows():  # one of those that were under way when it began to be left alone: nothing new
            return False
        self.failures, self.probe = self.failures + 1, None
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
        self.asked_until, self.probe = self.time() + min(max(seconds, 0.0), LONGEST_REST_SECONDS), None
        return True
