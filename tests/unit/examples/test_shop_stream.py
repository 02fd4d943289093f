"""The recorded shop stream is what examples/README.md says of it."""

import gzip
import importlib.util
import json
import sys
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
STREAM = EXAMPLES / "online_retail.jsonl.gz"


def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_stream", EXAMPLES / "build_stream.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["build_stream"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def calls() -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(STREAM.read_bytes()).splitlines()]


def moment(call: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(call["originalTimestamp"])


def test_every_line_is_a_segment_call_under_an_id_of_its_own(calls: list[dict[str, Any]]) -> None:
    assert STREAM.stat().st_size <= 3_000_000
    assert len(calls) > 10_000
    assert len({UUID(call["messageId"]) for call in calls}) == len(calls)
    for call in calls:
        assert call["type"] in ("identify", "track")
        assert (call["type"] == "track") == ("event" in call)
        assert call["anonymousId"]
        assert len(json.dumps(call)) < 32_000


def test_lines_stand_in_order_of_time(calls: list[dict[str, Any]]) -> None:
    moments = [moment(call) for call in calls]
    assert moments == sorted(moments)
    assert timedelta(weeks=3) < moments[-1] - moments[0] < timedelta(weeks=4)


def test_all_but_orders_is_labelled_derived(calls: list[dict[str, Any]]) -> None:
    for call in calls:
        assert call["context"].get("derived", False) == (call.get("event") != "Order Completed")


def test_each_customer_arrives_unknown_and_is_identified_once_before_any_known_event(calls: list[dict[str, Any]]) -> None:
    seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for call in calls:
        seen[call["anonymousId"]].append(call)
    assert len(seen) >= 300
    for theirs in seen.values():
        kinds = [call["type"] for call in theirs]
        at = kinds.index("identify")
        assert kinds.count("identify") == 1
        assert at > 0
        assert not any("userId" in call for call in theirs[:at])
        assert {call["userId"] for call in theirs[at:]} == {theirs[at]["userId"]}
        assert theirs[at + 1]["event"] == "Signed Up"


def test_identify_says_address_zone_and_consent(calls: list[dict[str, Any]]) -> None:
    people = [call for call in calls if call["type"] == "identify"]
    for person in people:
        assert person["traits"]["email"] == f"{person['userId']}@shop.example"
        ZoneInfo(person["context"]["timezone"])
    consenting = sum(person["context"]["consent"]["categoryPreferences"]["marketing"] for person in people)
    assert 0.79 < consenting / len(people) < 0.91


def test_most_customers_come_back_and_some_carts_are_never_bought(calls: list[dict[str, Any]]) -> None:
    orders = Counter(call["userId"] for call in calls if call.get("event") == "Order Completed")
    assert min(orders.values()) >= 2
    carts = {call["properties"]["cart_id"] for call in calls if call.get("event") == "Product Added"}
    bought = {call["properties"]["cart_id"] for call in calls if call.get("event") == "Order Completed"}
    assert bought <= carts
    assert len(carts - bought) > 100


def test_an_hour_a_second_shows_100_to_300_entries_in_two_minutes_and_at_most_25_in_one(calls: list[dict[str, Any]]) -> None:
    began, carts, entries = moment(calls[0]), set(), Counter[int]()
    for call in calls:
        second = int((moment(call) - began) / timedelta(hours=1))
        if call.get("event") == "Signed Up":
            entries[second] += 1
        elif call.get("event") == "Product Added" and call["properties"]["price"] >= 20 and call["properties"]["cart_id"] not in carts:
            carts.add(call["properties"]["cart_id"])
            entries[second] += 1
    assert 100 <= sum(count for second, count in entries.items() if second < 120) <= 300
    assert sum(count for second, count in entries.items() if second < 10) >= 20
    assert max(entries.values()) <= 25


def test_the_same_orders_and_seed_give_the_same_lines_and_another_seed_others() -> None:
    build = builder()
    at = datetime(2010, 11, 3, 11, tzinfo=ZoneInfo("Europe/London"))
    line = build.Line("22423", "Regency cakestand", 12.75, 2)
    orders = [build.Order(str(500_000 + i), i % 3, "France", at + timedelta(days=i), (line,), 0.0) for i in range(9)]
    lines = list(build.build(orders, seed=1))
    assert lines == list(build.build(orders, seed=1))
    assert lines != list(build.build(orders, seed=2))
    assert sum("Order Completed" in line for line in lines) == 9


def test_the_orders_are_the_datas_own(calls: list[dict[str, Any]]) -> None:
    build = builder()
    if not build.ORDERS.exists():
        pytest.skip("the Online Retail data is not on this machine")
    chosen = build.choose_customers(build.read_orders(build.ORDERS))
    real = {order.invoice: order for orders in chosen.values() for order in orders}
    told = [call for call in calls if call.get("event") == "Order Completed"]
    assert len(told) == len(real)
    for call in told:
        order, properties = real[call["properties"]["order_id"]], call["properties"]
        assert call["userId"] == f"customer-{order.customer}"
        assert moment(call) == order.at
        assert properties["revenue"] == round(sum(line.value for line in order.lines), 2)
        assert properties["product_count"] == len(order.lines)
    assert gzip.decompress(STREAM.read_bytes()).decode().splitlines() == list(build.build(build.read_orders(build.ORDERS)))
