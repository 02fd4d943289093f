"""The only clock. Nothing else in Sojourn calls the system's.

A Clock says what time it is in the shop. Normally that is the real time; with a time scale the
shop's hours pass faster; in virtual time they pass when told to.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Clock(Protocol):
    """Says what time it is in the shop."""

    def now(self) -> datetime:
        """Return the shop's present moment, aware, in UTC."""
        ...


class TimeScale(BaseModel):
    """How the shop's time runs beside the real time; travels in a workflow's input.

    shop = shop_origin + (real - real_origin) * scale
    """

    model_config = ConfigDict(frozen=True)

    scale: float = Field(default=1.0, gt=0)
    real_origin: AwareDatetime = datetime(2000, 1, 1, tzinfo=UTC)
    shop_origin: AwareDatetime = datetime(2000, 1, 1, tzinfo=UTC)

    def to_shop(self, real: datetime) -> datetime:
        """Return the shop's moment at a real one."""
        if self.scale == 1.0 and self.real_origin == self.shop_origin:
            return real
        return self.shop_origin + (real - self.real_origin) * self.scale

    def to_real(self, shop: datetime) -> datetime:
        """Return the real moment at a shop's one."""
        if self.scale == 1.0 and self.real_origin == self.shop_origin:
            return shop
        return self.real_origin + (shop - self.shop_origin) / self.scale

    def real_duration(self, shop: timedelta) -> timedelta:
        """Return how long a duration of the shop really takes."""
        return shop / self.scale


REAL_TIME = TimeScale()


class SystemClock:
    """The real time, run through a time scale."""

    def __init__(self, scale: TimeScale = REAL_TIME) -> None:
        self.scale = scale

    def now(self) -> datetime:
        """Return the shop's present moment, aware, in UTC."""
        return self.scale.to_shop(datetime.now(UTC))


class VirtualClock:
    """A clock that stands still until it is moved; for tests and simulation."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a virtual clock starts at an aware datetime, such as datetime(2026, 1, 5, tzinfo=UTC)")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the moment it was last moved to."""
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Move forward to a moment; never backward."""
        self._now = max(self._now, moment)


def processor_time() -> float:
    """Return the seconds of processor time that this thread has used: a busy machine does not make it run faster."""
    return time.thread_time()


def monotonic() -> float:
    """Return seconds of a clock that never goes back; for measuring and deadlines, not for dates."""
    return time.monotonic()


def real_now() -> datetime:
    """Return the real time, whatever the shop's; for time scales and process bookkeeping only."""
    return datetime.now(UTC)
