"""What `sojourn up` says of health while it runs: each trouble once, and once that it is over."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.commands.health_notes import SURE_AFTER, HealthNotes

WELL = {"state": "ok", "detail": "well"}


def health(building: int = 0, **parts: dict[str, str]) -> dict[str, Any]:
    segments = {"state": "ok", "detail": f"{building} of 3 segments are being built, 40% of it done"}
    return {"building": building, "parts": {"delivery": WELL, "workflows": WELL, "segments": segments, **parts}}


def heard(looks: list[dict[str, Any]]) -> list[str]:
    notes = HealthNotes()
    return [text for look in looks for text in notes.news(look)]


@pytest.mark.parametrize(
    ("part", "begins", "ends"),
    [
        ("delivery", "mail waits", "mail goes out again"),
        ("workflows", "entries and workflows did not fit", "entries and workflows fit again"),
    ],
)
def test_a_trouble_is_said_once_and_once_that_it_is_over(part: str, begins: str, ends: str) -> None:
    late = health(**{part: {"state": "late", "detail": "3 of them, since noon"}})
    said = heard([health()] * 3 + [late] * 9 + [health()] * 9 + [late] * 9)
    assert [text.partition(":")[0].partition(",")[0] for text in said] == [begins, ends, begins]
    assert said[0].endswith("3 of them, since noon")


def test_what_the_next_look_finds_over_is_no_news() -> None:
    late = health(delivery={"state": "late", "detail": "1 message waits"})
    assert heard([*[late] * (SURE_AFTER - 1), health()] * 5) == []
    assert len(heard([late] * SURE_AFTER + [health(), late] * 5)) == 1


def test_segments_are_said_when_a_build_begins_and_when_all_are_built() -> None:
    begun, done = heard([health(3), health(2), health(1), health(), health()])
    assert begun == "3 of 3 segments are being built, 40% of it done; `sojourn segment list` shows how far they are"
    assert done == "all segments are built"


@pytest.mark.parametrize("answer", [{}, {"parts": None}, {"status": "down", "parts": {"database": {"state": "down", "detail": ""}}}])
def test_an_answer_that_says_nothing_of_them_is_no_news(answer: dict[str, Any]) -> None:
    assert heard([answer] * 5) == []
