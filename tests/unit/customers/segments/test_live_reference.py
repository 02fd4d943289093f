"""Live membership is at every second what going through everything anew would find."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from laws import law
from reference_segments import Happened, Known, Rule, holds, written
from sqlalchemy import select

from sojourn.customers.segments import ENTERED
from sojourn.store.tables import events as events_table
from sojourn.testing import Shop

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
HORIZON = 90  # seconds
NAMES = ("Looked", "Bought")
PEOPLE = ("ada", "bob")
VISITOR = "visitor"  # who turns out to be ada, if at all

names, windows, few = st.sampled_from(NAMES), st.sampled_from([3, 10, 25, 60]), st.integers(1, 3)
windows_or_ever = st.one_of(st.none(), windows)
leaves = st.one_of(
    st.tuples(st.just("did"), names, windows_or_ever),
    st.tuples(st.just("count"), names, windows_or_ever, few),
    st.tuples(st.just("dear"), names, windows_or_ever, few),
    st.tuples(st.just("sum"), names, windows_or_ever, st.integers(1, 20)),
    st.permutations(NAMES).flatmap(lambda two: st.tuples(st.just("net"), *map(st.just, two), windows_or_ever, st.integers(-5, 10))),
    st.tuples(st.just("kinds"), names, windows_or_ever, few),
    st.tuples(st.just("last_price"), names, st.integers(1, 8)),
    st.tuples(st.just("silent"), names, windows),
    st.tuples(st.just("fresh"), names, windows),
    st.tuples(st.just("trait"), st.sampled_from(["gold", "tin"])),
)


def rules(segments: tuple[str, ...]) -> st.SearchStrategy[Rule]:
    some = leaves if not segments else st.one_of(leaves, st.tuples(st.just("in"), st.sampled_from(segments)))
    return st.recursive(
        some,
        lambda inner: st.one_of(
            st.tuples(st.just("not"), inner),
            st.tuples(st.sampled_from(["and", "or"]), inner, inner),
            st.tuples(st.just("two of"), inner, inner, inner),
        ),
        max_leaves=4,
    )


@st.composite
def shops(draw: st.DrawFn) -> dict[str, Rule]:
    found: dict[str, Rule] = {}
    for name in ("s0", "s1", "s2"):
        found[name] = draw(rules(tuple(found)))
    return found


@dataclass(frozen=True)
class Act:
    """Something that someone does, or a deployment, at a second."""

    second: int
    who: str = ""
    name: str = ""  # an event; "" says a plan, "known" that the visitor is ada
    late: int = 0
    price: int = 0
    plan: str = ""
    edited: tuple[tuple[str, Rule], ...] = ()


@st.composite
def acts(draw: st.DrawFn) -> list[Act]:
    found = []
    for second in sorted(draw(st.lists(st.integers(0, 60), min_size=3, max_size=14))):
        who = draw(st.sampled_from([*PEOPLE, VISITOR]))
        what = draw(st.integers(0, 9))
        if what < 6:
            late = draw(st.sampled_from([0, 0, 0, 2, 7, 20]))
            found.append(Act(second, who, draw(names), late=late, price=draw(st.integers(1, 8))))
        elif what < 8:
            found.append(Act(second, who, plan=draw(st.sampled_from(["gold", "tin"]))))
        elif what == 8:
            found.append(Act(second, "ada", "known"))
        else:
            found.append(Act(second, edited=tuple(draw(shops()).items())))
    return found


class Reference:
    """The people as the test knows them."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        self.rules = rules
        self.known: dict[str, Known] = {}

    def act(self, i: int, act: Act) -> None:
        if act.edited:
            self.rules = dict(act.edited)
            return
        who = "ada" if act.who == VISITOR and self.known.get(VISITOR) is self.known.get("ada") is not None else act.who
        person = self.known.setdefault(who, Known())
        if act.name == "known":
            visitor = self.known.setdefault(VISITOR, person)
            if visitor is not person:
                person.events += visitor.events
                if visitor.plan is not None and (person.plan is None or visitor.plan > person.plan):
                    person.plan = visitor.plan
                self.known[VISITOR] = person
        elif act.name:
            person.events.append(Happened(act.second - act.late, act.name, act.price, f"m{i:02}"))
        elif person.plan is None or (act.second, act.plan) > person.plan:
            person.plan = (act.second, act.plan)

    def members(self, second: int) -> dict[str, set[str]]:
        people = {name: known for name, known in self.known.items() if not (name == VISITOR and known is self.known.get("ada"))}
        return {s: {name for name, known in people.items() if holds(rule, known, second, self.rules)} for s, rule in self.rules.items()}


def do(shop: Shop, i: int, act: Act) -> None:
    user, visitor = (None, VISITOR) if act.who == VISITOR else (act.who, None)
    if act.edited:
        shop.deploy(segments=segments_of(dict(act.edited)))
    elif act.name == "known":
        shop.identify("ada", anonymous_id=VISITOR, consent=(), message_id=f"m{i:02}")
    elif act.name:
        at = shop.now - timedelta(seconds=act.late)
        shop.track(user, act.name, {"price": act.price}, at=at, message_id=f"m{i:02}", anonymous_id=visitor)
    else:
        shop.identify(user, {"plan": act.plan}, anonymous_id=visitor, consent=(), message_id=f"m{i:02}")


def segments_of(rules: dict[str, Rule]) -> list[str]:
    return [f"segment: {name}\ndescription: One of the test.\nmembers: '{written(rule)}'\n" for name, rule in rules.items()]


@law(40, suppress_health_check=list(HealthCheck))
@given(shops(), acts())
def test_at_every_second_membership_is_what_going_through_the_whole_history_finds(defined: dict[str, Rule], course: list[Act]) -> None:
    reference = Reference(defined)
    compared = 0
    with Shop(segments=segments_of(defined), start=START) as shop:
        coming = list(enumerate(course))
        for second in range(HORIZON):
            shop.advance_to(START + timedelta(seconds=second))
            while coming and coming[0][1].second == second:
                i, act = coming.pop(0)
                do(shop, i, act)
                reference.act(i, act)
            expected = reference.members(second)
            assert {name: set(shop.members(name)) for name in expected} == expected, second
            compared += len(expected)
        told = shop._read(segment_events)
    assert compared == HORIZON * 3
    if not any(act.name == "known" for act in course):  # else what was told of the visitor is ada's now
        each_comes_and_goes_in_turn(told)


def segment_events(connection: Any) -> list[tuple[str, str, str]]:
    """Person, segment and what happened, in the order in which it was told."""
    query = select(events_table.c.profile_id, events_table.c.name, events_table.c.properties)
    found = connection.execute(query.where(events_table.c.name.like("Segment %")).order_by(events_table.c.seq))
    return [(row.profile_id, row.properties["segment"], row.name) for row in found]


def each_comes_and_goes_in_turn(told: list[tuple[str, str, str]]) -> None:
    turns: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person, segment, name in told:
        turns[person, segment].append(name)
    for key, names_ in turns.items():
        assert names_[0] == ENTERED, key
        assert all(one != other for one, other in pairwise(names_)), (key, names_)
