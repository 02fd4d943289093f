"""Turns a checked tree into SQL about `profiles`, for one profile, for some or for all.

What is known before the query (the event, scores, engagement, now) is settled in Python, so that the
query holds only what it must look up. Every part is true or false, never NULL.
"""

from __future__ import annotations

from functools import reduce
from operator import sub
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Select,
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    type_coerce,
)

from sojourn.language.conditions import tree
from sojourn.language.conditions.closures import Segments, compile_test, compile_value, is_moment, segment_condition, segment_facts
from sojourn.language.conditions.facts import Facts
from sojourn.language.conditions.sqljson import ByCodePoint, Millionths
from sojourn.language.conditions.sqlshared import SharedQuestions
from sojourn.language.conditions.sqlvalue import Bool, SqlValue, Zones, alone, compared, constant, defined, in_list, in_value, json_value
from sojourn.language.conditions.tree import Kind, Node, kind_of
from sojourn.language.conditions.values import is_date
from sojourn.language.moments import zone_name
from sojourn.store.tables import events, profiles, segment_members
from sojourn.store.types import to_micros

_DAY = 86_400_000_000.0
_STORED = (tree.Past, tree.Trait, tree.Segment, tree.Listed)


def to_sql(node: Node, facts: Facts, segments: Segments, shared: SharedQuestions | None = None) -> Bool:
    """Return a tree as an expression correlated to `profiles`.

    Args:
        node: the tree.
        facts: what is known before the query: now, the event, scores, engagement.
        segments: the conditions of segments.
        shared: takes what it asks of the past; the query is then one from `shared.beside_profiles`.
    """
    return SqlQuery(facts, segments, shared=shared).holds(node)


class SqlQuery:
    """Turns nodes into SQL, for the facts that are known before the query."""

    def __init__(self, facts: Facts, segments: Segments, past: str | None = None, shared: SharedQuestions | None = None) -> None:
        self.facts = facts
        self.segments = segments
        self.past = past  # inside a where: the name of the event, which is a row of `events`
        self.shared = shared  # takes questions to the past that other conditions of the query may ask as well
        self.zones: Zones = (profiles.c.zone, literal(zone_name(facts.calendar.zone), Text()))

    def _settled(self, node: Node) -> bool:
        stored = _STORED + ((tree.EventName, tree.EventTime, tree.EventProperty) if self.past is not None else ())
        return not isinstance(node, stored) and all(map(self._settled, tree.children(node))) and not self._asks_zone(node)

    def _asks_zone(self, node: Node) -> bool:
        """Tell whether a node whose values are known reads a date, which is another moment for each person."""
        if not isinstance(node, tree.Comparison | tree.Membership | tree.DaysSince):
            return False
        values = [compile_value(child)(self.facts.event, self.facts, self.segments) for child in tree.children(node)]
        return any(is_date(each) for value in values for each in (value if isinstance(value, list | tuple) else (value,)))

    def holds(self, node: Node) -> Bool:
        """Return whether a node holds."""
        if self._settled(node):
            return true() if compile_test(node)(self.facts.event, self.facts, self.segments) else false()
        match node:
            case tree.Not(of=of):
                return not_(self.holds(of))
            case tree.And(items=items):
                return and_(true(), *map(self.holds, items))
            case tree.Or(items=items):
                return or_(false(), *map(self.holds, items))
            case tree.AtLeast(count=count, items=items):
                parts = [case((self.holds(item), 1), else_=0) for item in items]
                total: ColumnElement[int] = literal(0, Integer())
                for part in parts:
                    total = total + part
                return total >= count
            case tree.Comparison(operator=symbol, left=left, right=right):
                return compared(symbol, self.value(left), self.value(right), self.zones, is_moment(left) or is_moment(right))
            case tree.Membership():
                return self._membership(node)
            case tree.Defined(of=of):
                return defined(self.value(of))
            case tree.Segment(name=name):
                return self._segment(name)
            case tree.Listed(name=name):
                listed = (segment_members.c.segment == name, segment_members.c.profile_id == profiles.c.id)
                return exists(select(literal(1)).select_from(segment_members).where(*listed).correlate(profiles))
            case tree.Past(function="did"):
                return exists(self.rows(node, literal(1))) if (shared := self._shares(node)) is None else shared.did(node, self)
        return alone(self.value(node))

    def value(self, node: Node) -> SqlValue:
        """Return a node's value."""
        if self._settled(node):
            return constant(compile_value(node)(self.facts.event, self.facts, self.segments))
        match node:
            case tree.Trait(path=path):
                return json_value(profiles.c.traits, path)
            case tree.EventProperty(path=path):
                epoch = self.past is not None and path in self.facts.calendar.epochs.get(self.past, ())
                return json_value(events.c.properties, path, epoch=epoch)
            case tree.EventName():
                return SqlValue(text=ByCodePoint(events.c.name))
            case tree.EventTime():
                return SqlValue(moment=type_coerce(events.c.time, BigInteger))
            case tree.DaysSince(of=of):
                moment = self.value(of).as_moment(self.zones)
                now = literal(to_micros(self.facts.now), BigInteger())
                return SqlValue() if moment is None else SqlValue(number=cast(now - moment, Float) / literal(_DAY, Float()))
            case tree.Arithmetic():
                return self._arithmetic(node)
            case tree.Negative(of=of):
                number = self.value(of).number
                return SqlValue() if number is None else SqlValue(number=literal(0.0, Float()) - cast(number, Float))
            case tree.Past(function="count" | "sum" | "distinct" | "first" | "last"):
                return self._past(node)
            case tree.Net(sold=sold):
                sums = [self._millionths(past) for past in (sold, *node.refunds)]
                return SqlValue(number=reduce(sub, sums) / literal(1_000_000.0, Float()))
        assert kind_of(node) is Kind.BOOL, node
        return SqlValue(truth=case((self.holds(node), true()), else_=false()))

    def _arithmetic(self, node: tree.Arithmetic) -> SqlValue:
        left, right = self.value(node.left).number, self.value(node.right).number
        if left is None or right is None:
            return SqlValue()
        one, other = cast(left, Float), cast(right, Float)
        match node.operator:
            case "+":
                return SqlValue(number=one + other)
            case "-":
                return SqlValue(number=one - other)
            case "*":
                return SqlValue(number=one * other)
        return SqlValue(number=one / func.nullif(other, literal(0.0, Float()), type_=Float()))

    def _membership(self, node: tree.Membership) -> Bool:
        left = self.value(node.left)
        if isinstance(node.right, tree.ListOf):
            return in_list(left, [self.value(item) for item in node.right.items], node.negated, self.zones)
        right = self.value(node.right)
        if isinstance(right.constant, list | tuple):
            return in_list(left, [constant(item) for item in right.constant], node.negated, self.zones)
        return in_value(left, right, node.negated, self.zones)

    def _segment(self, name: str) -> Bool:
        known = self.facts.segments.get(name)
        if known is not None:
            return true() if known else false()
        condition, rest = segment_condition(name, self.segments)
        return SqlQuery(segment_facts(condition, self.facts), rest, shared=self.shared).holds(condition.tree)

    # -- history -------------------------------------------------------------------------------

    def rows(self, node: tree.Past, column: ColumnElement[Any]) -> Select[Any]:
        """Return a query for the events that a question to the past is about."""
        rows = (
            select(column)
            .select_from(events)
            .where(
                events.c.profile_id == profiles.c.id,
                events.c.name == node.event,
                events.c.time <= self.facts.now,
                events.c.machine == false(),
            )
        )
        if node.within is not None:
            rows = rows.where(events.c.time > self.facts.now - node.within)
        if node.where is not None:
            rows = rows.where(self.inside(node).holds(node.where))
        return rows.correlate(profiles)

    def inside(self, node: tree.Past) -> SqlQuery:
        """Return what turns the parts of a question to the past into SQL, about one of its events."""
        return SqlQuery(self.facts, self.segments, past=node.event)

    def _shares(self, node: tree.Past) -> SharedQuestions | None:
        return self.shared if self.shared is not None and self.shared.takes(node) else None

    def leaves_first(self, node: tree.Past) -> ColumnElement[int]:
        """Return the moment of that event whose leaving of the window is the first to change an answer; NULL, or a moment before
        the window, where there is none. Of `did` and `last` it is the last: they stay as they are while that one is there."""
        is_last = node.function in ("did", "last")
        if (shared := self._shares(node)) is not None:
            return shared.last(node, self) if is_last else shared.first(node, self)
        aggregate = func.max if is_last else func.min
        return self.rows(node, aggregate(events.c.time, type_=BigInteger())).scalar_subquery()

    def _past(self, node: tree.Past) -> SqlValue:
        shared = self._shares(node)
        if node.function == "sum":
            return SqlValue(number=self._millionths(node) / literal(1_000_000.0, Float()))
        if shared is not None and node.function in ("count", "distinct"):
            return SqlValue(number=shared.total(node, self))
        if node.function == "count":
            return SqlValue(number=self.rows(node, func.count()).scalar_subquery())
        assert node.of is not None
        part = self.inside(node).value(node.of)
        if node.function == "distinct":
            different: ColumnElement[int] = literal(0, Integer())
            for kind in (part.number, part.text, part.truth, part.moment):
                if kind is not None:
                    different = different + func.count(kind.distinct())
            return SqlValue(number=self.rows(node, different).scalar_subquery())
        if shared is not None and isinstance(node.of, tree.EventTime):
            return SqlValue(moment=shared.moment(node, self))
        return part.each(lambda kind: self._one(node, kind))

    def _millionths(self, node: tree.Past) -> ColumnElement[float]:
        assert node.of is not None
        number = self.inside(node).value(node.of).number
        if number is None:
            return literal(0.0, Float())
        if (shared := self._shares(node)) is not None:
            return shared.total(node, self)
        millionths = func.coalesce(func.sum(Millionths(number)), literal(0.0, Float()), type_=Float())
        return self.rows(node, millionths).scalar_subquery()

    def _one(self, node: tree.Past, kind: ColumnElement[Any]) -> ColumnElement[Any]:
        first = (events.c.time, events.c.id)
        order = first if node.function == "first" else tuple(column.desc() for column in first)
        return self.rows(node, kind).order_by(*order).limit(1).scalar_subquery()
