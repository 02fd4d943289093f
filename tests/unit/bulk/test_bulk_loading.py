"""Rows that are loaded at once: whom they refer to is looked up, but where this transaction wrote them and the user may vouch for it."""

import pytest
from bulk_world import rows, run, store, table
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from sojourn.bulk import loading
from sojourn.bulk.loading import load, owners_known
from sojourn.store.tables import identifiers, profiles
from tests import stores

NAMES = ("kind", "value", "profile_id", "since")
on_postgresql = pytest.mark.skipif(stores.STORE != "postgresql", reason="of PostgreSQL: SOJOURN_TEST_STORE=postgresql runs it")


def test_after_a_page_whom_rows_refer_to_is_looked_up_again():
    database = store()

    def write(connection):
        load(connection, profiles, ("id", "traits", "trait_times", "first_seen", "last_seen"), [("p1", "{}", "{}", 0, 0)])
        with owners_known(connection):
            load(connection, identifiers, NAMES, [("user_id", "ada", "p1", 0)])
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.exec_driver_sql("INSERT INTO identifiers (kind, value, profile_id, since) VALUES ('user_id', 'bob', 'nobody', 0)")

    database.write_now(write)
    assert database.read_now(lambda c: c.execute(select(identifiers.c.value)).scalars().all()) == ["ada"]
    database.close_now()


@on_postgresql
def test_a_user_who_may_not_vouch_has_it_looked_up():
    database = store()

    def write(connection):
        connection.exec_driver_sql("CREATE ROLE sojourn_clerk")
        connection.exec_driver_sql("GRANT ALL ON ALL TABLES IN SCHEMA public TO sojourn_clerk")
        connection.exec_driver_sql("SET LOCAL ROLE sojourn_clerk")
        connection.info.pop(loading._MAY, None)
        with owners_known(connection):
            load(connection, identifiers, NAMES, [("user_id", "ada", "nobody", 0)])

    try:
        with pytest.raises(IntegrityError):  # and with the transaction the role is gone
            database.write_now(write)
    finally:
        database.write_now(lambda connection: connection.info.pop(loading._MAY, None))
        database.close_now()


def test_people_who_are_known_are_found_after_pages_of_people_who_are_new(tmp_path):
    database, everyone = store(), rows(1_700)
    run(database, table(tmp_path / "some.csv", everyone[1_100:1_110]))
    told = run(database, table(tmp_path / "all.csv", everyone))
    assert (told.new, told.known, told.errors) == (1_690, 10, 0)
    assert database.read_now(lambda c: c.execute(select(func.count()).select_from(profiles)).scalar_one()) == 1_700
    database.close_now()
