"""The laws of the moment at which a condition can come out otherwise by itself, over generated conditions and lives."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, event, example, given, reject
from hypothesis import strategies as st
from laws import law
from sqlalchemy import Connection, delete, insert, select

sys.path.insert(0, str(Path(__file__).parents[2] / "language"))
from condition_asking import NEIGHBOURS, ask_together
from test_condition_equivalence import NOW, SEGMENTS, WITHIN, conditions, lives, moments, numbers, pasts, paths

from sojourn.language.conditions import Condition, ConditionError, EventFact, Facts, ListHistory, parse, tree
from sojourn.language.conditions.calendar import Calendar
from sojourn.language.conditions.condition import LOOKAHEAD
from sojourn.language.conditions.tree import to_text
from sojourn.language.conditions.turning import unreckonable
from sojourn.language.conditions.values import as_moment, reckon
from sojourn.language.durations import format_duration
from sojourn.store.database import Database
from sojourn.store.tables import events, profiles
from sojourn.store.types import to_micros

pytestmark = pytest.mark.slow

SOON = tuple(timedelta(microseconds=step) for step in range(-3, 4))
HASTY = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much]
DAY = timedelta(days=1)


ORDER = st.sampled_from(["<", "<=", ">", ">="])
a_moment = st.one_of(
    pasts(("first", "last")).map(lambda past: replace(past, of=tree.EventTime())),
    pasts(("first", "last")).filter(lambda past: tree.kind_of(past) is tree.Kind.ANY),
    paths.map(tree.Trait),
)


@st.composite
def running(draw: st.DrawFn) -> tree.Node:
    """A number that runs with the time."""
    days: tree.Node = tree.DaysSince(draw(a_moment))
    for _ in range(draw(st.integers(0, 2))):
        number, symbol = tree.Literal(draw(numbers)), draw(st.sampled_from("+-*/"))
        left, right = (days, number) if symbol == "/" or draw(st.booleans()) else (number, days)
        days = tree.Arithmetic(symbol, left, right)  # type: ignore[arg-type]
    return days


def _windowed(past: tree.Past, within: timedelta) -> tree.Past:
    return replace(past, within=within, within_text=format_duration(within))


@st.composite
def timely(draw: st.DrawFn, depth: int = 2) -> tree.Node:
    """A condition most parts of which can turn by themselves."""
    windows = st.builds(_windowed, pasts(("did", "count")), st.sampled_from(WITHIN))
    leaves: list[st.SearchStrategy[tree.Node]] = [
        windows,
        st.builds(tree.Comparison, ORDER, windows.map(lambda past: replace(past, function="count")), numbers.map(tree.Literal)),
        st.builds(tree.Comparison, ORDER, running(), numbers.map(tree.Literal)),
        st.builds(tree.Comparison, ORDER, numbers.map(tree.Literal), running()),
        st.builds(tree.Comparison, ORDER, st.just(tree.Now()), st.one_of(a_moment, moments.map(tree.Literal))),
        st.builds(tree.Comparison, ORDER, running(), running()),
        st.builds(tree.Segment, st.sampled_from(["frequent", "nested"])),
        conditions(depth=0),
    ]
    if not depth or draw(st.integers(0, 2)) == 0:
        return draw(st.one_of(*leaves))
    items = tuple(draw(st.lists(timely(depth - 1), min_size=2, max_size=3)))
    kind = draw(st.sampled_from([tree.And, tree.Or, tree.Not, tree.AtLeast]))
    if kind is tree.Not:
        return tree.Not(items[0])
    return tree.AtLeast(draw(st.integers(1, len(items))), items) if kind is tree.AtLeast else kind(items)


def nodes(node: tree.Node) -> Iterator[tree.Node]:
    yield node
    for child in tree.children(node):
        yield from nodes(child)


def plain(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from plain(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from plain(inner)
    else:
        yield value


def candidates(node: tree.Node, facts: Facts) -> list[datetime]:
    """Every moment near which something that a condition can read of these facts may turn, found without the product's turns."""
    happened = [*facts.history.all, *([facts.event] if facts.event else [])]  # type: ignore[attr-defined]
    written = [each.value for each in nodes(node) if isinstance(each, tree.Literal)]
    values = [*plain(dict(facts.profile)), *(value for one in happened for value in plain(dict(one.properties))), *written]
    values += facts.scores.values()
    moments = {one.time for one in happened} | {found for value in values if (found := as_moment(value)) is not None} | {NOW}
    numbers = {float(value) for value in values if type(value) in (int, float)} | {float(n) for n in range(len(happened) + 1)}
    reckons = any(isinstance(each, tree.Arithmetic) for each in nodes(node))
    pairs = product(numbers, numbers) if reckons else ()
    reckoned = {made for one, other in pairs for symbol in "+-*/" if (made := reckon(symbol, one, other)) is not None}
    spans = [*WITHIN, *(DAY * days for days in sorted(numbers | reckoned) if abs(days) < 10_000)]
    turns = {moment + span for moment in moments for span in spans} | moments
    between = {NOW + span / 3 for span in (*WITHIN, DAY * 30)}
    return sorted({turn + step for turn in turns | between for step in SOON if turn + step > NOW})


def lived(facts: Facts) -> Facts:
    """The same life without what is still to come: what nobody knows yet turns nothing by itself."""
    assert isinstance(facts.history, ListHistory)
    return replace(facts, history=ListHistory([one for one in facts.history.all if one.time <= NOW]))


def reckonable(node: tree.Node) -> Condition:
    assume(not list(unreckonable(node)))
    try:
        return parse(to_text(node))
    except ConditionError:  # two kinds beside each other that never compare
        reject()


seen = Facts(
    now=NOW,
    profile={"when": "2026-03-01T12:00:00.000001Z"},
    history=ListHistory([EventFact("Order Completed", NOW - timedelta(minutes=7, microseconds=1), {})]),
)
CROSSING = [
    parse(text).tree
    for text in (
        'days_since(last("Order Completed")) >= 2.5 and not did("Product Viewed", within="1h")',
        'days_since(last("Order Completed")) > 0.1',
        '2 - days_since(first("Order Completed")) / 3 <= 0.1',
        'days_since(last("Order Completed")) * 24 < 1',
        "now > profile.when",
        "now < profile.when",
    )
]


def crossing(test: Any) -> Any:
    """Add lives in which a value surely passes what it is compared with."""
    for node in CROSSING:
        test = example(node=node, facts=seen)(test)
    return test


@pytest.mark.storeless
@law(80, suppress_health_check=HASTY)
@given(node=timely(), facts=lives())
@crossing
def test_nothing_turns_by_itself_before_the_moment_that_is_given(node: tree.Node, facts: Facts) -> None:
    condition, facts = reckonable(node), lived(facts)
    moment = condition.changes_at(facts, SEGMENTS)
    event(f"turns: {moment is not None}")
    held = condition.holds(facts, SEGMENTS)
    assert moment is None or moment > NOW
    for at in candidates(node, facts):
        if moment is None or at < moment:
            assert condition.holds(replace(facts, now=at), SEGMENTS) is held, at


@pytest.mark.storeless
@law(80, suppress_health_check=HASTY)
@given(node=timely(), facts=lives())
@crossing
def test_the_moment_that_is_given_turns_it_unless_many_turns_in_a_row_turn_nothing(node: tree.Node, facts: Facts) -> None:
    condition, facts = reckonable(node), lived(facts)
    moment = condition.changes_at(facts, SEGMENTS)
    event(f"turns: {moment is not None}")
    if moment is None:
        return
    assert condition.turn is not None
    held, turns, at = condition.holds(facts, SEGMENTS), 0, facts
    while (following := condition.turn(at.event, at, SEGMENTS)) is not None and following <= moment:
        turns, at = turns + 1, replace(at, now=following)
    turned = condition.holds(replace(facts, now=moment), SEGMENTS) is not held
    event(f"turned: {turned}")
    assert turned or turns >= LOOKAHEAD


# -- in SQL ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="database")
def fresh_database() -> Database:
    found = Database("sqlite://")
    return found


def ask_turn(connection: Connection, condition: Condition, facts: Facts) -> int | None:
    """What the database gives as the next turn for a life that is written there for the question only."""
    asked = condition.sql_turn(NOW, SEGMENTS)
    if asked is None:
        return None
    assert isinstance(facts.history, ListHistory)
    connection.execute(insert(profiles).values(id="p1", traits=dict(facts.profile), first_seen=NOW, last_seen=NOW))
    rows = [
        {"id": f"e{i}", "seq": i, "profile_id": "p1", "kind": "track", "name": e.name, "time": e.time, "properties": dict(e.properties)}
        for i, e in enumerate(facts.history.all)
    ]
    if rows:
        connection.execute(insert(events), rows)
    found = connection.execute(select(asked).select_from(profiles)).scalar_one()
    for others in ([], NEIGHBOURS):
        together = ask_together(connection, condition, others, lambda one, shared: one.sql_turn(NOW, SEGMENTS, shared))
        assert together == found, "asked beside others it says the same"
    connection.execute(delete(events))
    connection.execute(delete(profiles))
    return int(found)


@law(100, alike=False, suppress_health_check=HASTY)
@given(node=timely(), facts=lives())
@example(node=parse('now < "2026-03-02"').tree, facts=replace(seen, calendar=Calendar(ZoneInfo("Europe/Berlin"))))
@crossing
def test_the_turn_in_sql_is_never_later_than_it_turns(database: Database, node: tree.Node, facts: Facts) -> None:
    facts = replace(lived(facts), event=None, scores={}, engaged={})  # as a segment is asked
    condition = reckonable(node).by(facts.calendar)
    asked = database.write_now(ask_turn, condition, facts)
    assert asked is None or asked > to_micros(NOW)
    moment = condition.changes_at(facts, SEGMENTS)
    event(f"turns: {moment is not None}, asked: {asked is not None}")
    if moment is not None and condition.holds(replace(facts, now=moment), SEGMENTS) is not condition.holds(facts, SEGMENTS):
        assert asked is not None
        assert asked <= to_micros(moment)
