"""Computed traits mean the same however they are asked: read lazily, or put into the tree, as a closure or as SQL."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from condition_asking import NOW, ask_sql, fresh_database
from hypothesis import HealthCheck, assume, event, given
from hypothesis import strategies as st
from laws import law
from test_condition_equivalence import KEYS, SEGMENTS, conditions, lives

from sojourn.customers.computed import ProfileFacts
from sojourn.language.conditions import ConditionError, EventFact, Facts, ListHistory, parse, tree
from sojourn.language.conditions.expression import computed_cycle, expand, expand_all, expand_condition, parse_value
from sojourn.language.conditions.tree import to_text
from sojourn.language.loader import load_profile
from sojourn.language.profile_model import labels
from sojourn.store.database import Database

pytestmark = pytest.mark.slow

__all__ = ["fresh_database"]

WRITTEN = (
    'count("Product Viewed", within="7d")',
    'sum("Order Completed", "price")',
    'first("Order Completed", "tag")',
    'last("Product Viewed")',
    'last("Product Viewed", "name")',
    'distinct("Order Completed", "price", within="1d")',
    'days_since(last("Order Completed"))',
    'did("Order Completed", within="7d") and not did("Product Viewed", within="1d")',
    'sum("Order Completed", "price", within="7d", where="event.tag == profile.other") >= 2',
    'sum("Order Completed", "price", minus="Product Viewed", where="event.tag == profile.other")',
    'sum("Order Completed", "revenue", minus="Product Viewed", within="7d", where="event.price > profile.other") >= 1',
    "profile.other",
    "profile.other * 2 + 1",
    "profile.other == 1 or profile.nobody is defined",
    'count("Product Viewed", where="event.price > profile.other")',
    "5",
    '"a"',
    "true",
    "now",
)
texts = st.sampled_from(WRITTEN)
computed_traits = st.dictionaries(st.sampled_from(KEYS), texts, min_size=1, max_size=3)
HASTY = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@law(150, alike=False, suppress_health_check=HASTY)
@given(node=conditions(), facts=lives(), written=computed_traits, other=st.sampled_from([*KEYS, "nobody"]))
def test_lazy_reading_expansion_and_sql_give_the_same_answer(
    database: Database, node: tree.Node, facts: Facts, written: dict[str, str], other: str
) -> None:
    computed = {name: parse_value(text.replace("profile.other", f"profile.{other}")) for name, text in written.items()}
    assume(computed_cycle({name: its.tree for name, its in computed.items()}) is None)
    try:
        trees = expand_all({name: its.tree for name, its in computed.items()})
        condition = parse(to_text(node))
        expanded = expand_condition(condition, trees)
        segments = {name: expand_condition(segment, trees) for name, segment in SEGMENTS.items()}
    except ConditionError:  # it asks for a part of a number
        assume(False)
        raise
    lazy = replace(facts, profile=ProfileFacts(facts.profile, computed, facts.history, facts.now))
    held = condition.holds(lazy, SEGMENTS)
    event(f"asks for a computed trait: {expanded is not condition}")
    event(f"holds: {held}")
    assert expanded.holds(facts, segments) == held
    assert ask_sql(database, expanded, facts, segments) == held


AGES = load_profile("computed: {age: days_since(profile.when) / 365.2425, bracket: {of: profile.age, bands: [18, 25, 35]}}")
BANDS = ("under 18", "18-24", "25-34", "35+")


@law(150, alike=False, suppress_health_check=HASTY)
@given(
    when=st.one_of(st.none(), st.just("soon"), st.integers(0, 60 * 365).map(lambda days: (NOW - timedelta(days=days)).date().isoformat())),
    asked=st.sampled_from([
        *(f'profile.bracket == "{band}"' for band in BANDS), 'profile.bracket != "25-34"', '"18-24" == profile.bracket',
        'profile.bracket in ["18-24", "35+"]', 'profile.bracket not in ["under 18"]', "profile.bracket is defined",
        'not (profile.bracket == "35+") and profile.age > 3',
    ]),
)  # fmt: skip
def test_a_band_means_the_same_in_every_way_of_asking(database: Database, when: str | None, asked: str) -> None:
    facts = Facts(now=NOW, profile={} if when is None else {"when": when}, history=ListHistory([]))
    lazy = replace(facts, profile=ProfileFacts(facts.profile, AGES.expressions, facts.history, NOW))
    condition = parse(asked)
    expanded = expand_condition(condition, AGES.trees)
    held = condition.holds(lazy)
    assert expanded.holds(facts) == held
    assert ask_sql(database, expanded, facts, {}) == held


@pytest.mark.parametrize(("years", "band"), [(17.9, "under 18"), (18.1, "18-24"), (24.9, "18-24"), (34.9, "25-34"), (80, "35+")])
def test_a_bracket_changes_with_the_years(years: float, band: str) -> None:
    born = (NOW - timedelta(days=years * 365.2425)).date().isoformat()
    assert ProfileFacts({"when": born}, AGES.expressions, ListHistory([]), NOW)["bracket"] == band


def test_a_computed_trait_is_worked_out_once_and_only_when_it_is_asked_for() -> None:
    asked: list[str] = []

    class Counting:
        def events(self, name: str, after: object, until: object) -> list[EventFact]:
            asked.append(name)
            return []

    computed = {"orders": parse_value('count("Order Completed")'), "last_view": parse_value('last("Product Viewed")')}
    profile = ProfileFacts({"plan": "pro", "orders": 9}, computed, Counting(), NOW)
    assert profile["plan"] == "pro"
    assert asked == []
    assert (profile["orders"], profile["orders"]) == (0, 0), "what is computed stands before what was said"
    assert asked == ["Order Completed"]
    assert "last_view" not in profile
    assert dict(profile) == {"plan": "pro", "orders": 0}


def test_a_part_of_what_is_computed_is_asked_where_there_can_be_one() -> None:
    trees = expand_all({"order": parse_value('last("Order Completed", "cart")').tree, "plan": parse_value("profile.subscription").tree})
    assert to_text(expand(parse("profile.order.items[0].sku == profile.plan.name").tree, trees)) == (
        'last("Order Completed", "cart.items[0].sku") == profile.subscription.name'
    )
    with pytest.raises(ConditionError, match="computed and has no parts"):
        expand(parse("profile.orders.x == 1").tree, {"orders": parse_value('count("Order Completed")').tree})


def test_a_band_can_be_asked_only_as_one_of_its_kind() -> None:
    with pytest.raises(ConditionError, match='no such band; there are "under 18", "18-24"'):
        expand(parse('profile.bracket == "18-25"').tree, AGES.trees)
    with pytest.raises(ConditionError, match="can be asked by ==, != or in"):
        expand(parse('profile.bracket < "35+"').tree, AGES.trees)


def test_what_grows_without_bound_is_refused() -> None:
    trees = {"t0": parse_value('count("A") + 1').tree}
    trees |= {f"t{i}": parse_value(f"profile.t{i - 1} + profile.t{i - 1}").tree for i in range(1, 9)}
    with pytest.raises(ConditionError, match=r"comes to more than|nested too deeply"):
        expand_all(trees)


def test_every_trait_has_a_label() -> None:
    found = labels(
        load_profile("""
observe: [place, usual_hour]
traits: {email: {type: text, personal: contact}, country: {type: text, personal: none}}
computed: {orders: 'count("Order Completed")'}
""")
    )
    assert found == {
        "email": "contact", "country": "none", "city": "location", "region": "location", "usual_hour": "behaviour", "orders": "behaviour",
    }  # fmt: skip
