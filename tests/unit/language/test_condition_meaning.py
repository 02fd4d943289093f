"""What conditions mean, by example; each is asked of the closure and of SQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from condition_asking import NOW, ask_sql, fresh_database
from sqlalchemy import Connection, delete, insert, select

from sojourn.language.conditions import Condition, ConditionError, EventFact, Facts, ListHistory, parse, segment_cycle
from sojourn.store.database import Database
from sojourn.store.tables import profiles

__all__ = ["fresh_database"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ORDER = "Order Completed"
REFUND = "Order Refunded"
LIFE = Facts(
    now=NOW,
    event=EventFact(
        "Product Added",
        NOW,
        {"price": 140, "name": "Shoe", "gift": False, "tags": ["sale", 7], "cart": {"id": "c1"}, "products": [{"sku": "s1"}], "none": None},
    ),
    profile={"city": "Bern", "plan": "5", "age": 30, "vip": True, "since": "2026-02-01", "address": {"zip": "3000"}, "my key": 1},
    scores={"purchase_propensity": 0.2},
    engaged={"reminder": frozenset({"delivered", "clicked"})},
    history=ListHistory(
        [
            EventFact(ORDER, NOW - 60 * DAY, {"revenue": 10, "category": "shoes", "coupon": "SPRING"}),
            EventFact(ORDER, NOW - 2 * DAY, {"revenue": 19.99, "category": "hats"}),
            EventFact(ORDER, NOW - HOUR, {"revenue": 30.01, "category": "shoes", "currency": "EUR"}),
            EventFact("Product Viewed", NOW - 10 * timedelta(minutes=1), {"category": None}),
            EventFact(REFUND, NOW - 50 * DAY, {"revenue": 4}),
            EventFact(REFUND, NOW - 2 * DAY, {"total": 5.99, "revenue": None}),
            EventFact(REFUND, NOW - HOUR, {"revenue": 10, "total": 99, "currency": "EUR", "fee": 2.5}),
            EventFact(ORDER, NOW + HOUR, {"revenue": 1000, "category": "future"}),
            EventFact(REFUND, NOW + HOUR, {"revenue": 1000}),
        ]
    ),
)
SEGMENTS: Mapping[str, Condition] = {
    "buyers": parse(f'did("{ORDER}", within="90d")'),
    "locals": parse('profile.city == "Bern" and segment.buyers'),
    "blind": parse("event.price > 1 or score.purchase_propensity > 0 or reminder.clicked"),
}

HOLDS = [
    # comparisons
    "event.price == 140", "event.price == 140.0", "20 <= event.price < 141", "event.price != 3", 'profile.city > "Aarau"',
    "profile.vip", "profile.vip == true", "event.gift == false", "not event.gift", 'event.cart.id == "c1"', 'event["cart"].id == "c1"',
    'event.products[0].sku == "s1"', 'profile["my key"] == 1', 'event.name == "Product Added"', 'event.properties.name == "Shoe"',
    "event.time == now", "event.price * 2 - 80 == 200", "event.price / 4 + 1 == 36", "-event.price < -139", "event.price - 100 - 20 == 20",
    # missing, and mismatched kinds: no comparison holds, its not does
    "not event.color == 1", "not event.color != 1", "not event.none == 1", "not event.color < 1",
    'not profile.plan == 5', "not profile.plan != 5",
    "not profile.plan > 1", "not profile.vip == 1", "not event.price / 0 == 1", "not event.price / 0 != 1", "not profile.city * 2 > 0",
    "not event.tags == event.tags", "not event.color", "event.tags", "event.cart", "not event.products[1]",
    "event.price is defined", "event.color is not defined", "event.none is not defined", "event.gift is defined",
    # lists and texts
    'profile.city in ["Basel", "Bern"]', 'profile.city not in ["Basel"]', 'not profile.color not in ["x"]', 'not profile.color in ["x"]',
    '"sale" in event.tags', "7 in event.tags", '"7" not in event.tags', '"er" in profile.city',
    '"x" not in profile.city', "not 5 in profile.city",
    "profile.age in [1, 30]", "true in [profile.vip]",
    # moments
    'event.time > "2026-02-28"', 'event.time == "2026-03-01T13:00:00+01:00"', "profile.since < now", 'profile.since == "2026-02-01"',
    "days_since(profile.since) == 28.5", "days_since(event.time) == 0", "not days_since(profile.city) > 0",
    "not days_since(event.color) > -1",
    # history
    f'did("{ORDER}")', f'did("{ORDER}", within="2h")', f'not did("{ORDER}", within="1h")', 'not did("Cart Emptied")',
    f'count("{ORDER}") == 3', f'count("{ORDER}", within="3d") == 2', 'count("Cart Emptied") == 0',
    'not count("Cart Emptied")', f'count("{ORDER}")',
    f'count("{ORDER}", within="2d") == 1', f'count("{ORDER}", within="2d 1s") == 2',
    f"""count("{ORDER}", where="event.category == 'shoes'") == 2""", f"""did("{ORDER}",
    where="event.revenue > 30 and event.currency == 'EUR'")""",
    f"""not did("{ORDER}", where="event.category == profile.city")""", f"""count("{ORDER}", where="days_since(event.time) < 3") == 2""",
    f"""did("{ORDER}", within="3d", where="not event.coupon is defined")""",
    f'sum("{ORDER}", "revenue", within="90d") == 60', f'sum("{ORDER}", "revenue", within="3d") == 50', f'sum("{ORDER}", "category") == 0',
    # less what was given back: each refund by its own time, its revenue or, where it has none, its total; to the cent
    f'sum("{ORDER}", "revenue", minus="{REFUND}", within="90d") == 40.01', f'sum("{ORDER}", "revenue", minus="{REFUND}") == 40.01',
    f'sum("{ORDER}", "revenue", minus="{REFUND}", within="3d") == 34.01',
    f'sum("{ORDER}", "revenue", minus="{REFUND}", within="55d") == 30.01',
    f'sum("{ORDER}", "revenue", minus="{REFUND}", minus_value="fee") == 57.5',
    f'sum("{ORDER}", "revenue", minus="{REFUND}", minus_value="total") == -44.99',
    f"""sum("{ORDER}", "revenue", minus="{REFUND}", where="event.currency == 'EUR'") == 20.01""",
    f'sum("{ORDER}", "total", minus="{REFUND}") == -108.99', f'sum("{ORDER}", "fee", minus="{REFUND}") == -2.5',
    f'sum("{ORDER}", "revenue", minus="Never") == 60', f'sum("Cart Emptied", "revenue", minus="{REFUND}", within="1d") == -10',
    'sum("Cart Emptied", "x") == 0', 'sum("Cart Emptied", "x") < 5',
    f'distinct("{ORDER}", "category") == 2', f'distinct("{ORDER}", "category", within="2h") == 1',
    'distinct("Product Viewed", "category") == 0',
    f'distinct("{ORDER}", "time") == 3',
    f'first("{ORDER}", "category") == "shoes"', f'last("{ORDER}", "revenue") == 30.01', f'last("{ORDER}", "coupon") is not defined',
    f'last("{ORDER}") == last("{ORDER}", "time")', f'days_since(last("{ORDER}")) < 0.05', f'days_since(first("{ORDER}")) == 60',
    f'first("{ORDER}", "revenue", within="3d") == 19.99', 'last("Cart Emptied") is not defined',
    'not days_since(last("Cart Emptied")) >= 60',
    f"""last("{ORDER}", "revenue", where="event.category == 'hats'") == 19.99""",
    f'first("{ORDER}", "revenue") < last("{ORDER}", "revenue")',
    # entry
    "score.purchase_propensity >= 0.2", "not score.unknown >= 0", "reminder.clicked", "not reminder.opened", "not other.clicked",
    # joined
    "at_least(2, event.price > 1, profile.vip, event.color == 1)", "not at_least(3, event.price > 1, profile.vip, event.color == 1)",
    "event.color == 1 or profile.vip", "not (event.color == 1 and profile.vip)", f'(did("{ORDER}") and profile.vip) == true',
    # what an event must be may ask about the person only, and about nobody
    f'count("{ORDER}", where="profile.vip") == 3', f'count("{ORDER}", where="profile.age < 30") == 0',
    f'count("{ORDER}", where="1 == 1") == 3', f'sum("{ORDER}", "revenue", where="profile.vip") == 60',
    f'distinct("{ORDER}", "category", where="profile.vip") == 2', f'did("{ORDER}", where="profile.vip")',
    f'not last("{ORDER}", where="profile.age < 30") <= now', f'first("{ORDER}", where="profile.vip") < now',
    # segments
    "segment.buyers", "segment.locals", "not segment.blind", "at_least(1, segment.locals)",
]  # fmt: skip


@pytest.mark.parametrize("text", HOLDS)
def test_it_holds_and_its_not_does_not(database: Database, text: str) -> None:
    for written, expected in ((text, True), (f"not ({text})", False)):
        condition = parse(written)
        assert condition.holds(LIFE, SEGMENTS) is expected
        assert condition.explain(LIFE, SEGMENTS).holds is expected
        assert ask_sql(database, condition, LIFE, dict(SEGMENTS)) is expected


@pytest.mark.parametrize(
    ("ago", "inside"), [(timedelta(0), True), (HOUR - timedelta(microseconds=1), True), (HOUR, False), (timedelta(microseconds=-1), False)]
)
def test_a_window_is_open_at_its_beginning_and_closed_at_now(database: Database, ago: timedelta, inside: bool) -> None:
    facts = Facts(now=NOW, history=ListHistory([EventFact("Product Viewed", NOW - ago, {})]))
    condition = parse('did("Product Viewed", within="1h")')
    assert condition.holds(facts) is inside
    assert ask_sql(database, condition, facts, {}) is inside


MOMENTS = {
    "2026-02-01": "2026-02-01T00:00:00Z", "2026-02-01T09:30": "2026-02-01T09:30:00Z", "2026-02-01 09:30:05+05:30": "2026-02-01T04:00:05Z",
    "2026-02-01T09:30:00.1239999Z": "2026-02-01T09:30:00.123999Z", "2026-02-01T09:30:00-14:00": "2026-02-01T23:30:00Z",
    "2026-02-31": None, "2026-02-01T24:00": None, "2026-02-01T09": None, "2026-2-1": None, "20260201": None, "now": None, "09:30": None,
    "2026-02-01Z": None, "2026-02-01T09:30:00+15:00": None, "2026-02-01T09:30:00.Z": None, "2461072.5": None, "2026-02-01T09:60": None,
    " 2026-02-01": None, "2026-02-01\n": None, "2026-02-01T09:30:00 Z": None, "": None, "0001-01-01T00:00:00": None,
}  # fmt: skip


@pytest.mark.parametrize(("text", "moment"), MOMENTS.items())
def test_a_text_is_a_moment_only_as_iso_8601(database: Database, text: str, moment: str | None) -> None:
    facts = Facts(now=NOW, profile={"at": text}, history=ListHistory([]))
    defined, equal = parse("days_since(profile.at) is defined"), parse(f'days_since(profile.at) == days_since("{moment or "2026-01-01"}")')
    for condition in (defined, equal):
        assert condition.holds(facts) is (moment is not None)
        assert ask_sql(database, condition, facts, {}) is (moment is not None)


def test_known_membership_goes_before_the_segments_own_condition() -> None:
    assert parse("segment.buyers").holds(Facts(now=NOW, segments={"buyers": True}), SEGMENTS)
    assert parse("segment.anything").holds(Facts(now=NOW, segments={"anything": True}))


def test_a_segment_that_is_part_of_itself_is_an_error_and_is_found() -> None:
    circle = {"a": parse("segment.b or profile.x"), "b": parse("not segment.a"), "c": parse("segment.a")}
    assert segment_cycle(circle) == ("a", "b", "a")
    assert segment_cycle(SEGMENTS) is None
    for ask in (lambda: parse("segment.c").holds(Facts(now=NOW), circle), lambda: parse("segment.c").sql(NOW, circle)):
        with pytest.raises(ConditionError, match="segment 'a' does not exist, or is part of its own definition"):
            ask()


def test_a_sweep_finds_exactly_those_for_whom_it_holds(database: Database) -> None:
    people: dict[str, Any] = {"p1": {"age": 17}, "p2": {"age": 18}, "p3": {}, "p4": {"age": "18"}, "p5": {"age": 40}}
    condition = parse("profile.age >= 18 and not profile.age == 40")

    def sweep(connection: Connection) -> list[str]:
        for name, traits in people.items():
            connection.execute(insert(profiles).values(id=name, traits=traits, first_seen=NOW, last_seen=NOW))
        asked = select(profiles.c.id).where(condition.sql(NOW), profiles.c.merged_into.is_(None))
        swept = list(connection.execute(asked).scalars())
        connection.execute(delete(profiles))
        return swept

    found = database.write_now(sweep)
    assert found == ["p2"] == [name for name, traits in people.items() if condition.holds(Facts(now=NOW, profile=traits))]


def test_names_are_those_of_the_condition_and_of_no_past_event() -> None:
    text = f"""event.price > 1 and event.time < now and profile.address.zip == "3000" and segment.buyers and score.m > 0
        and reminder.clicked and sum("{ORDER}", "revenue", where="event.currency == profile.currency") > 1"""
    names = parse(text).names
    assert names.events == {ORDER}
    assert names.event_properties == {"price", "time"}
    assert names.traits == {"address.zip", "currency"}
    assert (names.segments, names.scores, names.engagements) == ({"buyers"}, {"m"}, {("reminder", "clicked")})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'event.price >= 20 and not did("{ORDER}", within="1h")', f'event.price >= 20 (140) and not did("{ORDER}", within="1h")'),
        ("event.price < 20 and profile.vip", "not event.price < 20 (140)"),
        ("event.color == 1 or score.purchase_propensity >= 0.8",
         "not event.color == 1 (missing) and not score.purchase_propensity >= 0.8 (0.2)"),
        ("event.color == 1 or profile.age > 18 or profile.vip", "profile.age > 18 (30)"),
        ('profile.city in ["Bern"]', 'profile.city in ["Bern"] (Bern)'),
        ("event.price > profile.age", "event.price > profile.age (140 and 30)"),
        ("segment.locals", "segment.locals"),
        ("true", "always"),
    ],
)  # fmt: skip
def test_the_because_names_only_what_decided(text: str, sentence: str) -> None:
    assert parse(text).explain(LIFE, SEGMENTS).sentence() == sentence


def test_an_explanation_shows_what_stood_behind_a_segment() -> None:
    leaves = parse("segment.locals").explain(LIFE, SEGMENTS).leaves
    assert [(leaf.text, leaf.value) for leaf in leaves] == [
        ("segment.locals", True), ('profile.city == "Bern"', "Bern"), ("segment.buyers", True), (f'did("{ORDER}", within="90d")', True),
    ]  # fmt: skip


def test_the_deepest_condition_that_is_taken_is_taken_by_the_database(database: Database) -> None:
    def nested(depth: int) -> str:
        return f'({nested(depth - 1)}) == (did("{ORDER}") or profile.vip)' if depth else "days_since(profile.since) > 1"

    deepest = parse(nested(7))
    assert ask_sql(database, deepest, LIFE, {}) is deepest.holds(LIFE)
    with pytest.raises(ConditionError, match="too deeply"):
        parse(nested(8))


def test_net_revenue_is_explained_as_it_is_written_and_names_both_events() -> None:
    condition = parse(f'sum("{ORDER}", "revenue", minus="{REFUND}", within="90d") >= 100')
    assert condition.explain(LIFE).sentence() == f'not sum("{ORDER}", "revenue", minus="{REFUND}", within="90d") >= 100 (40.01)'
    assert condition.names.events == {ORDER, REFUND}


def test_net_revenue_changes_at_the_second_at_which_a_refund_leaves_the_window() -> None:
    condition = parse(f'sum("{ORDER}", "revenue", minus="{REFUND}", within="2d") >= 30')
    facts = Facts(
        now=NOW, history=ListHistory([EventFact(REFUND, NOW - 40 * HOUR, {"total": 10}), EventFact(ORDER, NOW - HOUR, {"revenue": 30})])
    )
    assert not condition.holds(facts)
    turned = condition.changes_at(facts)
    assert turned == NOW + 8 * HOUR
    assert condition.holds(facts.at(turned))
