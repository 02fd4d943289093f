"""What the commands ask of the store is what the conditions say of facts in hand: who, how many over time, and why."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import pytest

from sojourn.customers.history import StoredHistory
from sojourn.customers.segments import live, over_time
from sojourn.customers.segments.over_time import Sample
from sojourn.customers.segments.people import PROFILE_ID, called, kinds, known_by
from sojourn.customers.segments.preview import people, sweep_page
from sojourn.customers.segments.standing import standing
from sojourn.language.conditions import Condition, Facts, ListHistory, parse
from sojourn.language.model import Segment
from sojourn.language.segments import conditions_of
from sojourn.store.database import Database
from sojourn.store.limits import TookTooLong, limited
from sojourn.store.tables import profiles
from sojourn.testing import Shop

SEGMENTS = {
    "regular": 'count("Order Completed", within="12d") >= 2',
    "quiet": 'did("Order Completed") and not did("Product Viewed", within="5d")',
    "mixed": 'segment.regular or (segment.quiet and sum("Order Completed", "revenue", where="event.revenue >= 40") > 80)',
    "gold": 'profile.plan == "gold" and days_since(last("Order Completed")) < 9.5',
}
TRIED = [
    *SEGMENTS.values(),
    "segment.mixed and not segment.gold",
    'at_least(2, segment.regular, segment.quiet, profile.plan in ["gold", "tin"], distinct("Product Viewed", "kind") >= 2)',
]


@dataclass
class Filled:
    database: Database
    now: datetime
    conditions: dict[str, Condition]
    ids: list[str]

    def facts(self, profile_id: str, at: datetime) -> Facts:
        def read(connection):  # type: ignore[no-untyped-def]
            row = connection.execute(profiles.select().where(profiles.c.id == profile_id)).one()
            names = ("Order Completed", "Product Viewed")
            history = StoredHistory(connection, profile_id)
            known = sorted((e for name in names for e in history.events(name, None, at)), key=lambda e: e.time)
            return row.traits, known

        traits, known = self.database.read_now(read)
        return Facts(now=at, profile=traits, history=ListHistory(known))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Fifteen people, thirty days of what they did."""
    chance = Random(7)
    written = [f"segment: {name}\ndescription: d\nmembers: {text}\n" for name, text in SEGMENTS.items()]
    url = f"sqlite:///{tmp_path_factory.mktemp('asking')}/s.db"
    with Shop(segments=written, database_url=url) as shop:
        for _day in range(30):
            for person in (f"p{chance.randrange(15)}" for _ in range(3)):
                if chance.random() < 0.2:
                    shop.identify(person, {"plan": chance.choice(["gold", "tin"])})
                elif chance.random() < 0.6:
                    shop.track(person, "Order Completed", {"revenue": chance.choice([20, 40, 60])})
                else:
                    shop.track(person, "Product Viewed", {"kind": chance.choice(["rug", "lamp"])})
            shop.advance("1d")
        now = shop.now
    database = Database(url, durable=False)
    ids = sorted(database.read_now(lambda connection: list(connection.execute(profiles.select()).scalars())))
    segments = {name: Segment(segment=name, description="d", members=text) for name, text in SEGMENTS.items()}
    yield Filled(database, now, conditions_of(segments), ids)
    asyncio.run(database.close())


@pytest.mark.parametrize("text", TRIED)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_sweep_finds_whoever_the_condition_holds_for_and_whoever_is_a_member_a_page_at_a_time(
    filled: Filled, text: str, size: int
) -> None:
    condition, found, asked, after = parse(text), {}, 0, ""
    while after is not None:
        page = filled.database.read_now(sweep_page, condition, filled.conditions, "regular", filled.now, after, size)
        assert page.asked <= size
        found |= {one.profile_id: (one.holds, one.member) for one in page.found}
        asked, after = asked + page.asked, page.last
    members = set(filled.database.read_now(live.members, "regular"))
    holds = {one for one in filled.ids if condition.holds(filled.facts(one, filled.now), filled.conditions)}
    assert asked == len(filled.ids) == filled.database.read_now(people)
    assert found == {one: (one in holds, one in members) for one in holds | members}


@pytest.mark.parametrize("text", TRIED)
def test_a_size_in_the_past_is_how_many_of_those_known_by_then_it_held_for(filled: Filled, text: str) -> None:
    condition = parse(text)
    first_seen = dict(filled.database.read_now(lambda c: [(row.id, row.first_seen) for row in c.execute(profiles.select())]))
    everyone = filled.database.read_now(over_time.take)
    for at in over_time.moments(filled.now, timedelta(days=28), 8):
        size = filled.database.read_now(over_time.size_at, condition, filled.conditions, at, everyone)
        there = [one for one in filled.ids if first_seen[one] <= at]
        assert size.members == sum(condition.holds(filled.facts(one, at), filled.conditions) for one in there)
        assert size.error == 0


def test_a_sample_is_those_with_the_lowest_ids_and_stands_for_everyone(filled: Filled) -> None:
    sample = filled.database.read_now(over_time.take, 5)
    assert sample == Sample(filled.ids[4], 5, len(filled.ids))
    size = filled.database.read_now(over_time.size_at, parse('did("Order Completed")'), {}, filled.now, sample)
    hits = sum(bool(filled.facts(one, filled.now).history.events("Order Completed", None, filled.now)) for one in filled.ids[:5])
    assert size.members == round(hits / 5 * len(filled.ids))


@pytest.mark.parametrize("segment", SEGMENTS)
def test_an_explanation_gives_each_leaf_as_the_condition_reads_it_also_in_the_past(filled: Filled, segment: str) -> None:
    for one in filled.ids:
        for at in (filled.now, filled.now - timedelta(days=11)):
            found = filled.database.read_now(standing, segment, filled.conditions, one, at)
            facts = filled.facts(one, at)
            assert found.why.holds is filled.conditions[segment].holds(facts, filled.conditions)
            assert found.turns == filled.conditions[segment].changes_at(facts, filled.conditions)
            for leaf in found.why.leaves:
                assert leaf.holds is parse(leaf.text).holds(facts, filled.conditions), leaf.text


@pytest.mark.parametrize("segment", SEGMENTS)
def test_the_moves_lead_to_where_the_person_stands(filled: Filled, segment: str) -> None:
    moved = 0
    for one in filled.ids:
        found = filled.database.read_now(standing, segment, filled.conditions, one, filled.now)
        moved += len(found.moves)
        assert [move.entered for move in found.moves] == [i % 2 == 0 for i in range(len(found.moves))]
        assert bool(len(found.moves) % 2) is (found.since is not None) is found.why.holds
        if found.since is not None:
            assert found.moves[-1].at == found.since
    assert moved


def test_people_are_known_by_their_ids_and_called_by_them(filled: Filled) -> None:
    known = filled.database.read_now(known_by, "user_id", ["p1", " p2 ", "nobody", "p\0"])
    assert set(known) == {"p1", " p2 "}
    assert filled.database.read_now(called, known.values()) == {known["p1"]: "p1", known[" p2 "]: "p2"}
    assert filled.database.read_now(known_by, PROFILE_ID, [known["p1"]]) == {known["p1"]: known["p1"]}
    assert filled.database.read_now(known_by, PROFILE_ID, ["p1"]) == {}
    assert filled.database.read_now(kinds) == ["user_id", PROFILE_ID]


def test_a_question_that_takes_too_long_is_stopped_and_the_next_is_not(filled: Filled) -> None:
    with pytest.raises(TookTooLong, match="longer than 0 seconds"):
        filled.database.read_now(limited, 0.0, _endless)
    assert filled.database.read_now(limited, 30.0, people) == len(filled.ids)


def _endless(connection):  # type: ignore[no-untyped-def]
    connection.exec_driver_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT count(*) FROM n")
