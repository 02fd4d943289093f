"""What is recommended: never what was just bought or cannot be bought, always the same, always with its because."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sojourn.language.catalog_model import Catalog, Item, Match, RecommendationSettings, Rule
from sojourn.language.conditions import EventFact, Facts, ListHistory
from sojourn.prediction.recommending import ByRules, bought_when

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def item(name: str, category: str = "tea", **more: object) -> Item:
    return Item(id=name, name=name.title(), url=f"https://shop.example/{name}", category=category, **more)  # type: ignore[arg-type]


CATALOG = Catalog({each.id: each for each in (
    item("green"), item("black"), item("mint", in_stock=False), item("rare", stock=0),
    item("mug", "table"), item("jug", "table"), item("comb", "care"),
)})  # fmt: skip
SETTINGS = RecommendationSettings(
    rules=(
        Rule(bought=Match(item="mug"), then=("jug", "green")),
        Rule(bought=Match(category="tea"), then=Match(category="tea"), within="60d"),
    ),
    best_sellers=("comb", "mug", "mint"),
    not_again_for="30d",
)
RULES = ByRules(CATALOG, SETTINGS)


def ordered(*names: str, days: float = 1) -> EventFact:
    return EventFact("Order Completed", NOW - timedelta(days=days), {"products": [{"product_id": name} for name in names]})


def facts(*orders: EventFact, event: EventFact | None = None) -> Facts:
    return Facts(now=NOW, history=ListHistory(sorted(orders, key=lambda each: each.time)), event=event)


def names(*orders: EventFact, n: int = 5, event: EventFact | None = None) -> list[str]:
    return [each.item.id for each in RULES.recommend(facts(*orders, event=event), n)]


def test_rules_go_first_in_their_order_and_best_sellers_fill_what_is_left() -> None:
    assert names(ordered("mug", "black", days=40)) == ["jug", "green", "black", "comb", "mug"]
    assert names() == ["comb", "mug"]
    assert names(n=1) == ["comb"]


def test_what_was_bought_within_the_declared_time_is_not_shown_again() -> None:
    assert "mug" not in names(ordered("mug", days=29))
    assert "mug" in names(ordered("mug", days=31))


def test_a_purchase_that_began_the_entry_counts_although_the_history_does_not_hold_it_yet() -> None:
    assert names(event=ordered("mug", days=0))[:2] == ["jug", "green"]
    assert "mug" not in names(event=ordered("mug", days=0))


def test_a_rule_holds_only_within_its_time() -> None:
    assert names(ordered("green", days=59))[:2] == ["green", "black"]
    assert names(ordered("green", days=61)) == ["comb", "mug"]


def test_each_item_has_its_because() -> None:
    found = RULES.recommend(facts(ordered("mug", days=3)), 3)
    assert [each.because for each in found] == ["bought Mug 3d ago; the rule for mug"] * 2 + ["a best seller"]


def test_an_item_is_named_by_the_event_itself_or_by_its_products() -> None:
    lone = EventFact("Order Completed", NOW, {"product_id": 7, "products": [{"product_id": "a"}, {"sku": "b"}, "c", None]})
    assert set(bought_when(facts(lone), "Order Completed")) == {"7", "a"}


baskets = st.lists(st.sampled_from(list(CATALOG.items)))
orders = st.lists(st.builds(lambda which, days: ordered(*which, days=days), baskets, st.floats(0, 400)))


@given(orders, st.integers(1, 12))
def test_no_history_leads_to_an_item_just_bought_or_out_of_stock_or_twice_and_the_same_history_to_the_same(
    told: list[EventFact], n: int
) -> None:
    found = RULES.recommend(facts(*told), n)
    fresh = {p["product_id"] for each in told if each.time > NOW - timedelta(days=30) for p in each.properties["products"]}
    assert len(found) <= n
    assert all(each.item.available and each.item.id not in fresh and each.because for each in found)
    assert len({each.item.id for each in found}) == len(found)
    assert found == RULES.recommend(facts(*reversed(told)), n)
