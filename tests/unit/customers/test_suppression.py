"""Addresses that must not be written to are known only by a keyed hash."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from sojourn.customers.suppression import address_hash, suppress, suppressed, unsuppress
from sojourn.store.database import Database
from sojourn.store.tables import metadata, suppressions

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SECRET = "s" * 32


@pytest.fixture
def database():
    opened = Database("sqlite://")
    opened.write_now(metadata.create_all)
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
    database.write_now(suppress, SECRET, "ann@example.com", "manual", NOW)
    assert database.read_now(suppressed, SECRET, "ann@example.com") == "complaint"
    assert database.read_now(suppressed, SECRET, "bob@example.com") is None
    database.write_now(unsuppress, SECRET, "ann@example.com")
    assert database.read_now(suppressed, SECRET, "ann@example.com") is None


def test_the_list_names_nobody(database):
    database.write_now(suppress, SECRET, "ann@example.com", "hard_bounce", NOW)
    rows = database.read_now(lambda c: c.execute(select(suppressions)).all())
    assert "ann" not in repr(rows)
