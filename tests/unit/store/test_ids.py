"""Ids that follow from what they are of."""

from __future__ import annotations

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from sojourn.store.ids import uuid_beside

SPACE = UUID("00000000-0000-4000-8000-0000000000d5")
NUMBERS = st.integers(0, 10**10 - 1)


@given(st.text(max_size=40), st.integers().map(str) | st.text(max_size=12), st.text(max_size=20))
def test_an_id_is_a_uuid_and_the_same_each_time(stem: str, number: str, name: str) -> None:
    made = uuid_beside(SPACE, f"{stem}-{number}", name)
    assert str(UUID(made)) == made == uuid_beside(SPACE, f"{stem}-{number}", name)
    assert UUID(made).version in (5, 8)


@given(st.lists(NUMBERS, unique=True, min_size=2, max_size=20))
def test_ids_of_numbered_causes_are_in_the_order_of_their_numbers(numbers: list[int]) -> None:
    by_number = [uuid_beside(SPACE, f"import-f3a9-{number}", "marketing") for number in sorted(numbers)]
    assert by_number == sorted(by_number)


def test_what_differs_in_one_part_has_another_id() -> None:
    parts = [("import-a-7", "x"), ("import-a-7", "y"), ("import-a-07", "x"), ("import-b-7", "x"), ("import-a-8", "x"), ("import-a-7:", "x")]
    assert len({uuid_beside(SPACE, *part) for part in parts}) == len(parts)


def test_a_cause_that_no_plain_number_ends_gives_the_id_of_its_words() -> None:
    for cause in ("order 7", "m-7a", "m-²", "m-٣", "m--", "m-12345678901"):
        assert uuid_beside(SPACE, cause, "x") == str(uuid5(SPACE, f"{len(cause)}:{cause}x"))
