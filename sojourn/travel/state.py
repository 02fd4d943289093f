"""What travels with an entry: its state, what has arrived for it, and the trail behind it."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

LEAVE = "leave/"  # how the handle of a `leave` line begins
WITHDRAWN = f"{LEAVE}consent"  # met by a withdrawal of the consent that a journey needs, whatever its definition says
CONSENT_WITHDRAWN = "consent_withdrawn"  # the outcome of it
MERGED = f"{LEAVE}merged"  # met where the person turned out to be one with someone who is on the same journey
MERGED_AWAY = "merged"  # the outcome of it
HELD = "/held"
MAX_ARRIVED = 500


def held_at(cursor: str) -> str:
    """Return the handle that a held send meets when it is to be judged again: what held it is gone."""
    return f"{cursor}{HELD}"


class Trail(BaseModel):
    """One thing that happened on the way, with its because."""

    model_config = ConfigDict(frozen=True)

    cursor: str
    did: str  # in the author's words: `send cart_reminder`, `score purchase_propensity = 0.31`
    because: str = ""
    took: str | None = None  # the branch that was taken, by its name in a cursor
    at: AwareDatetime


class Arrived(BaseModel):
    """An event that reached a running entry; the router has already matched it with the definition."""

    model_config = ConfigDict(frozen=True)

    id: str  # the event's message id; a second arrival is dropped
    entry_id: str  # whom it is for; an entry drops what was meant for an earlier one of the same workflow id
    event: str
    time: AwareDatetime
    meets: tuple[str, ...]  # handles of Program.listeners()
    because: str = ""


class Advance(BaseModel):
    """Asks to judge the steps from a cursor on, up to the next wait, end or one effect."""

    entry_id: str
    cursor: str
    scores: dict[str, float] = Field(default_factory=dict)
    trace: str | None = None  # W3C traceparent, where tracing is on
    # (Real) when it was asked for the first time, as who carries it out knows; it does not travel.
    asked_at: AwareDatetime | None = Field(default=None, exclude=True)


class Progress(BaseModel):
    """What an advance came to: what happened, and where to go on.

    `until` asks to pause before going on at `cursor`: a `wait_until`, or a send held by quiet hours.
    """

    trail: tuple[Trail, ...] = ()
    cursor: str | None
    until: AwareDatetime | None = None
    scores: dict[str, float] = Field(default_factory=dict)
    sent: str | None = None  # id of the send that was just dealt with, whatever the gate said


class State(BaseModel):
    """All that an entry in flight is; serialisable, so that it can continue as new."""

    entry_id: str
    cursor: str | None
    entered_at: AwareDatetime
    pause_from: AwareDatetime | None = None  # when the pause at the cursor began
    pause_until: AwareDatetime | None = None  # asked for by a Progress
    heard_before: int = 0  # how many events had arrived when the wait at the cursor began, or when its send was last judged
    scores: dict[str, float] = Field(default_factory=dict)
    arrived: list[Arrived] = Field(default_factory=list)
    trail: list[Trail] = Field(default_factory=list)
    last_send: str | None = None
    outcome: str | None = None

    def hear(self, arrived: Arrived) -> bool:
        """Keep an arriving event; False where it is not for this entry, had arrived before, or there are too many to keep.

        One that ends the entry is kept however many came before it.
        """
        if arrived.entry_id != self.entry_id or any(known.id == arrived.id for known in self.arrived):
            return False
        if len(self.arrived) >= MAX_ARRIVED and not any(handle.startswith(LEAVE) for handle in arrived.meets):
            return False
        self.arrived.append(arrived)
        return True
