"""The laws of the guards: what counts as an attribute, who is named, and how alike two segments are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert

from sojourn.customers.segments import guards, over_time
from sojourn.customers.segments.over_time import Sample
from sojourn.language.conditions import parse
from sojourn.language.loader import load
from sojourn.language.segment_guards import MOST_ATTRIBUTES, attributes, too_many_attributes
from sojourn.store.database import Database
from sojourn.store.tables import profiles, segment_members

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PEOPLE = [f"{i:08x}-0000" for i in range(24)]
memberships = st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from(PEOPLE)), max_size=5)


# -- attributes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "counted"),
    [
        ('did("Signed Up") and not did("Signed Up", within="7d")', {"Signed Up"}),
        ('sum("Product Added", "price", within="24h") >= 150 and did("Product Added")', {"Product Added: price"}),
        (
            'distinct("Product Added", "category") > 1 or sum("Product Added", "price") > 1',
            {"Product Added: price", "Product Added: category"},
        ),
        (
            'count("Order Completed", where="event.total > 3 and profile.plan == \\"gold\\"") > 1',
            {"Order Completed: total", "profile.plan"},
        ),
        ('days_since(last("Order Completed")) > 3 and first("Order Completed", "name") == "x"', {"Order Completed"}),
        ("segment.vip and profile.address.city == profile.town", {"segment.vip", "profile.address.city", "profile.town"}),
    ],
)
def test_an_attribute_is_a_trait_a_property_of_an_event_or_a_segment_each_once(condition: str, counted: set[str]) -> None:
    assert set(attributes(parse(condition))) == counted


@given(st.lists(st.sampled_from([f"profile.t{i}" for i in range(9)]), min_size=2, max_size=20))
def test_only_different_attributes_count_and_more_than_five_are_too_many(asked: list[str]) -> None:
    condition = parse(" or ".join(f"{one} == 1" for one in asked))
    assert len(attributes(condition)) == len(set(asked))
    assert (too_many_attributes(condition) is not None) is (len(set(asked)) > MOST_ATTRIBUTES)


# -- who is named ----------------------------------------------------------------------------------

SHOP = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
NAMING = {
    "a step": (
        "sample.yaml",
        "journey: sample\ndescription: d\nenter: {on: Signed Up}\nsteps: [{if: segment.lonely, then: [{end: a}]}, {end: b}]\n",
    ),
    "a trigger": (
        "sample.yaml",
        "journey: sample\ndescription: d\nenter: {on: Segment Entered, if: event.segment == 'lonely'}\nsteps: [{end: a}]\n",
    ),
    "a trigger of all": ("sample.yaml", "journey: sample\ndescription: d\nenter: {on: Segment Exited}\nsteps: [{end: a}]\n"),
    "a wait": (
        "sample.yaml",
        "journey: sample\ndescription: d\nenter: {on: Signed Up}\nsteps: [{wait_for: Segment Entered, if: 'event.segment in [\"lonely\"]',"
        " up_to: 1d}, {end: a}]\n",
    ),
    "another segment": ("segments/other.yaml", "segment: other\ndescription: d\nmembers: not segment.lonely\n"),
    "a model": (
        "models/m.yaml",
        "model: m\nkind: logistic\ndescription: d\nintercept: 0\nfeatures:\n  - {value: segment.lonely, weight: 1, label: alone}\n",
    ),
}


def lonely(folder: Path, *others: tuple[str, str]) -> list[str]:
    files = [("shop.yaml", SHOP), ("segments/lonely.yaml", 'segment: lonely\ndescription: d\nmembers: did("Signed Up")\n'), *others]
    for name, text in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return [str(warning) for warning in load(folder).warnings if "`lonely`" in warning.message]


def test_a_segment_that_nothing_names_is_warned_of_at_its_name(tmp_path: Path) -> None:
    (said,) = lonely(tmp_path)
    assert "lonely.yaml:1:10: no journey, segment, model or content names `lonely`" in said


@pytest.mark.parametrize("by", NAMING)
def test_a_segment_that_anything_names_is_not(tmp_path: Path, by: str) -> None:
    assert lonely(tmp_path, NAMING[by]) == []


# -- counted ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module", name="database")
def fresh_database() -> Database:
    found = Database("sqlite://")

    def settle(connection: Connection) -> None:
        connection.execute(insert(profiles), [{"id": one, "traits": {}, "first_seen": NOW, "last_seen": NOW} for one in PEOPLE])

    found.write_now(settle)
    return found


def put(connection: Connection, members: dict[str, set[str]]) -> None:
    connection.execute(delete(segment_members))
    rows = [{"segment": name, "profile_id": one, "since": NOW} for name, people in members.items() for one in people]
    if rows:
        connection.execute(insert(segment_members), rows)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(members=memberships)
def test_just_those_pairs_are_warned_of_that_share_more_than_nine_in_ten_of_all_in_either(
    database: Database, members: dict[str, set[str]]
) -> None:
    database.write_now(put, members)
    sizes = database.read_now(guards.sizes, members)
    assert sizes == {name: len(people) for name, people in members.items()}
    found = {frozenset((each.one, each.other)): each for each in database.read_now(guards.overlaps, sizes)}
    for one in members:
        for other in members:
            either = members[one] | members[other]
            if one < other and either:
                share = len(members[one] & members[other]) / len(either)
                overlap = found.get(frozenset((one, other)))
                assert (overlap is not None and bool(guards.too_alike([overlap]))) is (share > guards.MOST_OVERLAP)
                if overlap is not None:
                    assert overlap.share == pytest.approx(share)
                    assert overlap.of_one == pytest.approx(len(members[one] & members[other]) / len(members[overlap.one]))
                    assert not overlap.sampled


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 10**7)))
def test_no_pair_that_can_overlap_above_the_limit_is_left_out(sizes: dict[str, int]) -> None:
    asked = {frozenset((one, other)) for one, near in guards.candidates(sizes) for other in near}
    for one, mine in sizes.items():
        for other, its in sizes.items():
            if one != other and min(mine, its) > guards.MOST_OVERLAP * max(mine, its):  # as much as it can be
                assert frozenset((one, other)) in asked


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 300)))
def test_a_segment_of_fewer_than_a_hundred_is_warned_of(sizes: dict[str, int]) -> None:
    assert {guard.segment for guard in guards.too_few(sizes)} == {name for name, count in sizes.items() if count < 100}


@given(st.integers(1, 10_000), st.floats(0, 1), st.integers(1, 200))
def test_a_sample_never_stands_for_more_than_everyone_and_everyone_is_no_sample(taken: int, share: float, more: int) -> None:
    hits, of = round(share * taken), taken * more
    members, error = over_time.estimate(hits, Sample("x", taken, of))
    assert 0 <= members <= of
    assert error >= 0
    assert over_time.estimate(hits, Sample(None, taken, taken)) == (hits, 0)


def test_the_error_of_a_sample_is_that_of_the_textbook() -> None:
    # 1,000 of 1,000,000 asked, half of them in: 1.96 * sqrt(0.25 / 1000 * 0.999) = 3.1 in a hundred.
    assert over_time.estimate(500, Sample("x", 1_000, 1_000_000)) == (500_000, 30_975)


def test_the_moments_of_a_size_end_now_and_are_even() -> None:
    at = over_time.moments(NOW, timedelta(days=4), 5)
    assert at == [NOW - timedelta(days=days) for days in (4, 3, 2, 1, 0)]
