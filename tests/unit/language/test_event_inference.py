"""A drafted definition accepts all that it was drafted from, says what is always so, and holds nobody's data."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law

from sojourn.language.events.checks import CALLS
from sojourn.language.events.infer import draft
from sojourn.language.events.model import EventDefinition
from sojourn.language.events.schemas import compile_schema
from sojourn.language.events.seen import observe_all
from sojourn.language.events.writing import stem, write_event
from sojourn.language.loader import load_event

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
PAYLOADS = ROOT.parent / "shared/data/segment_spec/payloads.json"


def text_of(values: list[dict[str, Any]], name: str = "Seen", **options: Any) -> str:
    return write_event(name, draft(observe_all(values), **options), "What was seen.", "a remark")


def drafted(values: list[dict[str, Any]], **options: Any) -> EventDefinition:
    return load_event(text_of(values, **options))


def schema_of(values: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = drafted(values, **options).properties
    return found


_keys = st.sampled_from(["price", "units", "no", "Order ID", "$x", "a-b", "email", "items"]) | st.text(max_size=8)
_texts = st.sampled_from(
    ["a", "b", "on", "2026-01-05", "2026-01-05T09:00:00Z", "ann@shop.example", "10.0.0.1", "https://shop.example/x", "~", "1"]
)
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
    | st.text(max_size=9)
)
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_keys, inner, max_size=4), max_leaves=10)
_properties = st.dictionaries(_keys, _values, max_size=5)


@law(200)
@given(
    st.lists(_properties, min_size=1, max_size=6),
    st.integers(1, 60),
    st.integers(1, 3),
    st.booleans(),
    st.text(min_size=1, max_size=20).filter(lambda name: name not in CALLS),
)
def test_what_is_written_loads_and_accepts_all_that_was_seen(
    seen: list[dict[str, Any]], times: int, samples: int, closed: bool, name: str
) -> None:
    definition = load_event(text_of(seen * times, name, min_samples=samples, closed=closed))
    validator = compile_schema(definition.properties)
    assert [properties for properties in seen if not validator.is_valid(properties)] == []
    assert definition.event == name


@law(50)
@given(st.lists(_properties, min_size=1, max_size=6), st.randoms())
def test_the_same_events_give_the_same_file_in_whatever_order_they_came(seen: list[dict[str, Any]], random: Any) -> None:
    other = [dict(random.sample(list(each.items()), len(each))) for each in seen]
    random.shuffle(other)
    assert text_of(seen * 3) == text_of(other * 3)


def test_types_presence_formats_and_repeated_values_are_found() -> None:
    seen = [
        {
            "units": i % 7, "price": 10, "share": i / 3, "plan": ("gold", "free")[i % 2], "at": f"2026-01-{i % 28 + 1:02}T09:00:00Z",
            "coupon": None if i % 2 else "X", "cart": {"id": f"c{i}"}, "lines": [{"sku": "a", "n": 1}] * (i % 3),
            **({"rare": True} if i == 7 else {}),
        }
        for i in range(100)
    ]  # fmt: skip
    assert schema_of(seen) == {
        "type": "object",
        "required": ["at", "cart", "coupon", "lines", "plan", "price", "share", "units"],
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "cart": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
            "coupon": {"type": ["string", "null"]},
            "lines": {
                "type": "array",
                "items": {"type": "object", "required": ["n", "sku"], "properties": {"n": {"type": "integer"}, "sku": {"type": "string"}}},
            },
            "plan": {"type": "string", "enum": ["free", "gold"]},
            "price": {"type": "number"},  # an amount may have a fraction tomorrow
            "rare": {"type": "boolean"},
            "share": {"type": "number"},
            "units": {"type": "integer"},
        },
    }
    assert "units: {type: integer}  # 0 to 6 seen" in text_of(seen)


def test_few_samples_require_nothing_and_promise_no_whole_numbers() -> None:
    assert schema_of([{"units": 3}] * 19) == {"type": "object", "properties": {"units": {"type": "number"}}}
    assert schema_of([{"units": 3}] * 20)["required"] == ["units"]


def test_closed_forbids_what_was_never_seen_but_not_where_names_are_data() -> None:
    assert schema_of([{"a": {"b": 1}}], closed=True)["additionalProperties"] is False
    counted = [{"by_user": {f"user{i}": 1}} for i in range(100)]
    assert schema_of(counted, closed=True)["properties"]["by_user"] == {"type": "object"}


SECRETS = {
    "contact": "ann.smith@shop.example", "phone": "+49 30 1234567", "first_name": "Ann", "client_ip": "203.0.113.7",
    "street": "12 Weaver Lane",
    "note": "write to bob@shop.example", "iban": "DE02120300000000202051", "age": 37, "nickname": "annie", "lng": 13.377704,
}  # fmt: skip


def test_no_value_of_a_person_is_in_the_file_and_each_such_property_is_labelled() -> None:
    seen = [{**SECRETS, "ids": {"carol@shop.example": 1}, "plan": ("a", "b")[i % 2]} for i in range(60)]
    text = text_of(seen)
    assert [value for value in [*map(str, SECRETS.values()), "bob@", "carol"] if value in text] == []
    assert load_event(text).personal == {
        "age": "demographic", "client_ip": "identity", "contact": "contact", "first_name": "identity", "iban": "sensitive",
        "lng": "location", "nickname": "identity", "note": "contact", "phone": "contact", "street": "contact",
    }  # fmt: skip


def test_ids_and_free_texts_are_no_enumeration_however_few_they_are() -> None:
    seen = [{"cart_id": f"c{i % 3}", "title": f"t{i % 3}", "code": f"1234567{i % 3}", "size": f"s{i % 3}"} for i in range(100)]
    properties = schema_of(seen)["properties"]
    assert [name for name, schema in properties.items() if "enum" in schema] == ["size"]


@pytest.mark.parametrize(
    ("name", "taken", "file"),
    [("Order Completed", [], "order_completed"), ("orderCompleted", ["order_completed"], "order_completed_2"), ("../../etc", [], "etc")],
)
def test_a_file_is_named_after_its_event(name: str, taken: list[str], file: str) -> None:
    assert stem(name, taken) == file


def test_an_event_in_another_script_has_a_file_too() -> None:
    assert stem("注文完了") == stem("注文完了") != stem("注文")


def tracks(calls: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found = defaultdict(list)
    for call in calls:
        if call.get("type") == "track" and isinstance(call.get("properties"), dict):
            found[call["event"]].append(call["properties"])
    return found


def test_the_recorded_shop_goes_through_the_round_trip() -> None:
    with gzip.open(ROOT / "examples" / "online_retail.jsonl.gz") as lines:
        found = tracks([json.loads(line) for line in lines])
    assert len(found) == 6
    for values in found.values():
        validator = compile_schema(drafted(values, closed=True).properties)
        assert all(map(validator.is_valid, values))


@pytest.mark.skipif(not PAYLOADS.exists(), reason="../shared/data/segment_spec is not here")
def test_the_payloads_of_segments_specification_go_through_the_round_trip() -> None:
    found = tracks([each["payload"] for each in json.loads(PAYLOADS.read_text("utf-8"))])
    assert len(found) > 20
    for values in found.values():
        text = text_of(values, closed=True)
        validator = compile_schema(load_event(text).properties)
        assert all(map(validator.is_valid, values))
        assert "@" not in text


def test_a_type_that_differs_in_some_is_said_with_its_share() -> None:
    values = [{"price": "12.50" if i % 10 == 0 else 12.5, "paid": i % 2 == 0, "note": None if i % 3 else "x"} for i in range(100)]
    text = text_of(values)
    assert "# types differ: a number in 90%, a text in 10%; 12.5 seen" in text
    assert text.count("types differ") == 1
