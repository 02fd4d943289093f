from __future__ import annotations

from datetime import timedelta

import pytest
from resolution_cases import NOW, merged, store
from sqlalchemy import update

from sojourn.customers.resolution import queue
from sojourn.customers.resolution.merging import by_identity
from sojourn.customers.resolution.pairs import Agreement, Pair, pair_id
from sojourn.errors import NotFound
from sojourn.store.database import Database
from sojourn.store.tables import profiles

LATER = NOW + timedelta(days=1)
AB, BC = pair_id("a", "b"), pair_id("b", "c")


def pair(left: str, right: str, probability: float = 0.7) -> Pair:
    return Pair(left, right, probability, 1.2, (Agreement("last_name", "one slip of a key", 4.25),))


@pytest.fixture
def database() -> Database:
    database = Database("sqlite://")
    database.write_now(store, {name: {"last_name": name} for name in "abcd"})
    database.write_now(queue.propose, [(pair("a", "b"), None), (pair("b", "c", 0.6), "a chain")], "v1", NOW)
    return database


def states(database: Database) -> dict[str, str]:
    found = {each.id: each.state for state in queue.STATES for each in database.read_now(queue.page, state)}
    return {"ab": found[AB], "bc": found[BC]}


def test_the_queue_shows_the_most_probable_first_in_pages_and_no_values(database: Database) -> None:
    first = database.read_now(queue.page, queue.PENDING, None, 1)
    second = database.read_now(queue.page, queue.PENDING, first[0], 1)
    assert [each.id for each in (*first, *second)] == [AB, BC]
    assert first[0].because == ({"field": "last_name", "level": "one slip of a key", "weight": 4.25},)
    assert second[0].reason == "a chain"
    assert not database.read_now(queue.page, queue.PENDING, second[0], 1)


def test_proposing_again_renews_what_waits_and_leaves_what_was_decided(database: Database) -> None:
    database.write_now(queue.reject, AB, "ann", NOW)
    database.write_now(queue.propose, [(pair("a", "b", 0.99), None), (pair("b", "c", 0.8), None)], "v2", LATER)
    rejected, waiting = database.read_now(queue.get, AB), database.read_now(queue.get, BC)
    assert (rejected.state, rejected.probability, rejected.model, rejected.decided_by) == ("rejected", 0.7, "v1", "ann")
    assert (waiting.state, waiting.probability, waiting.model, waiting.created_at) == ("pending", 0.8, "v2", NOW)


def test_accepting_merges_once_however_often_it_is_said(database: Database) -> None:
    for at in (NOW, LATER):
        found = database.write_now(queue.accept, AB, "ann", at, by_identity)
        assert (found.state, found.decided_by, found.decided_at) == ("merged", "ann", NOW)
    assert database.read_now(merged) == {("b", "a")}


def test_rejecting_is_said_once_and_holds_apart(database: Database) -> None:
    for at in (NOW, LATER):
        assert database.write_now(queue.reject, AB, "ann", at).decided_at == NOW
    assert database.read_now(queue.apart) == {("a", "b")}
    assert database.read_now(merged) == set()


def test_a_rejection_holds_apart_under_the_ids_by_which_both_live_on(database: Database) -> None:
    database.write_now(queue.reject, AB, "ann", NOW)
    database.write_now(by_identity, "b", "d", "another reason", NOW, by_hand=True)
    assert database.read_now(queue.apart) == {("a", "d")}
    database.write_now(queue.propose, [(pair("a", "d"), None), (pair("c", "d"), None)], "v1", NOW)
    database.write_now(by_identity, "d", "c", "another reason", NOW, by_hand=True)
    with pytest.raises(queue.Conflict, match="held apart"):
        database.write_now(queue.accept, pair_id("a", "d"), "ann", NOW, by_identity)


def test_a_person_may_think_better_of_a_rejection_but_not_reject_what_is_merged(database: Database) -> None:
    database.write_now(queue.reject, AB, "ann", NOW)
    assert database.write_now(queue.accept, AB, "ann", LATER, by_identity).state == "merged"
    with pytest.raises(queue.Conflict, match="unmerge"):
        database.write_now(queue.reject, AB, "ann", LATER)


def test_a_merge_that_identity_refuses_is_recorded_and_not_proposed_again(database: Database) -> None:
    def refuse(*_: object, **__: object) -> str:
        return "it would exceed the limit of user ids"

    found = database.write_now(queue.accept, AB, "ann", NOW, refuse)
    assert (found.state, found.reason) == ("refused", "it would exceed the limit of user ids")
    assert database.read_now(queue.apart) == {("a", "b")}


def test_a_merge_that_was_taken_back_holds_apart(database: Database) -> None:
    database.write_now(queue.accept, AB, "ann", NOW, by_identity)
    assert database.read_now(queue.apart) == frozenset()
    database.write_now(lambda connection: connection.execute(update(profiles).where(profiles.c.id == "b").values(merged_into=None)))
    assert database.read_now(queue.apart) == {("a", "b")}


def test_what_is_not_found_again_is_set_aside_until_it_is(database: Database) -> None:
    assert database.write_now(queue.expire, {AB}, LATER) == 1
    assert states(database) == {"ab": "pending", "bc": "stale"}
    database.write_now(queue.propose, [(pair("b", "c"), None)], "v1", LATER)
    assert states(database) == {"ab": "pending", "bc": "pending"}


def test_profiles_that_became_one_by_other_ways_count_as_merged(database: Database) -> None:
    database.write_now(by_identity, "b", "a", "a shared address", NOW, by_hand=False)
    found = database.write_now(queue.accept, AB, "ann", LATER, by_identity)
    assert (found.state, found.reason) == ("merged", "they were one already")
    assert database.read_now(merged) == {("b", "a")}


def test_an_id_may_be_shortened_as_long_as_it_is_clear(database: Database) -> None:
    assert database.read_now(queue.get, AB[:13]).id == AB
    for wrong in ("%", "zz"):
        with pytest.raises(NotFound, match="no pair"):
            database.read_now(queue.get, wrong)
