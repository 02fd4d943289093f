"""A CSV cell and its value are each other's inverse, and no cell is a formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.bulk.cells import TYPES, guard, read_cell, truth, unguard, write_cell
from sojourn.bulk.problems import BadRow

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.text("'=+-@\t\r0123456789.e\"{}[]truefalsn", max_size=8)
SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6)


@given(VALUES)
def test_a_cell_reads_as_the_value_that_was_written(value: object) -> None:
    read = read_cell(write_cell(value))
    assert read == value
    assert type(read) is type(value)


@given(TEXTS)
def test_no_text_is_written_as_a_formula(text: str) -> None:
    assert write_cell(text)[:1] not in {*"=+-@\t\r"}
    assert guard(text)[:1] not in {*"=+-@\t\r"}


@given(TEXTS)
def test_the_guard_comes_off_as_it_went_on(text: str) -> None:
    assert unguard(guard(text)) == text


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("007", "007"), ("12.50", 12.5), ("-3", -3), ("+49 30 1", "+49 30 1"), ("1e5", "1e5"), ("true", True), ("True", "True"),
        ("'=1+1", "=1+1"), ("'quoted'", "'quoted'"), ('{"a":1}', {"a": 1}), ("{a", "{a"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("-", "-"), ("NaN", "NaN"), ("1,5", "1,5"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_number_stays_text(cell: str, value: object) -> None:
    assert read_cell(cell) == value
    assert type(read_cell(cell)) is type(value)


@pytest.mark.parametrize(
    ("named", "cell"),
    [("number", "7a"), ("number", "true"), ("boolean", "perhaps"), ("json", "{a"), ("auto", '{"a":1,"a":2}'), ("json", '["\\u0000"]')],
)
def test_a_cell_that_is_not_of_its_type_is_refused(named: str, cell: str) -> None:
    with pytest.raises(BadRow):
        TYPES[named](cell)


def test_yes_and_no_are_read_as_people_write_them() -> None:
    assert [truth(said) for said in (True, "yes", "1", 1, "No", "FALSE", 0, "maybe", 2, 1.5, None)] == [
        True, True, True, True, False, False, False, None, None, None, None,
    ]  # fmt: skip
