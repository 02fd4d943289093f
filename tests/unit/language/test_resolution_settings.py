from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.language.loader import load, load_resolution
from sojourn.language.resolution_model import Key, usual_settings

JOURNEYS = Path(__file__).parents[3] / "journeys"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("last_name", Key("last_name")),
        ("start(last_name, 3)", Key("last_name", "start", 3)),
        ("year(birth_date)", Key("birth_date", "year")),
        ("outward( postcode )", Key("postcode", "outward")),
    ],
)
def test_a_key_is_a_trait_or_a_part_of_one(text: str, key: Key) -> None:
    assert Key.parse(text) == key


@pytest.mark.parametrize(
    "text", ["", "last name", "start(last_name, 0)", "year(birth_date, 4)", "l.x; drop table t", "start(start(a, 1), 2)"]
)
def test_nothing_else_is_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        Key.parse(text)


def test_the_shipped_settings_load_beside_the_journeys_and_are_no_journey() -> None:
    shipped = load_resolution((JOURNEYS / "resolution.yaml").read_bytes())
    assert shipped.lower < shipped.upper
    assert shipped.floor == shipped.lower
    assert "resolution" not in load(JOURNEYS).journeys


def test_without_a_file_traits_of_usual_names_are_compared() -> None:
    usual = usual_settings({"firstName", "last_name", "birthday", "postal_code", "email", "favourite_colour"})
    assert usual is not None
    assert [(each.trait, each.as_) for each in usual.compare] == [
        ("firstName", "name"), ("last_name", "name"), ("birthday", "date"), ("postal_code", "postcode"), ("email", "email"),
    ]  # fmt: skip
    assert ("start(last_name, 3)", "birthday") in usual.block
    assert set(usual.traits) == {each.trait for each in usual.compare}
    assert (usual.lower, usual.upper) == (0.5, 0.99)


def test_a_name_in_one_trait_will_do_and_too_little_will_not() -> None:
    whole = usual_settings({"name", "birthday", "email"})
    assert whole is not None
    assert whole.compare[0].trait == "name"
    assert usual_settings({"first_name", "email"}) is None
    assert usual_settings({"plan", "age"}) is None


def test_the_version_changes_with_the_settings_alone() -> None:
    text = (JOURNEYS / "resolution.yaml").read_text("utf-8")
    assert load_resolution(text).version == load_resolution(f"# a remark\n{text}").version
    assert load_resolution(text).version != load_resolution(text.replace("upper: 0.99", "upper: 0.98")).version
