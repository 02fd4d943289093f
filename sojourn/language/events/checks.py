"""What must hold within an event's definition beyond its shape, and between it and those who ask for the event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sojourn.language.conditions import ConditionError, parse, tree
from sojourn.language.events.dialect import check_dialect
from sojourn.language.events.known import property_paths, unknown_part
from sojourn.language.events.model import EventDefinition
from sojourn.language.events.schemas import compile_schema
from sojourn.language.events.wording import placed
from sojourn.language.finding import Finding, Findings
from sojourn.language.model import Choose, If, Journey, Segment, WaitFor
from sojourn.language.outline import HEARD_AS, Way, engagement, walk
from sojourn.language.problems import nearest, shown, unknown
from sojourn.language.shop import Undeclared
from sojourn.language.spelling import CALLS, ENGINE, mentions


def check_event(definition: EventDefinition) -> list[Finding]:
    """Return all that is wrong with an event's definition."""
    found = Findings()
    if definition.event in CALLS:
        found.add(("event",), f"`{definition.event}` is a call of its own and not an event of `track`; it needs no definition")
    if not check_dialect(definition.properties, ("properties",), found):
        return found.all
    named = {".".join(map(str, path)) for path, _ in property_paths(definition.properties)}
    for name in definition.personal:
        if name not in named:
            found.add(("personal", name), unknown("property", name, named), at_key=True)
    validator = compile_schema(definition.properties)
    for i, example in enumerate(definition.examples):
        for error in validator.iter_errors(example):
            for path, reason in placed(error):
                about = f"`{path[-1]}` " if path else ""
                found.add(("examples", i, *path), f"this example does not fit `properties`: {about}{reason}")
    return found.all


def check_asked(definition: Journey | Segment, events: Mapping[str, EventDefinition], undeclared: Undeclared = "accept") -> list[Finding]:
    """Return where a journey or a segment asks for what no event has.

    Args:
        definition: of either kind; its conditions may be broken, which is said elsewhere.
        events: what is declared.
        undeclared: what becomes of events that are not; only where they are accepted may others be named.
    """
    found = Findings()
    if undeclared != "accept":
        for mention in mentions(definition):
            if mention.name not in events and mention.name not in ENGINE and mention.name not in CALLS:
                text = f"{unknown('event', mention.name, events)}; declare it in events/ (`undeclared_events: {undeclared}` in shop.yaml)"
                found.add(mention.way, text, mention.offset)
    for event, text, way in conditions_at(definition):
        _check_condition(event, text, way, events, found)
    if isinstance(definition, Journey):
        for event, written, way in paths_at(definition):
            path = tuple(written.split(".")[1:])
            _check_property(event, path, way, 0, events, found)
    return found.all


def conditions_at(definition: Journey | Segment) -> Iterator[tuple[str | None, str, Way]]:
    """Return each condition with the event that `event.*` is there; None where it is none."""
    if isinstance(definition, Segment):
        if definition.members is not None:
            yield None, definition.members, ("members",)
        return
    began = definition.enter.on
    yield from _one(began, definition.enter.if_, ("enter", "if"))
    for i, leave in enumerate(definition.leave):
        yield from _one(leave.on, leave.if_, ("leave", i, "if"))
    if definition.goal is not None:
        yield from _one(definition.goal.on, definition.goal.if_, ("goal", "if"))
    for way, step in walk(definition):
        match step:
            case WaitFor(wait_for=str() as name):
                yield from _one(_heard_as(name), step.if_, (*way, "if"))
            case WaitFor():
                for i, branch in enumerate(step.branches):
                    yield from _one(_heard_as(branch.on), branch.if_, (*way, "wait_for", i, "if"))
            case If():
                yield from _one(began, step.if_, (*way, "if"))
            case Choose():
                for i, line in enumerate(step.choose):
                    yield from _one(began, line.if_, (*way, "choose", i, "if"))


def _heard_as(name: str) -> str:
    engaged = engagement(name)
    return name if engaged is None else HEARD_AS[engaged[1]]


def _one(event: str | None, condition: str | None, way: Way) -> Iterator[tuple[str | None, str, Way]]:
    if condition is not None:
        yield event, condition, way


def paths_at(journey: Journey) -> Iterator[tuple[str, str, Way]]:
    """Return each property that a journey names by itself, as `event.cart_id`, with the event and the way."""
    if journey.enter.key is not None:
        yield journey.enter.on, journey.enter.key, ("enter", "key")
    if journey.goal is not None and journey.goal.value is not None:
        yield journey.goal.on, journey.goal.value, ("goal", "value")


def _check_condition(event: str | None, text: str, way: Way, events: Mapping[str, EventDefinition], found: Findings) -> None:
    try:
        root = parse(text).tree
    except ConditionError:
        return

    def known(name: str, path: tree.Path) -> bool:
        return name not in events or unknown_part(events[name].properties, path) is None

    for name, part in parts_asked(root, event, known):
        if name is not None and isinstance(part, tree.EventProperty):
            word = str(next((step for step in reversed(part.path) if isinstance(step, str)), ""))
            _check_property(name, part.path, way, max(text.find(word), 0), events, found)


def parts_asked(node: tree.Node, event: str | None, known: Callable[[str, tree.Path], bool]) -> Iterator[tuple[str | None, Any]]:
    """Return each part of an event that a tree asks for, with the event's name.

    Args:
        node: the tree.
        event: the event at hand, if any.
        known: tells whether an event may have a property; of those that a refund may have instead of each other one is enough.
    """
    if isinstance(node, tree.Net):
        yield from parts_asked(node.sold, event, known)
        either = [past.of for past in node.refunds if isinstance(past.of, tree.EventProperty)]
        yield node.minus, next((part for part in either if known(node.minus, part.path)), either[0])
        if node.sold.where is not None:
            yield from parts_asked(node.sold.where, node.minus, known)
        return
    if isinstance(node, tree.EventProperty):
        yield event, node
    if isinstance(node, tree.Past):
        if node.of is not None:
            yield node.event, node.of
        event = node.event
    for child in tree.children(node):
        yield from parts_asked(child, event, known)


def _check_property(
    event: str, path: tuple[str | int, ...], way: Way, offset: int, events: Mapping[str, EventDefinition], found: Findings
) -> None:
    definition = events.get(event)
    if definition is None:
        return
    beyond = unknown_part(definition.properties, path)
    if beyond is None:
        return
    at, known = beyond
    name = tree.path_text(path[: at + 1])
    hint = nearest(str(path[at]), known) or f"; {'it has ' + ', '.join(f'`{each}`' for each in sorted(known)) if known else 'it has none'}"
    found.add(way, f"`{event}` has no property {shown(name)} (its definition allows no others){hint}", offset)
