"""A role that one has at a time: whoever is asleep loses it, and learns of it before it does anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from sojourn.store import leases
from sojourn.store.database import Database
from sojourn.store.leases import GOOD_FOR_S, LONG_GONE, Lease, this_process
from sojourn.store.tables import leases as table

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


@dataclass
class Hand:
    """Both clocks, moved by hand; each machine's calendar may be wrong by as much as it likes."""

    passed: float = 0.0
    wrong: float = 0.0

    def move(self, seconds: float) -> None:
        self.passed += seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed + self.wrong)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    made = Hand()
    monkeypatch.setattr(leases, "monotonic", lambda: 1000.0 + made.passed)
    monkeypatch.setattr(leases, "real_now", made.now)
    return made


@pytest.fixture
def database() -> Iterator[Database]:
    opened = Database("sqlite://")
    yield opened
    opened.close_now()


def step(lease: Lease) -> bool:
    return asyncio.run(lease._step())


def test_the_first_to_ask_has_it_and_keeps_it_while_it_asks(database: Database, hand: Hand) -> None:
    one, two = Lease(database, "caller", "a:1:x"), Lease(database, "caller", "b:2:y")
    assert step(one)
    term = one.term
    for _ in range(10):
        hand.move(GOOD_FOR_S / 2)
        assert not step(two)
        assert step(one)
        assert one.holds(term)
        assert not two.holds(two.term)


@pytest.mark.parametrize("wrong", [-25.0, -1.0, 0.0, 1.0, 25.0])
def test_another_machine_takes_over_only_after_the_holder_has_stopped_however_wrong_its_clock(
    database: Database, hand: Hand, wrong: float
) -> None:
    one, two = Lease(database, "caller", "a:1:x"), Lease(database, "caller", "b:2:y")
    assert step(one)
    hand.wrong = wrong
    waited = 0.0
    while not step(two):
        hand.move(0.2)
        waited += 0.2
        assert waited < 3.0, "not taken over in time"
    assert not one.holds(one.term)
    assert waited >= GOOD_FOR_S - 0.01
    hand.wrong = 0.0
    assert not step(one), "who was asleep finds another in its place"


def test_on_the_same_machine_it_is_free_when_its_time_is_over(database: Database, hand: Hand) -> None:
    step(Lease(database, "caller", "a:1:x"))
    hand.move(GOOD_FOR_S - 0.1)
    after = Lease(database, "caller", "a:2:y")
    assert not step(after)
    hand.move(0.2)
    assert step(after)


def test_what_nobody_has_had_for_long_is_free_at_first_sight(database: Database, hand: Hand) -> None:
    step(Lease(database, "caller", "a:1:x"))
    hand.move(GOOD_FOR_S + LONG_GONE.total_seconds() + 1)
    assert step(Lease(database, "caller", "b:2:y"))


def test_who_was_asleep_holds_nothing_and_begins_a_new_term(database: Database, hand: Hand) -> None:
    one = Lease(database, "caller", "a:1:x")
    step(one)
    term = one.term
    hand.move(60)
    assert not one.holds(term)
    assert step(one)
    assert one.holds(one.term)
    assert not one.holds(term), "what was read before it slept may be done by now"


def test_who_gives_it_up_lets_another_have_it_at_once(database: Database, hand: Hand) -> None:
    one, two = Lease(database, "caller", "a:1:x"), Lease(database, "caller", "b:2:y")
    step(one)
    asyncio.run(one.give_up())
    assert not one.holds(one.term)
    assert step(two)
    asyncio.run(one.give_up())
    assert database.read_now(lambda c: c.execute(select(table.c.holder)).scalar()) == "b:2:y"


def test_of_two_who_see_it_free_one_has_it(database: Database, hand: Hand) -> None:
    for seen in (None, leases.Seen("gone", START)):
        if seen is not None:
            database.write_now(lambda c: c.execute(table.update().values(holder="gone", until=START)))
        assert [database.write_now(leases.take, "caller", who, hand.now(), seen) for who in ("one", "two")] == [True, False]


def test_no_two_processes_are_named_alike() -> None:
    assert this_process() != this_process()
