"""What a journey asks about people: events, properties and traits, with the values it compares them to.

Who makes people up draws values around those, so that both sides of a branch are walked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sojourn.language.conditions import Condition, parse, tree
from sojourn.language.conditions.tree import Node
from sojourn.language.model import Choose, If, Score
from sojourn.prediction import Models
from sojourn.travel.program import KINDS, Program

Value = bool | int | float | str
Values = dict[str, list[Value]]
"""By a property's or a trait's path, what it is compared to."""


@dataclass
class Asked:
    """What is asked.

    Attributes:
        trigger: of the event that begins the entry.
        profile: of the traits.
        events: of the properties of other events, by the event's name.
        engagement: kinds of engagement, such as `clicked`, by the send's id.
        calls: of the answers to calls, by the name that each is kept under.
    """

    trigger: Values = field(default_factory=dict)
    profile: Values = field(default_factory=dict)
    events: dict[str, Values] = field(default_factory=dict)
    engagement: dict[str, set[str]] = field(default_factory=dict)
    calls: dict[str, Values] = field(default_factory=dict)


def asked_by(program: Program, segments: Mapping[str, Condition], models: Models, beside: Iterable[str] = ()) -> Asked:
    """Return what a journey asks, by its filter, its steps, the segments they name and the models they ask.

    Args:
        program: the journey.
        segments: every segment's condition.
        models: who gives scores.
        beside: conditions that are asked at its sends, such as those of contents' sections.
    """
    asked = Asked()
    seen: set[str] = set()

    def note(node: Node, event: Values, against: Iterable[Value] = ()) -> None:
        match node:
            case tree.EventProperty(path=path):
                event.setdefault(_dotted(path), []).extend(against)
            case tree.Trait(path=path):
                asked.profile.setdefault(_dotted(path), []).extend(against)
            case tree.Called(name=name, path=path):
                asked.calls.setdefault(name, {}).setdefault(_dotted(path), []).extend(against)
            case tree.Engagement(send=send, kind=kind):
                asked.engagement.setdefault(send, set()).add(kind)
            case tree.Segment(name=name) if name in segments and name not in seen:
                seen.add(name)
                note(segments[name].tree, event)
            case tree.Past(event=name, of=of):
                event = asked.events.setdefault(name, {})
                if isinstance(of, tree.EventProperty):
                    note(of, event)
        literals = _literals(node)
        for child in tree.children(node):
            note(child, event, literals)

    journey = program.journey
    if journey.enter.if_ is not None:
        note(parse(journey.enter.if_).tree, asked.trigger)
    for step in program.steps.values():
        conditions = [step.if_] if isinstance(step, If) else [line.if_ for line in step.choose] if isinstance(step, Choose) else []
        for condition in conditions:
            if condition is not None:
                note(parse(condition).tree, asked.trigger)
        for node in models.asks(step.score) if isinstance(step, Score) else ():
            note(node, asked.trigger)
    for condition in beside:
        note(parse(condition).tree, asked.trigger)
    for listener in program.listeners():
        event: Values = {}
        if listener.send_id is not None:
            asked.engagement.setdefault(listener.send_id, set()).add(KINDS[listener.event])
        else:
            event = asked.events.setdefault(listener.event, event)
        if listener.condition is not None:
            note(parse(listener.condition).tree, event)
    return asked


def _literals(node: Node) -> list[Value]:
    if not isinstance(node, tree.Comparison | tree.Membership):
        return []
    sides = [node.left, *(node.right.items if isinstance(node.right, tree.ListOf) else [node.right])]
    return [side.value for side in sides if isinstance(side, tree.Literal)]


def _dotted(path: tree.Path) -> str:
    return ".".join(map(str, path))
