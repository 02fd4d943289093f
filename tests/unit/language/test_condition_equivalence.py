"""The laws that hold the two ways of asking a condition to each other, over generated conditions and lives."""

from __future__ import annotations

import operator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from condition_asking import NOW, ask_sql, fresh_database
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st
from laws import law

from sojourn.language.conditions import Calendar, EventFact, Facts, ListHistory, parse, tree
from sojourn.language.conditions.tree import Kind, kind_of, to_text
from sojourn.language.durations import format_duration
from sojourn.language.moments import zone_named
from sojourn.local_time import parse_moment
from sojourn.store.database import Database

pytestmark = pytest.mark.slow

__all__ = ["fresh_database"]

NAMES = ("Product Viewed", "Order Completed")
KEYS = ("price", "tag", "when", "name")
EPOCHS = {"Product Viewed": frozenset({("when",), ("price", "x")})}
ZONES = (None, "UTC", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "America/Havana", "Africa/Cairo", "nowhere", "Etc/GMT-5")
WITHIN = (timedelta(hours=1), timedelta(days=1), timedelta(days=7))

numbers = st.sampled_from([0, 1, -1, 2, 2.5, 0.1, 0.2, 19.99, 100, 1.0])
texts = st.sampled_from(["", "a", "A", "b", "ab", "é", "1", "true", "2026-03-01", "2026-02-22T12:00:00Z", "2026-02", 'q"\\'])
# 2026-11-01 begins twice in Havana, and 2026-04-24 begins at one o'clock in Cairo.
moments = st.sampled_from([
    "2026-03-01T12:00:00+02:00", "2026-03-01 10:00", "2026-02-28T12:00:00.5", "2026-02-28T12:00:00.1234567-14:00", "2026-03-01T05:00:00Z",
    "2026-02-28", "2026-03-02", "2026-11-01", "2026-11-01T04:00:00Z", "2026-04-24", "2026-04-23T22:00Z", "2026-02-30", "2026-03-01T24:00",
])  # fmt: skip
epochs = st.sampled_from([1772366400, 1772366400000, 1772366400.5, 1772366400123, 99999999999, 100000000000, -3e10, -1, 1e15, 1772323200])
scalars = st.one_of(numbers, texts, moments, epochs, st.booleans())
objects = st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2)
json_values = st.one_of(scalars, st.none(), st.lists(scalars, max_size=3), objects)
bodies = st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4)
paths: st.SearchStrategy[tree.Path] = st.one_of(
    st.tuples(st.sampled_from(KEYS)), st.tuples(st.sampled_from(KEYS), st.sampled_from(["x", 0, 1, "a b"]))
)

money = st.dictionaries(st.sampled_from(["revenue", "total"]), st.one_of(numbers, json_values))
happenings = st.builds(
    EventFact,
    st.sampled_from(NAMES),
    st.one_of(
        st.sampled_from([NOW, *(NOW - within for within in WITHIN), NOW + timedelta(hours=1)]),
        st.integers(0, 10 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    ),
    st.one_of(bodies, st.builds(operator.or_, bodies, money)),
)


def event_parts() -> st.SearchStrategy[tree.EventPart]:
    return st.one_of(st.just(tree.EventName()), st.just(tree.EventTime()), paths.map(tree.EventProperty))


@st.composite
def pasts(draw: st.DrawFn, functions: tuple[str, ...]) -> tree.Past:
    function = draw(st.sampled_from(functions))
    of: tree.EventPart | None = None
    if function == "sum":
        of = tree.EventProperty(draw(paths))
    elif function in ("distinct", "first", "last"):
        of = draw(event_parts())
    within = draw(st.one_of(st.none(), st.sampled_from(WITHIN)))
    where = draw(st.one_of(st.none(), conditions(depth=1, nested=True)))
    return tree.Past(
        function,  # type: ignore[arg-type]
        draw(st.sampled_from(NAMES)),
        of,
        within,
        format_duration(within) if within else "",
        where,
        to_text(where) if where is not None else "",
    )


@st.composite
def nets(draw: st.DrawFn) -> tree.Net:
    sold = draw(pasts(("sum",)))
    if draw(st.booleans()):  # so that the other of revenue and total is looked for
        sold = replace(sold, of=tree.EventProperty(draw(st.sampled_from(tree.REFUND_VALUES))))
    (minus,) = (name for name in NAMES if name != sold.event)
    return tree.Net(sold, minus, draw(st.one_of(st.none(), paths.map(tree.EventProperty))))


@st.composite
def values(draw: st.DrawFn, nested: bool, depth: int = 1) -> tree.Node:
    choices: list[st.SearchStrategy[Any]] = [
        scalars.map(tree.Literal),
        event_parts(),
        paths.map(tree.Trait),
        paths.map(tree.Trait),
    ]
    if not nested:
        choices += [pasts(("count", "sum", "distinct", "first", "last", "did")), pasts(("count", "first", "last"))]
        choices += [st.sampled_from(["p", "q"]).map(tree.Score), nets()]
    if depth:
        choices += [days_since(nested), arithmetic(nested)]
    return draw(st.one_of(*choices))


@st.composite
def days_since(draw: st.DrawFn, nested: bool) -> tree.Node:
    of = draw(values(nested, 0))
    return tree.DaysSince(of if kind_of(of) in (Kind.MOMENT, Kind.ANY) else tree.EventTime())


@st.composite
def arithmetic(draw: st.DrawFn, nested: bool) -> tree.Node:
    def number() -> tree.Node:
        node = draw(values(nested, 0))
        return node if kind_of(node) in (Kind.NUMBER, Kind.ANY) else tree.Literal(2)

    return tree.Arithmetic(draw(st.sampled_from("+-*/")), number(), number())  # type: ignore[arg-type]


@st.composite
def comparisons(draw: st.DrawFn, nested: bool) -> tree.Node:
    left, right = draw(values(nested)), draw(values(nested))
    kinds = {kind_of(left), kind_of(right)}
    if len(kinds) == 2 and Kind.ANY not in kinds and kinds != {Kind.MOMENT, Kind.TEXT}:
        right = draw(paths.map(tree.Trait))
    if {kind_of(left), kind_of(right)} == {Kind.MOMENT, Kind.TEXT} and any(isinstance(side, tree.Literal) for side in (left, right)):
        left, right = tree.EventTime(), tree.Literal(draw(moments.filter(lambda text: parse_moment(text) is not None)))
    ordered = Kind.BOOL not in {kind_of(left), kind_of(right)}
    symbols = ["==", "!=", "<", "<=", ">", ">="] if ordered else ["==", "!="]
    return tree.Comparison(draw(st.sampled_from(symbols)), left, right)  # type: ignore[arg-type]


@st.composite
def memberships(draw: st.DrawFn, nested: bool) -> tree.Node:
    left = draw(st.one_of(paths.map(tree.Trait), paths.map(tree.EventProperty)))
    right = draw(
        st.one_of(
            st.lists(scalars.map(tree.Literal), max_size=3).map(lambda items: tree.ListOf(tuple(items))),
            paths.map(tree.Trait),
            paths.map(tree.EventProperty),
            texts.map(tree.Literal),
            st.nothing() if nested else pasts(("first", "last")).filter(lambda past: kind_of(past) is Kind.ANY),
        )
    )
    left = draw(st.sampled_from([left, tree.EventTime(), tree.Literal("a"), tree.Literal(1)]))
    if isinstance(right, tree.ListOf | tree.Literal) and kind_of(left) not in (Kind.ANY, kind_of(right)):
        left = tree.Trait(("tag",))
    return tree.Membership(left, right, draw(st.booleans()))


@st.composite
def bare(draw: st.DrawFn, nested: bool) -> tree.Node:
    choices = [paths.map(tree.Trait), paths.map(tree.EventProperty), st.booleans().map(tree.Literal)]
    if not nested:
        choices += [
            pasts(("did", "count", "sum", "first")),
            nets(),
            st.just(tree.Segment("frequent")),
            st.just(tree.Segment("nested")),
            st.builds(tree.Engagement, st.sampled_from(["reminder", "offer"]), st.sampled_from(["opened", "clicked"])),
        ]
    return draw(st.one_of(*choices))


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2, nested: bool = False) -> tree.Node:
    leaves = [comparisons(nested), comparisons(nested), memberships(nested), bare(nested)]
    leaves.append(st.one_of(paths.map(tree.Trait), paths.map(tree.EventProperty)).map(tree.Defined))
    if not depth or draw(st.booleans()):
        return draw(st.one_of(*leaves))
    items = tuple(draw(st.lists(conditions(depth - 1, nested), min_size=2, max_size=3)))
    kind = draw(st.sampled_from(["and", "or", "not", "at_least"]))
    if kind == "not":
        return tree.Not(items[0])
    if kind == "at_least":
        return tree.AtLeast(draw(st.integers(1, len(items))), items)
    # an and inside an and reads as one
    same: type[tree.And] | type[tree.Or] = tree.And if kind == "and" else tree.Or
    flat = tuple(part for item in items for part in (item.items if isinstance(item, same) else (item,)))
    return same(flat)


SEGMENTS = {
    "frequent": parse('count("Product Viewed", within="7d") >= 2 or event.price > 1'),
    "nested": parse('segment.frequent and not profile.tag == "a"'),
}


@st.composite
def lives(draw: st.DrawFn) -> Facts:
    past = sorted(draw(st.lists(happenings, max_size=6)), key=lambda each: each.time)
    return Facts(
        now=NOW,
        event=draw(st.one_of(st.none(), happenings)),
        profile=draw(bodies),
        scores=draw(st.dictionaries(st.sampled_from(["p", "q"]), st.sampled_from([0.0, 0.5, 1.0]))),
        engaged=draw(st.dictionaries(st.just("reminder"), st.frozensets(st.sampled_from(["opened", "clicked"])))),
        history=ListHistory(past),
        calendar=Calendar(zone_named(draw(st.sampled_from(["UTC", "Europe/Berlin"]))), EPOCHS),
    )


HASTY = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@law(120, alike=False, suppress_health_check=HASTY)
@given(node=conditions(), facts=lives(), zone=st.sampled_from(ZONES))
def test_the_closure_and_sql_give_the_same_answer(database: Database, node: tree.Node, facts: Facts, zone: str | None) -> None:
    condition = parse(to_text(node)).by(facts.calendar)
    held = condition.holds(replace(facts, calendar=facts.calendar.of(zone)), SEGMENTS)
    event(f"holds: {held}")
    assert ask_sql(database, condition, facts, SEGMENTS, zone) == held


@st.composite
def beside_moments(draw: st.DrawFn) -> tree.Node:
    """A comparison of what may be a moment with what is one, or looks like one."""
    one = draw(st.one_of(
        paths.map(tree.Trait), paths.map(tree.EventProperty), moments.map(tree.Literal), st.just(tree.Now()),
        st.builds(lambda path, name: tree.Past("last", name, tree.EventProperty(path)), paths, st.sampled_from(NAMES)),
    ))  # fmt: skip
    other = draw(st.one_of(st.one_of(moments, texts).map(tree.Literal), paths.map(tree.Trait), paths.map(tree.EventProperty)))
    if Kind.MOMENT in (kind_of(one), kind_of(other)) and isinstance(other, tree.Literal) and parse_moment(str(other.value)) is None:
        other = tree.Literal("2026-03-01")
    if draw(st.booleans()):
        return tree.Comparison(draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="])), one, other)
    counted = tree.Comparison(draw(st.sampled_from(["<", ">="])), tree.EventProperty(draw(paths)), other)
    if not isinstance(other, tree.Literal | tree.Trait):
        return tree.Membership(one, draw(paths.map(tree.Trait)), draw(st.booleans()))
    return tree.Past("did", draw(st.sampled_from(NAMES)), where=counted, where_text=to_text(counted))


@law(250, alike=False, suppress_health_check=HASTY)
@given(node=beside_moments(), facts=lives(), zone=st.sampled_from(ZONES))
def test_moments_are_the_same_to_the_closure_and_to_sql_in_any_zone_and_as_numbers(
    database: Database, node: tree.Node, facts: Facts, zone: str | None
) -> None:
    condition = parse(to_text(node)).by(facts.calendar)
    held = condition.holds(replace(facts, calendar=facts.calendar.of(zone)), SEGMENTS)
    event(f"holds: {held}")
    assert ask_sql(database, condition, facts, SEGMENTS, zone) == held


@pytest.mark.storeless
@law(120, alike=False, suppress_health_check=HASTY)
@given(node=conditions(), facts=lives())
def test_an_explanation_comes_to_what_holds(node: tree.Node, facts: Facts) -> None:
    condition = parse(to_text(node))
    explanation = condition.explain(facts, SEGMENTS)
    assert explanation.holds == condition.holds(facts, SEGMENTS)
    assert set(map(str, explanation.deciding)) <= set(map(str, explanation.leaves))
    assert explanation.sentence()


@pytest.mark.storeless
@law(120, alike=False, suppress_health_check=HASTY)
@given(node=conditions(), facts=lives())
def test_a_condition_or_its_not_holds(node: tree.Node, facts: Facts) -> None:
    condition, negated = parse(to_text(node)), parse(f"not ({to_text(node)})")
    assert condition.holds(facts, SEGMENTS) != negated.holds(facts, SEGMENTS)


@pytest.mark.storeless
@law(120, alike=False, suppress_health_check=HASTY)
@given(node=conditions())
def test_text_and_tree_are_each_others_inverse(node: tree.Node) -> None:
    assert parse(to_text(node)).tree == node


DEEP = "event.at < profile.when"
for _number in range(4):
    DEEP = f"event.x{_number} {'or' if _number % 2 else 'and'} ({DEEP})"


@pytest.mark.parametrize(
    "text",
    [
        f'days_since(profile.when) + 1 <= days_since(first("A", "when", where="{DEEP}"))',
        f'did("B") and (did("A") or days_since(profile.when) + 1 <= days_since(first("A", "when", where="{DEEP}")))',
    ],
)
def test_a_condition_as_deep_as_may_be_is_asked_in_sql(database: Database, text: str) -> None:
    nobody = Facts(now=NOW, history=ListHistory([]))
    assert ask_sql(database, parse(text), nobody, SEGMENTS) is False  # where a moment was read in SQL, SQLite's parser overflowed
