"""At no moment of any import, edit, merge or kill do two entries of one journey and key run for one person."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import EVERY_CASE, law
from sqlalchemy import func, select

from sojourn.bulk.importing import Import
from sojourn.bulk.mapping import Kind
from sojourn.bulk.ordering import Order
from sojourn.errors import SojournError
from sojourn.store.tables import entries, sends
from sojourn.testing import Shop

SHIPPED = Path(__file__).resolve().parents[3] / "journeys"
WHO: list[dict[str, Any]] = [{"user_id": "ann"}, {"anonymous_id": "v1"}, {"anonymous_id": "v2"}, {"user_id": "old"}]
TRIGGERS = ["Product Added", "Signed Up", "Product Viewed", "Order Completed", "Session Started", "Checkout Started"]
# The waits of the shipped journeys, and a little before and after each.
PAUSES = ["0s", "1m", "29m", "31m", "59m", "61m", "4h", "23h", "25h", "2d", "3d 1h", "7d", "31d", "61d"]
SOMEONE = st.integers(0, len(WHO) - 1)
DID = st.tuples(st.just("did"), SOMEONE, st.sampled_from(TRIGGERS), st.sampled_from([0, 0, 0, 5, 90]))
OPERATION = st.one_of(
    DID,
    DID,
    DID,
    st.tuples(st.just("wait"), st.sampled_from(PAUSES)),
    st.tuples(st.just("wait"), st.sampled_from(PAUSES)),
    st.tuples(st.just("login"), st.sampled_from(["v1", "v2"])),
    st.tuples(st.just("alias")),
    st.tuples(st.just("hand"), SOMEONE, SOMEONE),
    st.tuples(st.just("apart"), SOMEONE),
    st.tuples(st.just("import"), SOMEONE, st.integers(0, 200)),
)


def check(shop: Shop) -> None:
    """Nobody walks twice, and nothing waits to be sent for an entry that has ended."""
    columns = (entries.c.profile_id, entries.c.journey, entries.c.key)
    twice = select(*columns).where(entries.c.state == "running").group_by(*columns).having(func.count() > 1)
    waits = select(sends.c.key).select_from(sends.join(entries, entries.c.id == sends.c.entry_id))
    waits = waits.where(entries.c.state == "ended", sends.c.state.in_(["planned", "held", "claimed"]))
    assert shop._read(lambda connection: (connection.execute(twice).all(), connection.execute(waits).all())) == ([], [])


def live(shop: Shop, operations: list[tuple[Any, ...]], folder: Path) -> None:
    """Live through operations, and look at every moment."""
    for one in WHO:
        shop.identify(one.get("user_id"), {"email": f"{next(iter(one.values()))}@shop.example"}, anonymous_id=one.get("anonymous_id"))
    known = {index: shop.profile(next(iter(one.values()))).id for index, one in enumerate(WHO)}
    for number, (what, *rest) in enumerate(operations):
        if what == "did":
            who, event, late = WHO[rest[0]], rest[1], timedelta(minutes=rest[2])
            properties = {"cart_id": "c1", "price": 60, "revenue": 60, "order_id": f"o{number}", "name": "A jug", "product_id": "p1"}
            shop.track(who.get("user_id"), event, properties, at=shop.now - late, anonymous_id=who.get("anonymous_id"))
        elif what == "wait":
            shop.advance(rest[0])
        elif what == "login":
            shop.identify("ann", anonymous_id=rest[0])
        elif what == "alias":
            shop.alias("ann", "old")
        elif what == "import":
            path = folder / f"{number}.jsonl"
            who = WHO[rest[0]]
            at = (shop.now - timedelta(days=rest[1])).isoformat()
            path.write_text(json.dumps({**who, "event": "Order Completed", "time": at, "order_id": f"i{number}", "revenue": 9}) + "\n")
            Import(shop._engine.store, Order(path, Kind.events), lambda: shop.now).run()
            shop.advance("0s")
        else:
            try:
                if what == "hand":
                    shop.merge(*(next(iter(WHO[index].values())) for index in rest))
                else:
                    shop.unmerge(known[rest[0]])
            except SojournError:
                continue  # one with oneself, past the limits, or never merged: nothing was done
        check(shop)
    shop.advance("8d")
    check(shop)


@pytest.mark.slow
@law(40)
@given(operations=st.lists(OPERATION, min_size=3, max_size=25 if EVERY_CASE else 12))
def test_nobody_walks_a_journey_twice_whatever_is_merged_imported_and_taken_apart(operations: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder, Shop(journeys_dir=SHIPPED) as shop:
        live(shop, operations, Path(folder))


# -- at every step of every shipped journey ------------------------------------------------------------

BEGINS = {
    "cart_abandonment": ("Product Added", "1h", "1d", "2d"),
    "onboarding": ("Signed Up", "15m", "2d", "7d"),
    "reengagement": ("Product Viewed", "60d", "61d", "68d"),
}


def meeting(trigger: str, apart: str, before: str, way: str, *, orders: bool) -> tuple[Counter[str], Counter[str], int, list[str]]:
    """Let two begin the same journey, meet, and return what was sent before and after, how many goals, and how entries ended."""
    properties = {"cart_id": "c1", "price": 60, "name": "A jug", "product_id": "p1"}
    with Shop(journeys_dir=SHIPPED) as shop:
        shop.identify("ann", {"email": "ann@shop.example"})
        shop.identify(None, {"email": "v@shop.example"}, anonymous_id="v1", consent=["marketing"])
        shop.track("ann", trigger, properties)
        shop.advance(apart)
        shop.track(None, trigger, properties, anonymous_id="v1")
        shop.advance(before)
        early = Counter(f"{send.journey}/{send.id}" for one in ("ann", "v1") for send in shop.inbox(one))
        if way == "login":
            shop.identify("ann", anonymous_id="v1")
        elif way == "alias":
            shop.alias("ann", "v1")
        else:
            shop.merge("ann", "v1")
        check(shop)
        if orders:
            shop.track("ann", "Order Completed", {"order_id": "o1", "revenue": 60})
        shop.advance("30d")
        check(shop)
        every = Counter(f"{send.journey}/{send.id}" for send in shop.inbox("ann"))
        goals = Counter((entry.journey, entry.key) for entry in shop.entries("ann") if entry.goal_at)
        return early, every, max(goals.values(), default=0), [str(entry.outcome) for entry in shop.entries("ann")]


def all_meetings() -> list[tuple[str, str, str, str, bool]]:
    return [
        (trigger, apart, before, way, orders)
        for trigger, *moments in BEGINS.values()
        for apart in ("10m", "5h")
        for before in ("1m", *moments, *(f"{moment} 6h" for moment in moments))
        for way in ("login", "alias", "hand")
        for orders in (False, True)
    ]


def hold(cases: list[tuple[str, str, str, str, bool]]) -> None:
    merged = 0
    for trigger, apart, before, way, orders in cases:
        early, every, goals, outcomes = meeting(trigger, apart, before, way, orders=orders)
        # Whatever each had before they met is out; after that no message comes a second time.
        assert all(count <= max(1, early[name]) for name, count in every.items()), (trigger, apart, before, way, orders, early, every)
        assert goals <= 1, (trigger, apart, before, way, orders)
        merged += outcomes.count("merged")
    assert merged, "nobody was on a journey twice when they met"


def test_two_who_meet_at_a_step_of_a_shipped_journey_get_no_message_twice() -> None:
    hold(all_meetings()[5::37])


@pytest.mark.exhaustive
@pytest.mark.timeout(900)
def test_two_who_meet_at_many_steps_of_every_shipped_journey_get_no_message_twice() -> None:
    hold(all_meetings()[::6])
