"""Addresses that must not be written to are known only by a keyed hash."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import select

from sojourn.customers.suppression import STRENGTH, address_hash, counts, suppress, suppress_all, suppressed, unsuppress
from sojourn.store.database import Database
from sojourn.store.tables import suppressions

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SECRET = "s" * 32


@pytest.fixture
def database():
    opened = Database("sqlite://")
    return opened


@pytest.mark.parametrize("same", ["Ann@Example.com", " ann@example.com ", "ANN@EXAMPLE.COM", "\uff41nn@example.com"])
def test_one_address_however_written_has_one_hash(same):
    assert address_hash(SECRET, same) == address_hash(SECRET, "ann@example.com")


def test_another_address_or_another_secret_has_another_hash():
    hashes = {address_hash(SECRET, "ann@example.com"), address_hash(SECRET, "ann@example.org"), address_hash("t" * 32, "ann@example.com")}
    assert len(hashes) == 3
    assert all(len(one) == 64 for one in hashes)


def test_a_suppressed_address_is_known_with_its_first_reason_until_taken_off(database):
    assert database.read_now(suppressed, SECRET, "ann@example.com") is None
    database.write_now(suppress, SECRET, "Ann@example.com", "complaint", NOW)
    database.write_now(suppress, SECRET, "ann@example.com", "unsubscribed", NOW)
    assert database.read_now(suppressed, SECRET, "ann@example.com") == "complaint"
    assert database.read_now(suppressed, SECRET, "bob@example.com") is None
    database.write_now(unsuppress, SECRET, "ann@example.com")
    assert database.read_now(suppressed, SECRET, "ann@example.com") is None


def test_the_list_names_nobody(database):
    database.write_now(suppress, SECRET, "ann@example.com", "hard_bounce", NOW)
    rows = database.read_now(lambda c: c.execute(select(suppressions)).all())
    assert "ann" not in repr(rows)


@given(st.lists(st.sampled_from(list(STRENGTH)), min_size=1, max_size=5))
@law(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_reason_that_stops_most_stands_in_whatever_order_they_come(database, reasons):
    database.write_now(unsuppress, SECRET, "ann@example.com")
    for reason in reasons:
        database.write_now(suppress, SECRET, "ann@example.com", reason, NOW)
    most = max(STRENGTH[reason] for reason in reasons)
    assert database.read_now(suppressed, SECRET, "ann@example.com") == next(r for r in reasons if STRENGTH[r] == most)


def test_many_at_once_are_kept_as_one_by_one_and_counted_once(database):
    people = [(f"p{i}@example.com", "import", NOW) for i in range(2_500)]
    database.write_now(suppress, SECRET, "p7@example.com", "unsubscribed", NOW)
    assert database.write_now(suppress_all, SECRET, [*people, people[0]]) == 2_499
    assert database.read_now(counts) == {"import": 2_500}
    assert database.write_now(suppress_all, SECRET, people) == 0


def test_who_unsubscribes_anew_after_agreeing_again_is_heeded_under_any_profile_of_the_address(database):
    later = [NOW + timedelta(days=day) for day in range(4)]
    database.write_now(suppress, SECRET, "ann@example.com", "unsubscribed", later[0])
    assert database.read_now(suppressed, SECRET, "ann@example.com", later[1]) is None
    database.write_now(suppress, SECRET, "ann@example.com", "unsubscribed", later[2])
    assert database.read_now(suppressed, SECRET, "ann@example.com", later[1]) == "unsubscribed"
    assert database.read_now(suppressed, SECRET, "ann@example.com", later[3]) is None
