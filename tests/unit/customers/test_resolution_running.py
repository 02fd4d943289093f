from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from resolution_cases import NOW, customers, everything, merged, settings, store

from sojourn.customers.resolution import queue
from sojourn.customers.resolution.merging import by_identity
from sojourn.customers.resolution.pairs import NotComparable, silent
from sojourn.customers.resolution.running import Outcome, run
from sojourn.store.database import Database
from sojourn.store.tables import profiles


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database("sqlite://")
    database.write_now(lambda connection: profiles.metadata.create_all(connection))
    database.write_now(store, customers())
    yield database
    database.engine.dispose()


def resolve(database: Database, **changed: Any) -> Outcome:
    return run(database, settings(**changed), NOW, silent, by_identity)


def decided(database: Database) -> dict[str, list[queue.Candidate]]:
    return {state: database.read_now(queue.page, state) for state in queue.STATES}


def test_people_who_came_twice_are_found_and_nobody_else_is_merged(database: Database) -> None:
    outcome = resolve(database)
    pairs = database.read_now(merged)
    assert outcome.merged == len(pairs) >= 45
    assert {frozenset(pair) for pair in pairs} <= {frozenset((f"a-{number}", f"b-{number}")) for number in range(60)}


@pytest.mark.parametrize("upper", [0.5, 0.9, 0.99, 0.9999, 0.999999])
def test_nothing_below_upper_is_merged_without_a_person(database: Database, upper: float) -> None:
    outcome = resolve(database, upper=upper)
    found = decided(database)
    assert found["merged"] or found["pending"]
    assert all(each.probability >= upper for each in found["merged"])
    assert {each.decided_by for each in found["merged"]} <= {queue.BY_RESOLUTION}
    assert all(each.probability < upper or each.reason for each in found["pending"])
    assert len(database.read_now(merged)) == len(found["merged"]) == outcome.merged


def test_a_dry_run_writes_nothing_and_says_what_would_be(database: Database) -> None:
    before = database.read_now(everything)
    foreseen = run(database, settings(), NOW, silent, by_identity, dry_run=True)
    assert database.read_now(everything) == before
    assert sum(database.read_now(queue.counts).values()) == 0
    done = resolve(database)
    assert done.merged == len(foreseen.linked.clusters.links)
    assert done.waiting == foreseen.waiting


def test_the_same_seed_gives_the_same_pairs_to_the_last_digit(database: Database) -> None:
    first, second = (run(database, settings(), NOW, silent, by_identity, dry_run=True).linked for _ in range(2))
    assert first.pairs == second.pairs
    assert first.clusters == second.clusters


def test_a_second_run_merges_no_more_and_asks_nothing_twice(database: Database) -> None:
    resolve(database, upper=0.9999999)
    before = {each.id: each for state in ("pending", "merged") for each in database.read_now(queue.page, state)}
    pairs = database.read_now(merged)
    again = resolve(database, upper=0.9999999)
    assert again.merged == 0
    assert database.read_now(merged) == pairs
    assert before.keys() == {each.id for state in ("pending", "merged") for each in database.read_now(queue.page, state)}


def test_what_was_rejected_is_neither_proposed_nor_merged_by_a_bolder_run(database: Database) -> None:
    resolve(database, upper=0.9999999)
    waiting = database.read_now(queue.page)
    assert len(waiting) >= 5
    for each in waiting:
        database.write_now(queue.reject, each.id, "ann", NOW)
    bolder = resolve(database, upper=0.5)
    assert bolder.merged == 0
    assert database.read_now(queue.page) == []
    assert len(database.read_now(queue.page, "rejected")) == len(waiting)


def test_why_says_which_fields_agree_and_how_much_that_weighs(database: Database) -> None:
    resolve(database)
    found = database.read_now(queue.page, "merged")[0]
    assert [part["field"] for part in found.because] == ["first_name", "last_name", "birth_date", "postcode", "city"]
    assert sum(part["weight"] for part in found.because) > 10
    values = {value for traits in customers().values() for value in traits.values()}
    assert not values & {str(part["level"]) for part in found.because}


def test_too_few_profiles_are_left_alone() -> None:
    database = Database("sqlite://")
    database.write_now(lambda connection: profiles.metadata.create_all(connection))
    database.write_now(store, customers(20, 5))
    with pytest.raises(NotComparable, match="only 25 records"):
        resolve(database)
    database.engine.dispose()


def test_a_line_that_gives_too_many_pairs_is_named_before_any_is_made(database: Database) -> None:
    with pytest.raises(NotComparable, match=r"the line \[city\] gives [\d,]+ pairs, the largest block \d+ records"):
        resolve(database, block=(("city",),), max_pairs=500)


def test_a_trait_that_nobody_has_counts_for_nothing_and_is_said(database: Database) -> None:
    known = settings()
    more = settings(compare=(*known.compare, known.compare[0].model_copy(update={"trait": "phone", "as_": "phone"})))
    outcome = run(database, more, NOW, silent, by_identity)
    assert outcome.merged >= 45
    assert any("phone" in note for note in outcome.linked.learned.notes)


def test_every_phase_tells_how_far_it_is(database: Database) -> None:
    told: dict[str, tuple[int, int]] = {}
    run(database, settings(), NOW, lambda phase, done, total: told.update({phase: (done, total)}), by_identity)
    assert list(told) == ["reading", "training", "scoring", "clustering", "merging"]
    assert all(done == total > 0 for done, total in told.values())
    assert told["reading"] == (210, 210)
