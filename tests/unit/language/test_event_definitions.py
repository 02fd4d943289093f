"""Events as they are declared: what else is checked, and that what is asked of an event means what JSON Schema says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law

from sojourn.language.events.schemas import EventSchemas, compile_schema
from sojourn.language.events.wording import faults_of
from sojourn.language.loader import DefinitionError, load, load_event

SHOP = "name: A\nsender: {name: A, address: a@shop.example}\npostal_address: A\n"
ORDER = """
event: Order Completed
description: d
policy: quarantine
properties:
  required: [revenue]
  additionalProperties: false
  properties:
    revenue: {type: number}
    cart: {type: object, additionalProperties: false, properties: {id: {type: string}}}
    products: {type: array, items: {type: object, additionalProperties: false, properties: {price: {type: number}}}}
"""
OPEN = "event: Product Viewed\ndescription: d\nproperties: {properties: {price: {type: number}}}\n"


def problems(tmp_path: Path, shop: str = SHOP, **files: str) -> list[str]:
    for name, text in {"shop": shop, "events/order": ORDER, "events/viewed": OPEN, **files}.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    try:
        load(tmp_path)
    except DefinitionError as error:
        return [str(problem).removeprefix(f"{tmp_path}/") for problem in error.problems]
    return []


def journey(on: str = "Order Completed", condition: str = "event.revenue > 1", more: str = "") -> str:
    return f"journey: j\ndescription: d\nenter: {{on: {on}, if: '{condition}'}}\n{more}steps:\n  - end: told\n"


def segment(members: str) -> str:
    return f"segment: s\ndescription: d\nmembers: '{members}'\n"


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("event.revenu > 1", "`revenu` did you mean `revenue`?"),
        ('event.cart.idd == "x"', "`cart.idd` did you mean `id`?"),
        ("event.products[0].prise > 1", "`products[0].prise` did you mean `price`?"),
        ('sum("Order Completed", "revenu", within="1d") > 1', "`revenu` did you mean `revenue`?"),
        ('count("Order Completed", where="event.qty > 1") > 1', "`qty` it has `cart`, `products`, `revenue`"),
    ],
)  # fmt: skip
def test_a_condition_that_asks_for_a_property_which_the_definition_forbids_is_an_error(tmp_path: Path, condition: str, told: str) -> None:
    (found,) = problems(tmp_path, j=journey(condition=condition))
    assert found.startswith("j.yaml:3:")
    name, _, hint = told.partition(" ")
    assert found.endswith(f"`Order Completed` has no property {name} (its definition allows no others); {hint}")


@pytest.mark.parametrize(
    "condition",
    ["event.revenue > 1", 'event.cart.id == "x"', "event.products[0].price > 1", 'sum("Product Viewed", "anything", within="1d") > 1',
     'sum("Order Completed", "revenue", minus="Order Refunded", within="1d") > 1',
     'sum("Never Declared", "anything", within="1d") > 1', "event.name is defined and event.time <= now"],
)  # fmt: skip
def test_a_condition_that_an_event_can_answer_is_none(tmp_path: Path, condition: str) -> None:
    assert problems(tmp_path, j=journey(condition=condition)) == []


@pytest.mark.parametrize("option", ["", ', minus_value="amuont"'])
def test_a_refund_that_has_no_property_to_take_off_is_an_error(tmp_path: Path, option: str) -> None:
    refund = "event: Order Refunded\nowner: o\ndescription: d\n"
    refund += "properties:\n  additionalProperties: false\n  properties: {amount: {type: number}}\n"
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "order_refunded.yaml").write_text(refund, "utf-8")
    condition = f'sum("Order Completed", "revenue", minus="Order Refunded"{option}) > 1'
    (found,) = problems(tmp_path, j=journey(condition=condition))
    assert "`Order Refunded` has no property `" in found
    assert "amount" in found
    mended = 'sum("Order Completed", "revenue", minus="Order Refunded", minus_value="amount") > 1'
    assert problems(tmp_path, j=journey(condition=mended)) == []


def test_key_value_goal_leave_and_segments_are_checked_as_well(tmp_path: Path) -> None:
    more = "leave: [{on: Order Completed, if: event.a > 1, as: out}]\n"
    more += "goal: {on: Order Completed, if: event.b > 1, within: 7d, value: event.c}\n"
    text = journey(more=more).replace("enter: {", "enter: {key: event.k, ")
    text = text.replace(
        "  - end", "  - wait_for: Order Completed\n    if: event.d > 1\n    up_to: 1d\n  - if: event.e > 1\n    then: []\n  - end"
    )
    found = problems(tmp_path, j=text, **{"segments/s": segment('sum("Order Completed", "f", within="9d") > 1')})
    assert sorted(line.split("has no property ")[1][:3] for line in found) == ["`a`", "`b`", "`c`", "`d`", "`e`", "`f`", "`k`"]


def test_an_undeclared_event_may_be_named_only_where_such_events_are_accepted(tmp_path: Path) -> None:
    named = journey(on="Order Complete", condition="event.x > 1", more="leave: [{on: Email Opened, as: out}]\n")
    assert problems(tmp_path, j=named) == []
    for policy in ("flag", "quarantine"):
        (found,) = problems(tmp_path, SHOP + f"undeclared_events: {policy}\n", j=named)
        assert found.startswith("j.yaml:3:13: unknown event `Order Complete`; did you mean `Order Completed`?")
        assert policy in found


def test_the_spelling_of_a_declared_event_is_the_right_one(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, j=journey(on="order completed", condition="event.x > 1"))
    assert "the event `order completed` is `Order Completed` elsewhere" in found


def test_an_event_that_is_declared_twice_is_said_in_the_second_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, **{"events/second": OPEN})
    assert found.startswith("events/viewed.yaml:1:8: a second event called `Product Viewed`; the first is in second.yaml:1")


def test_a_broken_event_hides_no_other_problem_and_causes_none(tmp_path: Path) -> None:
    found = problems(tmp_path, SHOP + "undeclared_events: flag\n", j=journey(on="Broken One"), **{"events/broken": "event: Broken One\n"})
    assert [line.split(":")[0] for line in found] == ["events/broken.yaml"]


# -- what is asked means what JSON Schema says ---------------------------------------------------

_names = st.sampled_from(["a", "b", "c"])
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from([0.5, 1.0, -2.5]), st.sampled_from(["", "a", "bb", "A1"])
)
_values = st.recursive(_scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=3), max_leaves=8)
_types = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
_leaves = st.fixed_dictionaries(
    {},
    optional={
        "type": _types | st.lists(_types, min_size=1, max_size=3, unique=True),
        "enum": st.lists(_scalars, min_size=1, max_size=3, unique_by=repr),
        "minimum": st.integers(-3, 3), "exclusiveMaximum": st.integers(-3, 3), "multipleOf": st.sampled_from([1, 2]),
        "minLength": st.integers(0, 2), "maxLength": st.integers(0, 2), "pattern": st.sampled_from(["^a", "[A-Z]", "b+$"]),
        "maxItems": st.integers(0, 2), "uniqueItems": st.booleans(), "required": st.lists(_names, max_size=2, unique=True),
        "maxProperties": st.integers(0, 2),
    },
)  # fmt: skip
_schemas = st.recursive(
    _leaves,
    lambda inner: st.builds(
        lambda leaf, more: {**leaf, **more},
        _leaves,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(_names, inner, max_size=2), "additionalProperties": st.booleans() | inner, "items": inner,
                "anyOf": st.lists(inner, min_size=1, max_size=2), "oneOf": st.lists(inner, min_size=1, max_size=2), "not": inner,
                "if": inner, "then": inner,
            },
        ),
    ),
    max_leaves=6,
)  # fmt: skip


@law(150)
@given(_schemas, st.dictionaries(_names, _values, max_size=3))
def test_an_event_fits_exactly_where_the_reference_validator_says_so(schema: dict[str, Any], properties: dict[str, Any]) -> None:
    validator = compile_schema(schema)
    expected = jsonschema.Draft202012Validator(schema).is_valid(properties)
    assert validator.is_valid(properties) == expected
    assert bool(faults_of(validator.iter_errors(properties))) != expected


@given(st.text(min_size=6, max_size=30), st.sampled_from(["a", "b", "c", "d"]))
def test_no_fault_tells_a_value_or_a_key_that_is_data(secret: str, name: str) -> None:
    secret = f"§{secret}"
    definition = load_event(
        "event: X\ndescription: d\n"
        "properties:\n  additionalProperties: false\n  properties:\n    a: {type: integer}\n    b: {enum: [q]}\n"
        "    c: {pattern: '^q'}\n    d: {type: object, additionalProperties: {type: integer}}\n"
    )
    given_ = {name: {secret: secret} if name == "d" else secret, secret: 1}
    verdict = EventSchemas({"X": definition}).judge("X", given_)
    assert verdict is not None
    assert len(verdict.faults) == 2
    assert secret not in verdict.sentence() + repr(verdict.faults)


def test_a_pattern_made_to_run_long_does_not() -> None:
    definition = load_event("event: X\ndescription: d\nproperties: {properties: {a: {type: string, pattern: '^(a+)+$'}}}\n")
    verdict = EventSchemas({"X": definition}).judge("X", {"a": "a" * 30_000 + "!"})  # by backtracking it would take for ever
    assert verdict is not None
