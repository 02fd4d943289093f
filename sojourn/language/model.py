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
EventName = Annotated[str, Field(min_length=1, max_length=200, description="an event's name, such as Order Completed")]


class Model(BaseModel):
    """The base of all definitions: unknown keys are errors, and nothing changes after load."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


# -- steps -------------------------------------------------------------------------------------


class Wait(Model):
    """Time passes; `reset_on` starts the wait afresh when that event arrives."""

    wait: DurationText
    reset_on: EventName | None = None
    label: str | None = None


class WaitUntil(Model):
    """A local moment in the profile's time zone: `09:00`, `tue 09:00`, `mon-fri 09:00`."""

    wait_until: str
    up_to: DurationText | None = None
    label: str | None = None


class WaitBranch(Model):
    """One of several things a `wait_for` waits for; whichever comes first."""

    on: str
    if_: ConditionText | None = Field(default=None, alias="if")
    then: tuple[Step, ...] = ()


class WaitFor(Model):
    """Waits for an event (`Order Completed`) or a send's engagement (`reminder.clicked`).

    Already true on arrival counts, unless `since: arrival`. `wait_for` holds either one name, with
    `if`, or a list of branches, whichever comes first.
    """

    wait_for: str | tuple[WaitBranch, ...]
    if_: ConditionText | None = Field(default=None, alias="if")
    up_to: DurationText
    since: Literal["entry", "arrival"] = "entry"
    then: tuple[Step, ...] = ()
    else_: tuple[Step, ...] = Field(default=(), alias="else")
    label: str | None = None

    @property
    def branches(self) -> tuple[WaitBranch, ...]:
        """The single form and the list form as one: a tuple of branches."""
        if isinstance(self.wait_for, str):
            return (WaitBranch(on=self.wait_for, if_=self.if_, then=self.then),)
        return self.wait_for


class Score(Model):
    """Asks a model, keeps the number and why."""

    score: Name


class If(Model):
    """Branches on a condition."""

    if_: ConditionText = Field(alias="if")
    then: tuple[Step, ...] = ()
    else_: tuple[Step, ...] = Field(default=(), alias="else")
    label: str | None = None


class Choice(Model):
    """One line of a `choose`; without `if` it is the last, taken when none before it held."""

    if_: ConditionText | None = Field(default=None, alias="if")
    then: tuple[Step, ...]


class Choose(Model):
    """The first line that holds is taken."""

    choose: tuple[Choice, ...] = Field(min_length=1)


class Split(Model):
    """Divides people by a sticky hash: `split: {a: 50, b: 50}` with the steps of each arm under its name in `arms`."""

    split: dict[Name, int] = Field(min_length=1)
    id: Name | None = None
    arms: dict[Name, tuple[Step, ...]] = Field(default_factory=dict)


class Send(Model):
    """Sends a content, through the gate, at most once."""

    send: Name
    id: Name | None = None
    with_: dict[Name, Any] = Field(default_factory=dict, alias="with")
    variants: dict[Name, int] | None = None
    choose: Literal["experiment", "bandit"] | None = None
    horizon: DurationText | None = None
    reward: str | None = None
    to: Literal["best_time"] | None = None


class Set(Model):
    """Writes traits to the profile."""

    set: dict[str, Any] = Field(min_length=1)


class Call(Model):
    """A signed webhook; parsed and refused until its issue."""

    call: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    keep: Name | None = None


class Enter(Model):
    """Starts another journey for this profile."""

    enter: Name
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class End(Model):
    """Ends the journey with an outcome."""

    end: Name


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
    if_: ConditionText | None = Field(default=None, alias="if")
    key: str | None = Field(default=None, pattern=r"^event\.[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")
    again_after: DurationText | None = None
    while_running: Literal["ignore", "restart"] = "ignore"


class Leave(Model):
    """An event that ends the journey at once, wherever it stands."""

    on: EventName
    if_: ConditionText | None = Field(default=None, alias="if")
    as_: Name = Field(alias="as")


class Goal(Model):
    """What the journey is for; counted once per entry, in the window, even after its end."""

    on: EventName
    if_: ConditionText | None = Field(default=None, alias="if")
    within: DurationText
    value: str | None = Field(default=None, pattern=r"^event\.[A-Za-z_][A-Za-z0-9_.]*$")


class Happening(Model):
    """An event in an example's timeline, with its properties."""

    event: str
    properties: dict[str, Any] = Field(default_factory=dict)


class Example(Model):
    """A test that stands beside the definition; run in virtual time."""

    name: Text
    given: dict[str, Any] = Field(default_factory=dict)
    events: dict[DurationText, str | Happening | tuple[str | Happening, ...]] = Field(default_factory=dict)
    expect: tuple[str, ...] = Field(min_length=1)


class Journey(Model):
    """A journey as checked in."""

    journey: Name
    owner: Text | None = None
    purpose: Name = "marketing"
    priority: int = Field(default=50, ge=0, le=100)
    description: Text
    enter: Trigger
    leave: tuple[Leave, ...] = ()
    goal: Goal | None = None
    holdout: str | None = Field(default=None, pattern=r"^\d{1,2}(\.\d+)?%$")
    send_between: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")
    steps: tuple[Step, ...] = Field(min_length=1)
    examples: tuple[Example, ...] = ()

    @property
    def name(self) -> str:
        """The journey's name."""
        return self.journey


class Segment(Model):
    """A set of people, by a condition."""

    segment: Name
    description: Text
    members: ConditionText

    @property
    def name(self) -> str:
        """The segment's name."""
        return self.segment


for _model in (WaitBranch, WaitFor, If, Choice, Choose, Split, Journey):
    _model.model_rebuild()

__all__ = [
    "VERBS", "Call", "Choice", "Choose", "End", "Enter", "Example", "Goal", "Happening", "If", "Journey", "Leave", "Model",
    "Score", "Segment", "Send", "Set", "Split", "Step", "Trigger", "Wait", "WaitBranch", "WaitFor", "WaitUntil", "verb_of",
]  # fmt: skip
