"""What the admin API answers and the commands print; one model for both."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sojourn.language import email_address


class View(BaseModel):
    """The base of all views: read from a row, and never changed."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


V = TypeVar("V", bound=View)


class Page(View, Generic[V]):
    """One page of a list; `next` is the cursor of the page after it."""

    items: list[V]
    next: str | None = Field(default=None, description="give it as `cursor` for the next page; null on the last one")


class JourneyView(View):
    """A journey as it is checked in now, with what has come of it."""

    name: str
    description: str
    owner: str | None
    purpose: str
    priority: int
    starts_on: str = Field(description="the event that begins it")
    running: int
    outcomes: dict[str, int] = Field(description="ended entries by outcome")
    sends: dict[str, int] = Field(description="sends by state")


class IdentifierView(View):
    """One of the names under which a person's events come in."""

    kind: str
    value: str
    since: datetime
    shared: bool = Field(default=False, description="claimed by too many to tell anyone apart: it joins nobody")


class ConsentView(View):
    """Where a person's consent stands for a purpose."""

    id: str
    purpose: str
    granted: bool
    wording: str | None
    source: str
    at: datetime
    own: bool = Field(default=False, description="a deed of the reader, which only a later one outweighs; else a state that is repeated")
    waits_since: datetime | None = Field(default=None, description="since when a yes waits for the reader's confirmation")


class MergeView(View):
    """Two profiles that were found to be one person's."""

    loser_id: str
    winner_id: str
    kind: str = Field(description="of the identifier that they share, else alias, hand or resolution")
    because: str
    at: datetime
    message_id: str | None = Field(description="of the event that said so")
    undone_at: datetime | None
    undone_because: str | None


class MembershipView(View):
    """A segment that a person is in."""

    segment: str
    since: datetime


class TraitRefusalView(View):
    """A value that was not taken for a trait; the value itself is not kept."""

    trait: str
    reason: str
    at: datetime


class ProfileView(View):
    """A person."""

    id: str
    traits: dict[str, Any]
    zone: str | None
    locale: str | None
    first_seen: datetime
    last_seen: datetime
    identifiers: list[IdentifierView]
    consents: list[ConsentView] = Field(description="the latest of each purpose")
    segments: list[MembershipView]
    merged: list[str] = Field(description="ids of the profiles that were found to be the same person")
    merges: list[MergeView] = Field(description="how they were found to be, oldest first, and what was undone")
    refused: list[TraitRefusalView] = Field(description="the latest values that were not taken, newest first")


class BrakeView(View):
    """A brake or an alarm that complaints or bounces raised."""

    journey: str = Field(description="`*` for the whole shop")
    kind: str = Field(description="bounce or complaint")
    level: str = Field(description="alarm or halt")
    share: float
    bad: int
    sent: int
    because: str
    at: datetime
    released_at: datetime | None
    released_because: str | None


class BuildView(View):
    """How far everyone has been gone through for a segment whose definition came or changed."""

    state: Literal["building", "live"]
    done: int = Field(description="people gone through")
    total: int = Field(description="people there were when it began")
    entered: int = Field(description="who came into it by that")
    exited: int = Field(description="who left it by that")
    started_at: datetime
    finished_at: datetime | None


class SegmentView(View):
    """A segment as it is checked in now."""

    name: str
    description: str
    condition: str | None = Field(description="who is in it; null for a list")
    list: str | None = Field(description="manual, upload, snapshot or cluster; null for a condition")
    source: str | None = Field(description="of a list: where it came from")
    version: str | None = Field(description="of a list: which making of it this is")
    members: int
    build: BuildView | None = Field(description="null for a list, and for a segment that is not in force yet")


class MemberView(View):
    """Someone in a segment."""

    profile_id: str
    known_as: str = Field(description="by the shop: a user id, else another identifier, else the profile id")
    since: datetime


class TimelineItem(View):
    """One thing that happened to a person."""

    at: datetime
    kind: Literal["event", "entry_started", "entry_ended", "refusal", "send"]
    title: str
    detail: str = ""
    id: str = Field(description="of the event, entry, refusal or send")
    machine: bool = Field(default=False, description="a robot opened or clicked, not a person")
    properties: dict[str, Any] = Field(default_factory=dict)


class EntryView(View):
    """A person's walk along a journey."""

    id: str
    journey: str
    version: str
    profile_id: str
    key: str
    workflow_id: str
    trigger: dict[str, Any]
    variants: dict[str, Any]
    started_at: datetime
    state: str
    outcome: str | None
    because: str | None
    ended_at: datetime | None
    holdout: bool
    goal_at: datetime | None
    goal_value: float | None


class SendView(View):
    """A message of a journey, sent or not."""

    key: str
    entry_id: str
    profile_id: str
    journey: str
    step: str
    send_id: str
    content: str
    variant: str | None
    purpose: str
    priority: int
    state: str
    reason: str | None
    held_until: datetime | None
    provider: str | None
    provider_message_id: str | None
    attempts: int
    created_at: datetime
    claimed_at: datetime | None
    settled_at: datetime | None


class VerdictView(View):
    """What one check of the gate said."""

    at: datetime
    check: str
    verdict: str
    because: str


class TransitionView(View):
    """One step of a send's way through the ledger."""

    at: datetime
    from_state: str | None
    to_state: str
    because: str


class MessageView(View):
    """The rendered message, as it was frozen."""

    to_address: Annotated[str, AfterValidator(email_address.shown)]
    to_name: str | None
    from_address: Annotated[str, AfterValidator(email_address.shown)]
    from_name: str | None
    subject: str
    html: str
    text: str
    headers: dict[str, Any]
    tokens: dict[str, Any]
    rendered_at: datetime


class DecisionView(View):
    """One thing that the journey judged on the way, with its because."""

    at: datetime
    cursor: str
    did: str
    because: str = ""


class SendDetail(SendView):
    """Everything that explains a send."""

    verdicts: list[VerdictView]
    transitions: list[TransitionView]
    message: MessageView | None
    decisions: list[DecisionView] = Field(description="what the entry had judged, in order")
    consent: ConsentView | None = Field(description="the consent that it stood on")
    engagement: list[TimelineItem]
    entry: EntryView


class PartHealth(View):
    """The state of one part."""

    state: Literal["ok", "late", "down"]
    detail: str


class Health(View):
    """The state of the whole; its parts only for those with the token."""

    status: Literal["ok", "degraded", "down"]
    time_scale: float = Field(description="how many times as fast as real the shop's clock runs")
    shop_time: datetime
    building: int = Field(default=0, description="segments that are being built: who is in them is not yet known of everybody")
    parts: dict[str, PartHealth] | None = None


class Problem(View):
    """Why a call was refused."""

    detail: str
