"""How an entry ended is what is known best of it, in whatever order it is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import Connection, insert, select

from sojourn.intake.endings import GUESS, WORKER, Ending, mark_ended, unwritten
from sojourn.store.database import Database
from sojourn.store.tables import definitions, entries, profiles

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CLOSED = Ending("e", "closed", "its workflow had closed", GUESS)
SEEN = Ending("e", "looking_around", "nothing came", WORKER)
RECORD = Ending("e", "looking_around", "nothing came")
TERMINATED = Ending("e", "terminated", "Temporal says terminated", GUESS)
TIMED_OUT = Ending("e", "timed_out", "Temporal says timed_out", GUESS)
FAILED = Ending("e", "failed", "ValueError", WORKER)
FAILED_GUESS = Ending("e", "failed", "Temporal says failed", GUESS)
BOUGHT = Ending("e", "purchased", "Order Completed came")


def begin(connection: Connection) -> None:
    connection.execute(insert(profiles).values(id="p", traits={}, first_seen=NOW, last_seen=NOW))
    connection.execute(insert(definitions).values(version="v", journey="j", body={}, first_seen=NOW))
    connection.execute(
        insert(entries).values(
            id="e", journey="j", version="v", profile_id="p", workflow_id="w", trigger_id="t", trigger={}, variants={},
            started_at=NOW, state="running", holdout=False,
        )
    )  # fmt: skip


def standing(connection: Connection) -> tuple[str, str]:
    row = connection.execute(select(entries)).one()
    assert row.state == "ended"
    return row.outcome, row.because


@pytest.mark.parametrize(
    ("true", "inferred"),
    [
        (SEEN, [CLOSED]),
        (SEEN, [CLOSED, TERMINATED, TIMED_OUT]),
        (RECORD, [CLOSED, FAILED_GUESS]),
        (FAILED, [CLOSED]),
        (BOUGHT, [CLOSED, SEEN, TERMINATED]),
        (RECORD, [FAILED]),
    ],
)
def test_the_true_outcome_replaces_what_was_only_inferred_in_whatever_order_they_come(true: Ending, inferred: list[Ending]) -> None:
    for number, order in enumerate(permutations([true, *inferred])):
        database = Database("sqlite://")
        database.write_now(begin)
        for minute, ending in enumerate(order):
            database.write_now(mark_ended, [ending], NOW + timedelta(minutes=minute))
        assert database.read_now(standing) == (true.outcome, true.because), order
        assert database.read_now(lambda c: c.execute(select(entries.c.ended_at)).scalar()) == NOW, "it ended when it was first known to"
        database.close_now()
        together = Database("sqlite://")
        together.write_now(begin)
        assert together.write_now(mark_ended, order, NOW) == 1
        assert together.read_now(standing) == (true.outcome, true.because), order
        together.close_now()
        assert number < 24


def test_of_two_guesses_and_of_two_certain_endings_the_first_stands() -> None:
    for first, second in ((CLOSED, TERMINATED), (BOUGHT, RECORD)):
        database = Database("sqlite://")
        database.write_now(begin)
        assert [database.write_now(mark_ended, [one], NOW) for one in (first, second)] == [1, 0]
        assert database.read_now(standing) == (first.outcome, first.because)
        database.close_now()


def test_an_end_that_the_server_did_not_take_gives_way_to_the_one_that_it_took() -> None:
    """An event met the end in the same second: the worker goes through the step again, and comes to another end."""
    database = Database("sqlite://")
    database.write_now(begin)
    database.write_now(mark_ended, [SEEN], NOW)
    database.write_now(mark_ended, [Ending("e", "clicked", "Email Link Clicked came", WORKER)], NOW)
    assert database.read_now(standing) == ("clicked", "Email Link Clicked came")
    database.close_now()


def test_only_what_changes_something_is_looked_at_more_closely() -> None:
    database = Database("sqlite://")
    database.write_now(begin)
    assert database.read_now(unwritten, [RECORD, Ending("nobody", "x", "")]) == [RECORD]
    database.write_now(mark_ended, [SEEN], NOW)
    assert database.read_now(unwritten, [RECORD]) == []
    assert database.read_now(unwritten, [BOUGHT]) == [BOUGHT]
    database.close_now()
