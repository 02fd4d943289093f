"""profile.yaml through every room: computed traits in a filter, a branch, a segment and a mail; a move starts a journey."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from shop_definitions import EMAIL, NOTE, journey

from sojourn.language.problems import DefinitionError
from sojourn.testing import Shop

PROFILE = """\
observe: [usual_device, place]
traits:
  email: {type: text, personal: contact, normalise: email}
  birth_date: {type: date, personal: demographic, normalise: date}
  plan: {type: text, personal: behaviour}
computed:
  orders: count("Order Completed")
  revenue_90d: sum("Order Completed", "revenue", within="90d")
  last_order_at: last("Order Completed")
  days_since_order: days_since(profile.last_order_at)
  recent_high_value_purchase: profile.revenue_30d >= 200
  revenue_30d: sum("Order Completed", "revenue", within="30d")
  age_bracket: {of: days_since(profile.birth_date) / 365.2425, bands: [18, 25, 35]}
"""
LOYAL = "segment: loyal\ndescription: Ordered twice or more.\nmembers: profile.orders >= 2 and profile.days_since_order < 30\n"
BRANCH = """\
enter: {on: Began, if: profile.orders > 0}
steps:
- if: profile.recent_high_value_purchase and segment.loyal
  then: [end: loyal_and_dear]
- if: profile.age_bracket == "25-34"
  then: [end: young]
- if: profile.usual_device == "mobile"
  then: [end: mobile]
- end: other
"""
MOVED = 'enter: {on: Location Changed, if: event.from_country == "DE"}\nsteps: [{set: {plan: "  abroad"}}, {send: card}, {end: moved}]\n'
CARD = NOTE.replace("Hello", "You ordered {{ profile.orders }} times, in {{ profile.city }}. Hello")
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148"


def folder_of(path: Path, profile: str = PROFILE) -> Path:
    (path / "profile.yaml").write_text(profile)
    return path


@pytest.fixture(name="shop")
def open_shop(tmp_path: Path) -> Iterator[Shop]:
    journeys = [journey("branching", BRANCH), journey("moving", MOVED)]
    with Shop(journeys_dir=folder_of(tmp_path), journeys=journeys, segments=[LOYAL], contents={"card": CARD}) as shop:
        shop.identify("ada", EMAIL)
        yield shop


def order(shop: Shop, revenue: int, days_ago: int = 0) -> None:
    shop.track("ada", "Order Completed", {"revenue": revenue}, at=shop.now - timedelta(days=days_ago))


def test_a_filter_reads_a_computed_trait(shop: Shop) -> None:
    shop.track("ada", "Began")
    assert shop.outcome("ada", "branching") == "never entered"


def test_a_branch_reads_computed_traits_and_segments_made_of_them(shop: Shop) -> None:
    order(shop, 150, days_ago=20)
    order(shop, 60, days_ago=5)
    shop.track("ada", "Began")
    assert shop.outcome("ada", "branching") == "loyal_and_dear"


def test_a_window_passes_for_a_computed_trait_as_for_any_condition(shop: Shop) -> None:
    order(shop, 150, days_ago=40)
    order(shop, 60, days_ago=5)
    shop.identify("ada", {"birth_date": "3.4.1996"})
    shop.track("ada", "Began")
    assert shop.outcome("ada", "branching") == "young"


def test_a_branch_reads_what_was_observed(shop: Shop) -> None:
    order(shop, 10)
    shop.track("ada", "Began", context={"userAgent": PHONE})
    assert shop.outcome("ada", "branching") == "mobile"


def test_a_move_starts_a_journey_whose_mail_speaks_of_computed_and_observed_traits(shop: Shop) -> None:
    order(shop, 10)
    shop.identify("ada", {"address": {"city": "Berlin", "country": "Germany"}})
    shop.advance("1h")
    shop.identify("ada", {"address": {"city": "Vienna", "country": "Austria"}})
    assert shop.outcome("ada", "moving") == "moved"
    assert "You ordered 1 times, in Vienna." in shop.inbox("ada")[0].text
    assert shop.profile("ada").traits["plan"] == "  abroad"


def test_what_a_journey_asks_of_computed_and_dropped_traits_is_checked(tmp_path: Path) -> None:
    strict = PROFILE.replace("observe:", "undeclared: drop\nobserve:")
    bad = (
        "enter: {on: Began, if: profile.plann == 'x'}\nsteps:\n- set: {orders: 3}\n- set: {zzz: red}\n"
        "- if: profile.orders.first > 1\n  then: [end: one]\n- if: profile.age_bracket == '18-25'\n  then: [end: two]\n- end: other\n"
    )
    with pytest.raises(DefinitionError) as caught:
        Shop(journeys_dir=folder_of(tmp_path, strict), journeys=[journey("wrong", bad)])
    found = "\n".join(problem.message for problem in caught.value.problems)
    for sentence in (
        "unknown trait `plann`; did you mean `plan`?",
        "`orders` is computed from history (profile.yaml); set a trait of another name",
        "unknown trait `zzz`; there are",
        "profile.orders.first: orders is computed and has no parts",
        'profile.age_bracket has no such band; there are "under 18", "18-24"',
    ):
        assert sentence in found
