from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from resolution_cases import NOW, customers, everything, merged, settings, store
from sqlalchemy import Connection

from sojourn.customers.resolution import queue
from sojourn.customers.resolution.frame import Frame
from sojourn.customers.resolution.merging import by_identity
from sojourn.customers.resolution.pairs import NotComparable, silent
from sojourn.customers.resolution.running import Outcome, Scored, act, decide, run, score
from sojourn.store.database import Database

pytestmark = pytest.mark.slow


def opened() -> Database:
    database = Database("sqlite://")
    return database


@pytest.fixture
def database() -> Database:
    database = opened()
    database.write_now(store, customers())
    return database


def scores(**changed: Any) -> Scored:
    chosen = settings(**changed)
    known = customers()
    with Frame(chosen) as frame:
        frame.add(list(known), [[traits.get(trait) for traits in known.values()] for trait in frame.traits])
        return score(frame, silent)


@pytest.fixture(scope="module")
def scored() -> Scored:
    """Learned once: the thresholds come after."""
    return scores(upper=0.5)


def resolve(database: Database, scored: Scored, **changed: Any) -> Outcome:
    chosen = settings(**changed)
    return act(database, decide(scored, chosen, database.read_now(queue.apart)), chosen.version, NOW, silent, by_identity)


def decided(database: Database) -> dict[str, list[queue.Candidate]]:
    return {state: database.read_now(queue.page, state) for state in queue.STATES}


def test_people_who_came_twice_are_found_and_nobody_else_is_merged(database: Database, scored: Scored) -> None:
    outcome = resolve(database, scored)
    pairs = database.read_now(merged)
    assert outcome.merged == len(pairs) >= 45
    assert {frozenset(pair) for pair in pairs} <= {frozenset((f"a-{number}", f"b-{number}")) for number in range(60)}


@pytest.mark.parametrize("upper", [0.5, 0.9, 0.99, 0.9999, 0.999999])
def test_nothing_below_upper_is_merged_without_a_person(database: Database, scored: Scored, upper: float) -> None:
    outcome = resolve(database, scored, upper=upper)
    found = decided(database)
    assert found["merged"] or found["pending"]
    assert all(each.probability >= upper for each in found["merged"])
    assert {each.decided_by for each in found["merged"]} <= {queue.BY_RESOLUTION}
    assert all(each.probability < upper or each.reason for each in found["pending"])
    assert len(database.read_now(merged)) == len(found["merged"]) == outcome.merged


def test_a_dry_run_writes_nothing_and_the_run_does_what_it_said_and_tells_how_far_it_is(database: Database) -> None:
    before = database.read_now(everything)
    foreseen = run(database, settings(), NOW, silent, by_identity, dry_run=True)
    assert database.read_now(everything) == before
    assert sum(database.read_now(queue.counts).values()) == 0
    told: dict[str, tuple[int, int]] = {}
    done = run(database, settings(), NOW, lambda phase, done, total: told.update({phase: (done, total)}), by_identity)
    assert done.merged == len(foreseen.linked.clusters.links) >= 45
    assert done.waiting == foreseen.waiting
    assert list(told) == ["reading", "training", "scoring", "clustering", "merging"]
    assert all(done == total > 0 for done, total in told.values())
    assert told["reading"] == (210, 210)


@pytest.mark.storeless
def test_the_same_seed_gives_the_same_pairs_to_the_last_digit(scored: Scored) -> None:
    again = scores(upper=0.5)
    assert again.pairs == scored.pairs
    assert again.within == scored.within


def test_acting_again_on_the_same_findings_merges_no_more_and_asks_nothing_twice(database: Database, scored: Scored) -> None:
    linked = decide(scored, settings(upper=0.9999))
    first = act(database, linked, "v", NOW, silent, by_identity)
    before, pairs = decided(database), database.read_now(merged)
    assert before["merged"]
    assert before["pending"]
    again = act(database, linked, "v", NOW + timedelta(days=1), silent, by_identity)
    assert decided(database) == before
    assert database.read_now(merged) == pairs
    assert (again.merged, again.waiting) == (first.merged, first.waiting)


def test_a_run_that_died_between_proposing_and_merging_goes_on_where_it_was(database: Database, scored: Scored) -> None:
    calls = 0

    def dies(connection: Connection, loser_id: str, winner_id: str, because: str, at: datetime, *, by_hand: bool) -> str | None:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise RuntimeError("killed")
        return by_identity(connection, loser_id, winner_id, because, at, by_hand=by_hand)

    linked = decide(scored, settings())
    with pytest.raises(RuntimeError):
        act(database, linked, "v", NOW, silent, dies)
    assert len(database.read_now(merged)) == 9
    act(database, linked, "v", NOW, silent, by_identity)
    assert len(database.read_now(merged)) == len(linked.clusters.links) > 10


def test_what_was_rejected_is_neither_proposed_nor_merged_by_a_bolder_run(database: Database, scored: Scored) -> None:
    resolve(database, scored, upper=0.999999999)
    waiting = database.read_now(queue.page)
    assert len(waiting) >= 5
    for each in waiting:
        database.write_now(queue.reject, each.id, "ann", NOW)
    bolder = resolve(database, scored, upper=0.5)
    assert bolder.merged == len(bolder.linked.clusters.links)
    assert not {each.id for each in waiting} & {each.id for each in decided(database)["merged"]}
    assert len(database.read_now(queue.page, "rejected")) == len(waiting)


def test_why_says_which_fields_agree_and_how_much_that_weighs_and_no_value(database: Database, scored: Scored) -> None:
    resolve(database, scored)
    found = database.read_now(queue.page, "merged")[0]
    assert [part["field"] for part in found.because] == ["first_name", "last_name", "birth_date", "postcode", "city"]
    assert sum(part["weight"] for part in found.because) > 10
    values = {value for traits in customers().values() for value in traits.values()}
    assert not values & {str(part["level"]) for part in found.because}


def test_too_few_profiles_are_left_alone() -> None:
    database = opened()
    database.write_now(store, customers(20, 5))
    with pytest.raises(NotComparable, match="only 25 records"):
        run(database, settings(), NOW, silent, by_identity)
    database.close_now()


def test_a_line_that_gives_too_many_pairs_is_named_before_any_is_made() -> None:
    with pytest.raises(NotComparable, match=r"the line \[city\] gives [\d,]+ pairs, the largest block \d+ records"):
        scores(block=(("city",),), max_pairs=500)


@pytest.mark.storeless
def test_a_trait_that_nobody_has_counts_for_nothing_and_is_said(scored: Scored) -> None:
    known = settings()
    found = scores(compare=(*known.compare, known.compare[0].model_copy(update={"trait": "phone", "as_": "phone"})), upper=0.5)
    assert {pair.key for pair in found.pairs} == {pair.key for pair in scored.pairs}
    assert any("phone" in note for note in found.learned.notes)
