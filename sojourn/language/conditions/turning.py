"""When a condition can come out otherwise though nothing happens: windows that pass, and comparisons with the time.

Of a window `within="7d"` an event leaves seven days after it happened; that moment is a turn. So is the
moment at which `days_since(...)`, or `now`, passes what it is compared with: between two turns of the
history such a value runs evenly with the time, so the moment can be reckoned. A turn may turn nothing
(one of two sufficient events left); it is never missing where something does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sojourn.language.conditions import tree
from sojourn.language.conditions.closures import Segments, Test, Value, compile_test, compile_value, segment_condition, segment_facts
from sojourn.language.conditions.facts import EventFact, Facts
from sojourn.language.conditions.tree import Node, to_text
from sojourn.language.conditions.values import as_moment, as_number
from sojourn.store.types import from_micros, to_micros

Turn: TypeAlias = "Callable[[EventFact | None, Facts, Segments], datetime | None]"
"""Gives the next moment after the facts' now at which a node's value can change by itself; None where it never does."""

_DAY = 86_400_000_000.0  # microseconds
_NEAR = (-1, 0, 1, 2)  # microseconds around a reckoned moment: rounding, and `>` beside `>=`


def compile_turn(node: Node) -> Turn | None:
    """Return a function that gives a node's next turn; None where time alone never changes it."""
    match node:
        case tree.And(items=items) | tree.Or(items=items):
            return _joined(items, all_needed=isinstance(node, tree.And))
        case tree.Segment(name=name):
            return _segment(name)
        case tree.Past():
            return _past(node)
        case tree.Comparison() if runs(node.left) or runs(node.right):
            return _earliest([_crossing(node), *_turns(tree.children(node))])
    return _earliest(_turns(tree.children(node)))


def unreckonable(node: Node) -> Iterator[tuple[str, str]]:
    """Yield what of a condition uses the time in a way whose turns cannot be reckoned: its text and what to write instead."""
    match node:
        case tree.Comparison(operator=operator, left=left, right=right):
            running = runs(left) or runs(right)
            if running and operator in ("==", "!="):
                yield to_text(node), "it holds for an instant only; compare with <=, <, >= or >"
        case tree.Arithmetic(operator="*", left=left, right=right) if runs(left) and runs(right):
            yield to_text(node), "multiply the time by a number, and not by the time"
        case tree.Arithmetic(operator="/", left=left, right=right) if runs(right):
            yield to_text(node), f"multiply instead: {to_text(left)} > 2 * {to_text(right)}"
        case tree.Membership() if any(map(runs, tree.children(node))):
            yield to_text(node), "compare with <=, <, >= or >"
        case tree.And(items=items) | tree.Or(items=items) | tree.AtLeast(items=items):
            yield from (_alone(item) for item in items if _runs_alone(item))
        case tree.Not(of=of) if _runs_alone(of):
            yield _alone(of)
        case tree.DaysSince(of=of) if runs(of) and not isinstance(of, tree.Now):
            yield to_text(node), "count the days since an event or a trait"
    for child in tree.children(node):
        yield from unreckonable(child)


def _runs_alone(node: Node) -> bool:
    return isinstance(node, tree.Now | tree.DaysSince | tree.Arithmetic | tree.Negative) and runs(node)


def _alone(node: Node) -> tuple[str, str]:
    return to_text(node), f"compare it with a number: {to_text(node)} >= 1"


def runs(node: Node) -> bool:
    """Tell whether a node's value runs with the time; a question to the past does not, it jumps."""
    if isinstance(node, tree.Now | tree.DaysSince):
        return True
    return not isinstance(node, tree.Past | tree.Segment) and any(map(runs, tree.children(node)))


# -- putting turns together --------------------------------------------------------------------


def _turns(nodes: Sequence[Node]) -> list[Turn]:
    return [turn for turn in map(compile_turn, nodes) if turn is not None]


def _earliest(turns: Sequence[Turn]) -> Turn | None:
    if not turns:
        return None
    if len(turns) == 1:
        return turns[0]

    def earliest(e: EventFact | None, f: Facts, s: Segments) -> datetime | None:
        found: datetime | None = None
        for turn in turns:
            moment = turn(e, f, s)
            if moment is not None and (found is None or moment < found):
                found = moment
        return found

    return earliest


def _joined(items: Sequence[Node], *, all_needed: bool) -> Turn | None:
    """Of `a and b`, where the timeless a does not hold, time changes nothing; of `a or b`, where it holds."""
    turns: list[Turn] = []
    timeless: list[Test] = []
    for item in items:
        turn = compile_turn(item)
        if turn is None:
            timeless.append(compile_test(item))
        else:
            turns.append(turn)
    inner = _earliest(turns)
    if inner is None or not timeless:
        return inner

    def joined(e: EventFact | None, f: Facts, s: Segments) -> datetime | None:
        for test in timeless:
            if test(e, f, s) is not all_needed:
                return None
        return inner(e, f, s)

    return joined


def _segment(name: str) -> Turn:
    def of_its_condition(e: EventFact | None, f: Facts, s: Segments) -> datetime | None:
        if f.segments.get(name) is not None:
            return None
        condition, rest = segment_condition(name, s)
        if condition.turn is None:
            return None
        inner = segment_facts(condition, f)
        return condition.turn(inner.event, inner, rest)

    return of_its_condition


# -- the past ----------------------------------------------------------------------------------


def _past(node: tree.Past) -> Turn | None:
    inner = None if node.where is None else compile_turn(node.where)
    if node.within is None:
        return None if inner is None else _each_event(node, inner)
    leaving = _leaving(node, node.within, timeless=inner is None)
    return leaving if inner is None else _earliest([leaving, _each_event(node, inner)])


def _leaving(node: tree.Past, within: timedelta, *, timeless: bool) -> Turn:
    """The first event that counts leaves the window first; `did` and `last` stay as they are while the last one is there."""
    name, stays = node.event, node.function in ("did", "last")
    where = None if node.where is None or not timeless else compile_test(node.where)

    def leaving(e: EventFact | None, f: Facts, s: Segments) -> datetime | None:
        found = f.history.events(name, f.now - within, f.now)
        for past in reversed(found) if stays else found:
            if where is None or where(past, f, s):
                return past.time + within
        return None

    return leaving


def _each_event(node: tree.Past, inner: Turn) -> Turn:
    name, within = node.event, node.within

    def each(e: EventFact | None, f: Facts, s: Segments) -> datetime | None:
        after = None if within is None else f.now - within
        found = [moment for past in f.history.events(name, after, f.now) if (moment := inner(past, f, s)) is not None]
        return min(found, default=None)

    return each


# -- the time itself ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Line:
    """A value that runs with the time: `at + slope * t`, t in microseconds from now; a moment in microseconds since 1970."""

    at: float
    slope: float
    is_moment: bool = False


_Reckoned: TypeAlias = "Callable[[EventFact | None, Facts, Segments], _Line | None]"


def _crossing(node: tree.Comparison) -> Turn:
    moments = _is_moment(node.left) or _is_moment(node.right)
    left, right = _line(node.left, moments), _line(node.right, moments)

    def crossing(e: EventFact | None, f: Facts, s: Segments) -> datetime | None:
        one, other = left(e, f, s), right(e, f, s)
        if one is None or other is None or one.slope == other.slope:
            return None
        meets = (other.at - one.at) / (one.slope - other.slope)
        if not math.isfinite(meets) or abs(meets) > 1e17:  # three thousand years
            return None
        now = to_micros(f.now)
        return next((from_micros(now + round(meets) + step) for step in _NEAR if round(meets) + step > 0), None)

    return crossing


def _is_moment(node: Node) -> bool:
    return isinstance(node, tree.Now | tree.EventTime) or (isinstance(node, tree.Past) and isinstance(node.of, tree.EventTime))


def _line(node: Node, moment: bool) -> _Reckoned:
    """Return a function that gives a node as a line, read as a moment or as a number; None where it is missing."""
    match node:
        case tree.Now():
            return lambda e, f, s: _Line(to_micros(f.now), 1.0, True)
        case tree.DaysSince(of=tree.Now()):
            return lambda e, f, s: _Line(0.0, 0.0)
        case tree.DaysSince(of=of):
            return _days_since(compile_value(of))
        case tree.Arithmetic() if runs(node):
            return _arithmetic(node)
        case tree.Negative(of=of) if runs(node):
            inner = _line(of, moment=False)
            return lambda e, f, s: None if (line := inner(e, f, s)) is None else _Line(-line.at, -line.slope)
    value = compile_value(node)
    if moment:
        return lambda e, f, s: None if (read := as_moment(value(e, f, s), f.calendar.zone)) is None else _Line(to_micros(read), 0.0, True)
    return lambda e, f, s: None if (read := as_number(value(e, f, s))) is None else _Line(read, 0.0)


def _days_since(of: Value) -> _Reckoned:
    def days(e: EventFact | None, f: Facts, s: Segments) -> _Line | None:
        moment = as_moment(of(e, f, s), f.calendar.zone)
        return None if moment is None else _Line((to_micros(f.now) - to_micros(moment)) / _DAY, 1.0 / _DAY)

    return days


def _arithmetic(node: tree.Arithmetic) -> _Reckoned:
    left, right, symbol = _line(node.left, moment=False), _line(node.right, moment=False), node.operator

    def line(e: EventFact | None, f: Facts, s: Segments) -> _Line | None:
        one, other = left(e, f, s), right(e, f, s)
        if one is None or other is None or one.is_moment or other.is_moment:
            return None
        match symbol:
            case "+":
                return _Line(one.at + other.at, one.slope + other.slope)
            case "-":
                return _Line(one.at - other.at, one.slope - other.slope)
            case "*":
                return _Line(one.at * other.at, one.slope * other.at + other.slope * one.at)  # one of the slopes is 0
        return None if other.at == 0 else _Line(one.at / other.at, one.slope / other.at)

    return line


__all__ = ["Turn", "compile_turn", "runs", "unreckonable"]
