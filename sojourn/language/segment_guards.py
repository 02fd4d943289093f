"""Warnings about segments that follow from their definitions alone: too many attributes, and no use.

The guards that count people stand in `sojourn.customers.segments.guards`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from sojourn.language.asked import SEGMENT_EVENTS
from sojourn.language.conditions import Condition, parse, tree
from sojourn.language.finding import Finding
from sojourn.language.model import Choose, If, Journey, Segment, Wait, WaitFor
from sojourn.language.outline import walk
from sojourn.language.problems import listed

MOST_ATTRIBUTES = 5


def attributes(condition: Condition) -> tuple[str, ...]:
    """Return what a condition asks about a person: each trait, each property of an event, each segment, once.

    An event counts by itself (whether, how often, when) only where none of its properties is asked. A segment is one
    attribute, whatever its own condition asks: that is how a long condition is made short.
    """
    events: dict[str, set[str]] = {}
    others: set[str] = set()
    for node, event in _with_event(condition.tree, None):
        match node:
            case tree.Past(event=name):
                events.setdefault(name, set())
            case tree.Trait() | tree.Segment():
                others.add(tree.to_text(node))
        prop = node.of if isinstance(node, tree.Past) else node
        whose = node.event if isinstance(node, tree.Past) else event
        if whose is not None and isinstance(prop, tree.EventProperty):
            events.setdefault(whose, set()).add(tree.path_text(prop.path))
    asked = {f"{name}: {prop}" if prop else name for name, properties in events.items() for prop in properties or {""}}
    return tuple(sorted(others | asked))


def too_many_attributes(condition: Condition) -> str | None:
    """Return what is to be said of a condition that asks too much at once; None where it does not."""
    found = attributes(condition)
    if len(found) <= MOST_ATTRIBUTES:
        return None
    return (
        f"asks {len(found)} attributes ({listed(found)}), more than {MOST_ATTRIBUTES}: who meets it is hard to foresee; "
        "move some into a segment of their own and name that"
    )


def named_segments(journeys: Iterable[Journey], conditions: Mapping[str, Condition]) -> frozenset[str]:
    """Return the segments that journeys and other segments name.

    A journey that listens for `Segment Entered` or `Segment Exited` of no stated segment listens to all of them.
    """
    found = {other for name, condition in conditions.items() for other in condition.names.segments if other != name}
    for journey in journeys:
        for event, text in _heard(journey):
            named = set() if text is None else _named(parse(text))
            found |= named
            if event in SEGMENT_EVENTS and not named & set(conditions):
                return frozenset(conditions)
    return frozenset(found)


def segment_cautions(segments: Mapping[str, Segment], journeys: Iterable[Journey], also: Collection[str]) -> dict[str, list[Finding]]:
    """Return warnings, by segment.

    Args:
        segments: all of them, in order.
        journeys: all of them.
        also: segments that something else names, such as a model.
    """
    conditions = {name: parse(segment.members) for name, segment in segments.items() if segment.members is not None}
    known = conditions | {name: parse("false") for name in segments.keys() - conditions.keys()}
    used = named_segments(journeys, known) | set(also)
    found: dict[str, list[Finding]] = {name: [] for name in segments}
    for name, condition in conditions.items():
        text = too_many_attributes(condition)
        if text is not None:
            found[name].append(Finding(("members",), text))
    # What a command wrote is there to be chosen from.
    for name in (name for name in segments.keys() - used if segments[name].source is None):
        text = f"no journey, segment, model or content names `{name}`: name it where it is meant, or delete it"
        found[name].append(Finding(("segment",), text))
    return found


def _with_event(node: tree.Node, event: str | None) -> Iterator[tuple[tree.Node, str | None]]:
    yield node, event
    for child in tree.children(node):
        yield from _with_event(child, node.event if isinstance(node, tree.Past) else event)


def _named(condition: Condition) -> set[str]:
    """Segments, and every text: `event.segment == "dormant"` names one."""
    texts = (node.value for node, _ in _with_event(condition.tree, None) if isinstance(node, tree.Literal))
    return set(condition.names.segments) | {text for text in texts if isinstance(text, str)}


def _heard(journey: Journey) -> Iterator[tuple[str | None, str | None]]:
    """Every event that a journey listens for with its condition, and every other condition."""
    yield journey.enter.on, journey.enter.if_
    yield from ((leave.on, leave.if_) for leave in journey.leave)
    if journey.goal is not None:
        yield journey.goal.on, journey.goal.if_
    for _, step in walk(journey):
        match step:
            case Wait(reset_on=str() as name):
                yield name, None
            case WaitFor():
                yield from ((branch.on, branch.if_) for branch in step.branches)
            case If():
                yield None, step.if_
            case Choose():
                yield from ((None, line.if_) for line in step.choose)


__all__ = ["MOST_ATTRIBUTES", "attributes", "named_segments", "segment_cautions", "too_many_attributes"]
