"""Compiles a checked tree to plain Python functions over facts in hand, once; made to be asked often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from sojourn.language.conditions import tree
from sojourn.language.conditions.facts import EventFact, Facts
from sojourn.language.conditions.grammar import ConditionError
from sojourn.language.conditions.tree import Kind, Node, kind_of
from sojourn.language.conditions.values import (
    OPERATORS,
    as_moment,
    compare,
    contains,
    count_distinct,
    days_between,
    names_moment,
    net,
    reckon,
    total,
    walk,
)

if TYPE_CHECKING:
    from sojourn.language.conditions.condition import Condition

Segments: TypeAlias = "Mapping[str, Condition]"
Value: TypeAlias = "Callable[[EventFact | None, Facts, Segments], Any]"
Test: TypeAlias = "Callable[[EventFact | None, Facts, Segments], bool]"


def compile_test(node: Node) -> Test:
    """Return a function that tells whether a node holds."""
    match node:
        case tree.Comparison():
            return _comparison(node)
        case tree.Not(of=of):
            inner = compile_test(of)
            return lambda e, f, s: not inner(e, f, s)
        case tree.And(items=items):
            return _all([compile_test(item) for item in items])
        case tree.Or(items=items):
            return _any([compile_test(item) for item in items])
        case tree.AtLeast(count=count, items=items):
            tests = [compile_test(item) for item in items]
            return lambda e, f, s: sum(test(e, f, s) for test in tests) >= count
        case tree.Membership():
            return _membership(node)
        case tree.Defined(of=of):
            defined = compile_value(of)
            return lambda e, f, s: defined(e, f, s) is not None
        case tree.Segment(name=name):
            return lambda e, f, s: in_segment(name, f, s)
        case tree.Listed(name=name):
            return lambda e, f, s: name in f.listed
        case tree.Called(name=name, path=()):
            return lambda e, f, s: name in f.calls
        case tree.Engagement(send=send, kind=kind):
            return lambda e, f, s: kind in f.engaged.get(send, ())
        case tree.Past(function="did"):
            found = _events(node)
            return lambda e, f, s: bool(found(e, f, s))
    value = compile_value(node)
    return lambda e, f, s: bool(value(e, f, s))


def compile_value(node: Node) -> Value:
    """Return a function that gives a node's value; None where it is missing."""
    match node:
        case tree.Literal(value=value):
            return lambda e, f, s: value
        case tree.ListOf(items=items):
            values = [compile_value(item) for item in items]
            return lambda e, f, s: [item(e, f, s) for item in values]
        case tree.Now():
            return lambda e, f, s: f.now
        case tree.EventName():
            return lambda e, f, s: None if e is None else e.name
        case tree.EventTime():
            return lambda e, f, s: None if e is None else e.time
        case tree.EventProperty(path=path):
            return _property(path)
        case tree.Trait(path=(str(key),)):
            return lambda e, f, s: f.profile.get(key)
        case tree.Trait(path=path):
            return lambda e, f, s: walk(f.profile, path)
        case tree.Score(name=name):
            return lambda e, f, s: f.scores.get(name)
        case tree.Called(name=name, path=path) if path:
            return lambda e, f, s: walk(f.calls.get(name), path)
        case tree.DaysSince(of=of):
            return _days_since(compile_value(of))
        case tree.Arithmetic(operator=symbol, left=left, right=right):
            one, other = compile_value(left), compile_value(right)
            return lambda e, f, s: reckon(symbol, one(e, f, s), other(e, f, s))
        case tree.Negative(of=of):
            negated = compile_value(of)
            return lambda e, f, s: reckon("-", 0, negated(e, f, s))
        case tree.Past(function="count" | "sum" | "distinct" | "first" | "last"):
            return _past(node)
        case tree.Net():
            return _net(node)
    return compile_test(node)


def _property(path: tree.Path) -> Value:
    key = path[0] if len(path) == 1 and isinstance(path[0], str) else None

    def read(e: EventFact | None, f: Facts, s: Segments) -> Any:
        if e is None:
            return None
        value = walk(e.properties, path) if key is None else e.properties.get(key)
        if (type(value) is int or type(value) is float) and f.calendar.epochs:
            return f.calendar.read(e.name, path, value)
        return value

    return read


def in_segment(name: str, facts: Facts, segments: Segments) -> bool:
    """Tell whether the facts' profile is in a segment: as known, else by the segment's own condition."""
    known = facts.segments.get(name)
    if known is not None:
        return known
    condition, rest = segment_condition(name, segments)
    return condition.holds(segment_facts(condition, facts), rest)


def segment_condition(name: str, segments: Segments) -> tuple[Condition, Segments]:
    """Return a segment's condition, and the segments that may stand in it: all but itself.

    Raises:
        ConditionError: there is no such segment, or it is part of its own definition.
    """
    condition = segments.get(name)
    if condition is None:
        raise ConditionError(f"segment {name!r} does not exist, or is part of its own definition")
    return condition, {other: its for other, its in segments.items() if other != name}


def segment_facts(condition: Condition, facts: Facts) -> Facts:
    """Return the facts that a segment may ask about: nothing of an event or an entry."""
    names = condition.names
    if names.event_properties or names.scores or names.engagements or names.calls:
        return replace(facts, event=None, scores={}, engaged={}, calls={})
    return facts


def _all(tests: Sequence[Test]) -> Test:
    if len(tests) == 2:
        one, other = tests
        return lambda e, f, s: one(e, f, s) and other(e, f, s)

    def holds(e: EventFact | None, f: Facts, s: Segments) -> bool:
        for test in tests:  # noqa: SIM110 (all() over a generator takes twice the time)
            if not test(e, f, s):
                return False
        return True

    return holds


def _any(tests: Sequence[Test]) -> Test:
    if len(tests) == 2:
        one, other = tests
        return lambda e, f, s: one(e, f, s) or other(e, f, s)

    def holds(e: EventFact | None, f: Facts, s: Segments) -> bool:
        for test in tests:  # noqa: SIM110 (any() over a generator takes twice the time)
            if test(e, f, s):
                return True
        return False

    return holds


def _comparison(node: tree.Comparison) -> Test:
    left, right = compile_value(node.left), compile_value(node.right)
    written = is_moment(node.left) or is_moment(node.right)
    if isinstance(node.right, tree.Literal) and kind_of(node.left) is not Kind.MOMENT and not written:
        plain, literal = OPERATORS[node.operator], node.right.value
        if isinstance(literal, str):
            return lambda e, f, s: type(value := left(e, f, s)) is str and plain(value, literal)
        if not isinstance(literal, bool):
            return lambda e, f, s: (type(value := left(e, f, s)) is int or type(value) is float) and plain(value, literal)
    alike = compare(node.operator, written)
    return lambda e, f, s: alike(left(e, f, s), right(e, f, s), f.calendar.zone)


def is_moment(node: Node) -> bool:
    """Tell whether a node is a text written in the condition that names a moment."""
    return isinstance(node, tree.Literal) and isinstance(node.value, str) and names_moment(node.value)


def _membership(node: tree.Membership) -> Test:
    left, right, negated = compile_value(node.left), compile_value(node.right), node.negated
    return lambda e, f, s: contains(left(e, f, s), right(e, f, s), negated, f.calendar.zone)


def _days_since(of: Value) -> Value:
    def days(e: EventFact | None, f: Facts, s: Segments) -> float | None:
        moment = as_moment(of(e, f, s), f.calendar.zone)
        return None if moment is None else days_between(moment, f.now)

    return days


def _events(node: tree.Past) -> Callable[[EventFact | None, Facts, Segments], Sequence[EventFact]]:
    name, within = node.event, node.within

    def found(e: EventFact | None, f: Facts, s: Segments) -> Sequence[EventFact]:
        after: datetime | None = None if within is None else f.now - within
        return f.history.events(name, after, f.now)

    if node.where is None:
        return found
    where = compile_test(node.where)
    return lambda e, f, s: [past for past in found(e, f, s) if where(past, f, s)]


def _net(node: tree.Net) -> Value:
    sums = [(_events(past), compile_value(past.of)) for past in (node.sold, *node.refunds) if past.of is not None]
    return lambda e, f, s: net([[part(past, f, s) for past in found(e, f, s)] for found, part in sums])


def _past(node: tree.Past) -> Value:
    events = _events(node)
    if node.function == "count":
        return lambda e, f, s: len(events(e, f, s))
    assert node.of is not None
    part = compile_value(node.of)
    if node.function == "sum":
        return lambda e, f, s: total(part(past, f, s) for past in events(e, f, s))
    if node.function == "distinct":
        return lambda e, f, s: count_distinct(part(past, f, s) for past in events(e, f, s))
    place = 0 if node.function == "first" else -1

    def one(e: EventFact | None, f: Facts, s: Segments) -> Any:
        found = events(e, f, s)
        return part(found[place], f, s) if found else None

    return one


__all__ = ["Segments", "Test", "Value", "compile_test", "compile_value", "in_segment", "is_moment", "segment_condition", "segment_facts"]
