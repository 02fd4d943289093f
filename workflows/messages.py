"""What travels in and out of a journey's workflow: one model per message, so that fields can be added."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from pydantic import AwareDatetime, BaseModel, Field

from sojourn.clock import REAL_TIME, TimeScale
from sojourn.language.model import Journey
from sojourn.travel.program import Program
from sojourn.travel.state import State, Trail

KEPT_PROGRAMS = 256


class JourneyInput(BaseModel):
    """Begins, or continues, an entry; carries the definition that it stays on."""

    entry_id: str
    profile_id: str
    entered_at: AwareDatetime
    definition: dict[str, Any]  # the Journey as its author wrote it, without examples
    time_scale: TimeScale | None = None
    trace: str | None = None  # W3C traceparent of the routing, where tracing is on
    state: State | None = None  # where it continues as new

    def program(self) -> Program:
        """Return the definition, ready to be walked; entries of one version share it."""
        return _program(json.dumps(self.definition))

    def scale(self) -> TimeScale:
        """Return how the shop's time runs."""
        return self.time_scale or REAL_TIME


@lru_cache(maxsize=KEPT_PROGRAMS)
def _program(definition: str) -> Program:
    return Program(Journey.model_validate_json(definition))


class JourneyResult(BaseModel):
    """How an entry ended."""

    outcome: str
    because: str = ""


class Standing(BaseModel):
    """Where an entry stands; the answer of the query `progress`."""

    cursor: str | None
    step: str
    scores: dict[str, float] = Field(default_factory=dict)
    trail: list[str] = Field(default_factory=list)
    path: list[Trail] = Field(default_factory=list)  # the trail with its because, branches and moments
    outcome: str | None = None


class BroadcastInput(BaseModel):
    """Begins, or continues, a broadcast."""

    broadcast_id: str
    name: str
    begins_at: AwareDatetime
    lanes: int
    time_scale: TimeScale | None = None
    gathered: bool = False  # where it continues as new
    sent: int = 0

    def scale(self) -> TimeScale:
        """Return how the shop's time runs."""
        return self.time_scale or REAL_TIME


class BroadcastAsk(BaseModel):
    """Asks an activity for a share of a broadcast."""

    broadcast_id: str
    lane: int = 0


class BroadcastTold(BaseModel):
    """What an activity came to."""

    state: str  # of the broadcast
    done: bool = False  # of gathering
    sent: int = 0
    next_due: AwareDatetime | None = None  # when the lane goes on; None: it is done


class BroadcastResult(BaseModel):
    """How a broadcast ended."""

    state: str
    dealt_with: int
