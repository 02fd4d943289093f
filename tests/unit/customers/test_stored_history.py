"""A stored history answers as one held in memory does; and what a machine did is not in it."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from sojourn.customers.history import StoredHistory
from sojourn.language.conditions.facts import EventFact, ListHistory
from sojourn.store.database import Database
from sojourn.store.tables import events, profiles

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 5, tzinfo=UTC)


def at(minutes):
    return START + timedelta(minutes=minutes)


@contextmanager
def stored(facts, machine=False):
    database = Database("sqlite://")

    def work(connection):
        people = [{"id": name, "traits": {}, "first_seen": START, "last_seen": START} for name in ("p", "q")]
        connection.execute(insert(profiles), people)
        for i, fact in enumerate(facts):
            for owner in ("p", "q"):
                row = {"id": f"{owner}{i:03}", "seq": i, "profile_id": owner, "kind": "track", "machine": machine}
                connection.execute(insert(events), {**row, "name": fact.name, "time": fact.time, "properties": dict(fact.properties)})

    database.write_now(work)
    yield database
    database.close_now()


_facts = st.lists(
    st.builds(lambda name, m, n: EventFact(name, at(m), {"n": n}), st.sampled_from("AB"), st.integers(0, 5), st.integers(0, 9)), max_size=8
)


@settings(deadline=None)
@given(_facts, st.none() | st.integers(0, 5), st.integers(0, 6))
def test_the_store_and_the_list_answer_alike(facts, after, until):
    window = ("A", None if after is None else at(after), at(until))
    expected = ListHistory(sorted(facts, key=lambda fact: fact.time)).events(*window)
    with stored(facts) as database:
        assert list(database.read_now(lambda c: StoredHistory(c, "p").events(*window))) == list(expected)


def test_what_a_machine_opened_is_not_in_it():
    facts = [EventFact("Email Opened", at(1), {})]
    for machine, count in ((False, 1), (True, 0)):
        with stored(facts, machine) as database:
            assert len(database.read_now(lambda c: StoredHistory(c, "p").events("Email Opened", None, at(9)))) == count
