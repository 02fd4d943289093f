"""The next turn of a condition as SQL, for going through everyone at once; see turning.py for what a turn is.

It may give a moment too early, never one too late: whoever is then judged anew by facts in hand learns the
right one. Where it cannot reckon, it gives the very next moment.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Float, case, cast, func, literal

from sojourn.language.conditions import tree
from sojourn.language.conditions.closures import Segments, segment_condition, segment_facts
from sojourn.language.conditions.facts import Facts
from sojourn.language.conditions.sql import SqlQuery
from sojourn.language.conditions.sqljson import Earliest
from sojourn.language.conditions.sqlshared import SharedQuestions
from sojourn.language.conditions.tree import Node
from sojourn.language.conditions.turning import runs
from sojourn.store.types import to_micros

NEVER = 2**62
_DAY = 86_400_000_000
_NEAR = 2  # microseconds; rounding
_FURTHEST = 2.0**61

Moment = ColumnElement[int]


def to_sql_turn(node: Node, facts: Facts, segments: Segments, shared: SharedQuestions | None = None) -> Moment | None:
    """Return a moment not after a tree's next turn, correlated to `profiles`; None where time alone changes nothing."""
    found = _turns(node, SqlQuery(facts, segments, shared=shared))
    if not found:
        return None
    return found[0] if len(found) == 1 else Earliest(*found)


def _turns(node: Node, query: SqlQuery) -> list[Moment]:
    match node:
        case tree.Segment(name=name):
            condition, rest = segment_condition(name, query.segments)
            return _turns(condition.tree, SqlQuery(segment_facts(condition, query.facts), rest, shared=query.shared))
        case tree.Past():
            return _past(node, query)
    found = [_crossing(node, query)] if isinstance(node, tree.Comparison) and (runs(node.left) or runs(node.right)) else []
    for child in tree.children(node):
        found += _turns(child, query)
    return found


def _past(node: tree.Past, query: SqlQuery) -> list[Moment]:
    timeless = node.where is None or not runs(node.where)
    if not timeless:
        return [_at_once(query.facts)]
    if node.within is None:
        return []
    leaving = query.leaves_first(node) + literal(to_micros_of(node), BigInteger())
    never = literal(NEVER, BigInteger())
    return [case((leaving > to_micros(query.facts.now), leaving), else_=never)]


def to_micros_of(node: tree.Past) -> int:
    """Return a window in microseconds."""
    assert node.within is not None
    return round(node.within.total_seconds() * 1_000_000)


def _at_once(facts: Facts) -> Moment:
    return literal(to_micros(facts.now) + 1, BigInteger())


def _is_long(node: Node) -> bool:
    """Tell whether a node's SQL is so long that, written several times over, SQLite's parser would not take it."""
    if isinstance(node, tree.Past) and node.function in ("first", "last") and not isinstance(node.of, tree.EventTime):
        return True
    return any(map(_is_long, tree.children(node)))


def _crossing(node: tree.Comparison, query: SqlQuery) -> Moment:
    """Return when one side passes the other: a moment beside `now`, or days since a moment beside a number."""
    facts = query.facts
    one, other = (node.left, node.right) if runs(node.left) else (node.right, node.left)
    if runs(other) or _is_long(one) or _is_long(other):
        return _at_once(facts)
    meets: ColumnElement[Any] | None
    if isinstance(one, tree.Now):
        meets = query.value(other).as_moment(query.zones)
    elif isinstance(one, tree.DaysSince) and not runs(one.of):
        since, days = query.value(one.of).as_moment(query.zones), query.value(other).number
        if since is None or days is None:
            return literal(NEVER, BigInteger())
        exact = cast(since, Float) + cast(days, Float) * literal(float(_DAY), Float())
        meets = cast(case((func.abs(exact) < _FURTHEST, exact), else_=None), BigInteger)
    else:
        return _at_once(facts)
    if meets is None:
        return literal(NEVER, BigInteger())
    now = to_micros(facts.now)
    return case(
        (meets > now + _NEAR, meets - _NEAR), (meets > now - 2 * _NEAR, literal(now + 1, BigInteger())), else_=literal(NEVER, BigInteger())
    )
