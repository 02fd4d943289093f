"""What a definition may say: the pydantic models of a journey, a segment and their examples.

A definition is data. YAML is one way to write it (loader.py); Python that builds these models is
another. Durations and conditions are kept here as the author wrote them and parsed once, by the
validators, so that a model that exists is a model whose every word is understood.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
DurationText = Annotated[str, Field(description="such as 30m, 24h or 1d 6h", pattern=r"^\d+(\.\d+)?\s*[smhdw](\s+\d+(\.\d+)?\s*[smhdw])*$")]
ConditionText = Annotated[str, Field(min_length=1, max_length=8000, description="a condition, such as event.price >= 20")]
Label = Annotated[str | None, Field(description="what this step is called in diagrams and in Temporal UI")]
EventName = Annotated[str, Field(min_length=1, max_length=200, description="an event's name, such as Order Completed")]


class Model(BaseModel):
    """The base of all definitions: unknown keys are errors, and nothing changes after load."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# -- steps -------------------------------------------------------------------------------------


class Wait(Model):
    """Time passes; `reset_on` starts the wait afresh when that event arrives."""

    wait: DurationText
    reset_on: EventName | None = Field(default=None, description="an event that starts the wait afresh")
    label: Label = None


class WaitUntil(Model):
    """A local moment in the profile's time zone: `09:00`, `tue 09:00`, `mon-fri 09:00`."""

    wait_until: str = Field(description="a local time, such as 09:00, tue 09:00, mon-fri 09:00 or tue,thu 09:00")
    up_to: DurationText | None = Field(default=None, description="the longest wait, such as 2d")
    label: Label = None


class WaitBranch(Model):
    """One of several things a `wait_for` waits for; whichever comes first."""

    on: str = Field(description="an event's name, or a send's engagement such as reminder.clicked")
    if_: ConditionText | None = Field(default=None, alias="if", description="only an event for which this holds")
    then: tuple[Step, ...] = Field(default=(), description="the steps when this comes first")


class WaitFor(Model):
    """Waits for an event (`Order Completed`) or a send's engagement (`reminder.clicked`).

    Already true on arrival counts, unless `since: arrival`. `wait_for` holds either one name, with
    `if`, or a list of branches, whichever comes first.
    """

    wait_for: str | tuple[WaitBranch, ...] = Field(
        description="an event's name, a send's engagement such as reminder.clicked, or a list of `on` and `then`"
    )
    if_: ConditionText | None = Field(default=None, alias="if", description="only an event for which this holds")
    up_to: DurationText = Field(description="how long to wait at most, such as 24h; then `else`")
    since: Literal["entry", "arrival"] = Field(
        default="entry", description="entry: what came earlier in this entry counts; arrival: only what comes from now on"
    )
    then: tuple[Step, ...] = Field(default=(), description="the steps when it came")
    else_: tuple[Step, ...] = Field(default=(), alias="else", description="the steps when it did not come in time")
    label: Label = None

    @property
    def branches(self) -> tuple[WaitBranch, ...]:
        """The single form and the list form as one: a tuple of branches."""
        if isinstance(self.wait_for, str):
            return (WaitBranch(on=self.wait_for, if_=self.if_, then=self.then),)
        return self.wait_for


class Score(Model):
    """Asks a model, keeps the number and why."""

    score: Name = Field(description="the model to ask, such as rfm")


class If(Model):
    """Branches on a condition."""

    if_: ConditionText = Field(alias="if", description="a condition, such as score.rfm >= 0.5 or segment.high_value")
    then: tuple[Step, ...] = Field(default=(), description="the steps when it holds")
    else_: tuple[Step, ...] = Field(default=(), alias="else", description="the steps when it does not hold")
    label: Label = None


class Choice(Model):
    """One line of a `choose`; without `if` it is the last, taken when none before it held."""

    if_: ConditionText | None = Field(default=None, alias="if", description="a condition; left out on the last line only")
    then: tuple[Step, ...] = Field(description="the steps when this line is taken")


class Choose(Model):
    """The first line that holds is taken."""

    choose: tuple[Choice, ...] = Field(min_length=1, description="lines of `if` and `then`; the first that holds is taken")


class Split(Model):
    """Divides people by a sticky hash: `split: {a: 50, b: 50}` with the steps of each arm under its name in `arms`."""

    split: dict[Name, int] = Field(min_length=1, description="each arm's share, such as {short: 50, long: 50}")
    id: Name | None = Field(default=None, description="the split's name in reports")
    arms: dict[Name, tuple[Step, ...]] = Field(default_factory=dict, description="each arm's steps; an arm left out goes straight on")


class Send(Model):
    """Sends a content, through the gate, at most once."""

    send: Name = Field(description="the content to send: a file's name in content/, without .mjml")
    id: Name | None = Field(default=None, description="what later steps call it, such as reminder.clicked; default: the content's name")
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with", description="values for the content, such as {discount_percent: 10}")
    variants: dict[Name, int] | None = Field(default=None, description="each variant's share, such as {plain: 50, playful: 50}")
    choose: Literal["experiment", "bandit"] | None = Field(default=None, description="how a variant is chosen: experiment keeps the shares")
    horizon: DurationText | None = Field(default=None, description="how long the experiment runs, such as 6w")
    reward: str | None = Field(default=None, description="what the variants compete for, such as reminder.clicked within 48h")
    topic: Name | None = Field(default=None, description="what people choose on their preference page; default: the journey's")
    to: Literal["best_time"] | None = Field(default=None, description="not yet: the person's best time")


class Set(Model):
    """Writes traits to the profile."""

    set: dict[str, Any] = Field(min_length=1, description="traits and their values, such as {plan: gold}")


class Call(Model):
    """A signed webhook, posted until it is answered, `up_to` a time."""

    call: str = Field(max_length=1000, description="an https address whose host stands in shop.yaml under `connected`")
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with", description="values to send along, such as {points: 10}")
    keep: Name | None = Field(default=None, description="the name to keep the answer under, for conditions: call.<name>.value")
    up_to: DurationText = Field(default="1h", description="how long it is tried where nobody answers; then `on_failure`, and on")
    on_failure: tuple[Step, ...] = Field(default=(), description="the steps where it failed for good; then the journey goes on")
    label: Label = None


class Enter(Model):
    """Starts another journey for this profile."""

    enter: Name = Field(description="the journey to start for this profile")
    with_: dict[str, Any] = Field(default_factory=dict, alias="with", description="properties of the event that starts it")


class End(Model):
    """Ends the journey with an outcome."""

    end: Name = Field(description="the outcome, such as purchased")


VERBS: dict[str, type[Model]] = {
    "wait": Wait, "wait_until": WaitUntil, "wait_for": WaitFor, "score": Score, "if": If, "choose": Choose,
    "split": Split, "send": Send, "set": Set, "call": Call, "enter": Enter, "end": End,
}  # fmt: skip

# A verb's own options may bear another verb's name (`wait_for` takes `if`, `send` takes `choose`): first found wins.
_PRECEDENCE = ("wait_for", "wait_until", "wait", "send", "choose", "if", "score", "split", "set", "call", "enter", "end")


def verb_of(step: Any) -> str | None:
    """Return the verb of a step, written as a mapping or already a model; None where there is none."""
    if isinstance(step, Model):
        return next((verb for verb, model in VERBS.items() if type(step) is model), None)
    return next((verb for verb in _PRECEDENCE if isinstance(step, dict) and verb in step), None)


Step = Annotated[
    Annotated[Wait, Tag("wait")]
    | Annotated[WaitUntil, Tag("wait_until")]
    | Annotated[WaitFor, Tag("wait_for")]
    | Annotated[Score, Tag("score")]
    | Annotated[If, Tag("if")]
    | Annotated[Choose, Tag("choose")]
    | Annotated[Split, Tag("split")]
    | Annotated[Send, Tag("send")]
    | Annotated[Set, Tag("set")]
    | Annotated[Call, Tag("call")]
    | Annotated[Enter, Tag("enter")]
    | Annotated[End, Tag("end")],
    Discriminator(verb_of, custom_error_type="no_verb", custom_error_message="a step needs exactly one verb"),
]


# -- a journey ---------------------------------------------------------------------------------


class Trigger(Model):
    """What begins a journey."""

    on: EventName
    if_: ConditionText | None = Field(default=None, alias="if", description="only an event for which this holds")
    key: str | None = Field(
        default=None,
        description="one entry for each value of this property, such as event.cart_id; default: one for each person",
        pattern=r"^event\.[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
    )
    again_after: DurationText | None = Field(default=None, description="how long after an entry began another may; default: never again")
    while_running: Literal["ignore", "restart"] = Field(default="ignore", description="what a new trigger does to an entry that still runs")


class Leave(Model):
    """An event that ends the journey at once, wherever it stands."""

    on: EventName
    if_: ConditionText | None = Field(default=None, alias="if", description="only an event for which this holds")
    as_: Name = Field(alias="as", description="the outcome, such as purchased")


class Goal(Model):
    """What the journey is for; counted once per entry, in the window, even after its end."""

    on: EventName
    if_: ConditionText | None = Field(default=None, alias="if", description="only an event for which this holds")
    within: DurationText = Field(description="how long from entry it counts, such as 7d")
    value: str | None = Field(
        default=None, pattern=r"^event\.[A-Za-z_][A-Za-z0-9_.]*$", description="the property that says its worth, such as event.revenue"
    )


class Happening(Model):
    """An event in an example's timeline, with its properties."""

    event: str = Field(description="an event's name, or a send's engagement such as reminder.clicked")
    properties: dict[str, Any] = Field(default_factory=dict, description="its properties")


class Example(Model):
    """A test that stands beside the definition; run in virtual time."""

    name: Text = Field(description="what it shows")
    given: dict[str, Any] = Field(
        default_factory=dict,
        description="facts: score.<model>, segment.<name>, event.<property>, profile.<trait>, call.<name>, history, now, zone",
    )
    events: dict[DurationText, str | Happening | tuple[str | Happening, ...]] = Field(
        default_factory=dict, description="what happens, by the time since entry, in order: {30m: Order Completed, 2h: reminder.clicked}"
    )
    expect: tuple[str, ...] = Field(min_length=1, description="what is sent and, last, how it ends: [send cart_reminder, purchased]")


class Journey(Model):
    """A journey as checked in."""

    journey: Name = Field(description="the journey's name")
    owner: Text | None = Field(default=None, description="who answers for it")
    purpose: Name = Field(default="marketing", description="the consent that its messages need; purposes stand in shop.yaml")
    priority: int = Field(default=50, ge=0, le=100, description="who goes first when messages compete; 100 is first")
    description: Text = Field(description="what it does and why, for people")
    enter: Trigger = Field(description="what begins it")
    leave: tuple[Leave, ...] = Field(default=(), description="events that end it at once, wherever it stands")
    goal: Goal | None = Field(default=None, description="what it is for")
    holdout: str | None = Field(default=None, pattern=r"^\d{1,2}(\.\d+)?%$", description="the share that is never sent to, such as 10%")
    send_between: str | None = Field(
        default=None,
        pattern=r"^((mon|tue|wed|thu|fri|sat|sun)([,-](mon|tue|wed|thu|fri|sat|sun))* )?([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$",
        description="the person's local hours in which it may send, such as 09:00-20:00 or mon-fri 09:00-18:00",
    )
    topic: Name | None = Field(default=None, description="what people choose on their preference page; topics stand in shop.yaml")
    when_capped: str | None = Field(
        default=None,
        pattern=r"^(skip|hold up to \d+(\.\d+)?\s*[smhdw](\s+\d+(\.\d+)?\s*[smhdw])*)$",
        description="what becomes of a message that a cap stops: skip, or `hold up to 2d`; default: as the cap says",
    )
    steps: tuple[Step, ...] = Field(min_length=1, description="what happens, in order")
    examples: tuple[Example, ...] = Field(default=(), description="tests of this journey, run by `sojourn test`")

    @property
    def name(self) -> str:
        """The journey's name."""
        return self.journey


class Segment(Model):
    """A set of people, by a condition."""

    segment: Name = Field(description="the segment's name")
    description: Text = Field(description="who they are, for people")
    members: ConditionText | None = Field(default=None, description="who is in it: a condition on traits and history")
    list_: Literal["manual", "upload", "snapshot", "cluster"] | None = Field(
        default=None,
        alias="list",
        description="instead of `members`: a kept list, changed by `sojourn segment add`, `upload`, `freeze` or `sojourn cluster`",
    )
    source: Text | None = Field(
        default=None, description="where it came from: the segment that it was frozen from, or the command that wrote it"
    )
    version: Text | None = Field(default=None, description="of a list: which making of it this is, such as that of a clustering")

    @property
    def name(self) -> str:
        """The segment's name."""
        return self.segment


for _model in (WaitBranch, WaitFor, If, Choice, Choose, Split, Call, Journey):
    _model.model_rebuild()

__all__ = [
    "VERBS", "Call", "Choice", "Choose", "End", "Enter", "Example", "Goal", "Happening", "If", "Journey", "Leave", "Model",
    "Score", "Segment", "Send", "Set", "Split", "Step", "Trigger", "Wait", "WaitBranch", "WaitFor", "WaitUntil", "verb_of",
]  # fmt: skip
