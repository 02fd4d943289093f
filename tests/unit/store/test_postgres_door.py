"""How PostgreSQL is reached, and what is said where it is not."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
import stores
from sqlalchemy import Connection, insert, select

from sojourn.errors import SettingsError, StoreUnavailable
from sojourn.store.database import Database
from sojourn.store.tables import cursors

on_postgresql = pytest.mark.skipif(stores.STORE != "postgresql", reason="of PostgreSQL: SOJOURN_TEST_STORE=postgresql runs it")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "the database URL is not a URL; write sqlite:///var/sojourn.db, or postgresql://"),
        ("mysql://u@h/d", "mysql is not supported"),
        ("postgresql+psycopg2://u@h/d", "names the driver psycopg2; write postgresql://"),
        ("postgresql://u@h/d?sslmod=require", "has the option sslmod, which is not known; there are host, port, ssl, sslmode"),
    ],
)
def test_a_url_that_cannot_be_is_said_at_once_and_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Database(url)
    assert sentence in str(refused.value)


def test_a_server_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    database = Database(f"postgresql://shop:hunter22@/sojourn?host={tmp_path}")
    with pytest.raises(SettingsError) as refused:
        database.read_now(lambda c: None)
    assert "no PostgreSQL answers at" in str(refused.value)
    assert "start it, or correct SOJOURN_DATABASE_URL" in str(refused.value)
    assert "hunter22" not in str(refused.value)
    database.close_now()


@on_postgresql
def test_a_database_that_does_not_exist_is_said_in_a_sentence() -> None:
    database = Database(stores.SERVER.url.set(database="no_such").render_as_string(hide_password=False))
    with pytest.raises(SettingsError, match="says: there is no such database; correct SOJOURN_DATABASE_URL"):
        database.read_now(lambda c: None)
    database.close_now()


@on_postgresql
def test_what_was_acknowledged_is_on_the_disk(store_url: str) -> None:
    database = Database(store_url)
    assert database.write_now(lambda c: c.exec_driver_sql("SHOW synchronous_commit").scalar()) == "on"
    database.close_now()


@on_postgresql
def test_a_reading_transaction_sees_one_moment_and_cannot_write(store_url: str) -> None:
    database = Database(store_url)
    names = select(cursors.c.name)

    def read(connection):  # type: ignore[no-untyped-def]
        before = connection.execute(names).all()
        writing = threading.Thread(target=database.write_now, args=(lambda c: c.execute(insert(cursors).values(name="a", seq=1)),))
        writing.start()
        return before, connection.execute(names).all()

    first, second = database.read_now(read)
    assert first == second == []
    with pytest.raises(Exception, match="read-only transaction"):
        database.read_now(lambda c: c.execute(insert(cursors).values(name="b", seq=1)))
    database.close_now()


@on_postgresql
async def test_a_transaction_that_another_stood_in_the_way_of_is_made_again(store_url: str) -> None:
    database = Database(store_url)
    await database.write(lambda c: c.execute(insert(cursors), [{"name": name, "seq": 0} for name in "ab"]))
    attempts: list[str] = []

    async def add(first: str, second: str) -> None:
        def both(connection):  # type: ignore[no-untyped-def]
            attempts.append(first)
            for name in (first, second):
                seq = connection.execute(select(cursors.c.seq).where(cursors.c.name == name).with_for_update()).scalar_one()
                connection.execute(cursors.update().where(cursors.c.name == name).values(seq=seq + 1))
                if name == first and len(attempts) <= 2:
                    connection.exec_driver_sql("SELECT pg_sleep(0.2)")  # until the other has taken its first

        await database.write(both)

    await asyncio.gather(add("a", "b"), add("b", "a"))
    assert await database.read(lambda c: list(c.execute(select(cursors.c.seq)).scalars())) == [2, 2]
    assert len(attempts) == 3, "one of the two was the deadlock's victim, once"
    await database.close()


@on_postgresql
async def test_a_connection_that_was_lost_is_transient_and_the_next_call_has_a_new_one(store_url: str) -> None:
    database = Database(store_url)
    with pytest.raises(StoreUnavailable, match="the connection to the database was lost; try again"):
        await database.write(lambda c: c.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert await database.read(lambda c: c.exec_driver_sql("SELECT 1").scalar()) == 1
    await database.close()


@on_postgresql
async def test_a_connection_that_the_server_closed_between_two_calls_is_not_noticed(store_url: str) -> None:
    database = Database(store_url)
    backend = await database.write(lambda c: c.exec_driver_sql("SELECT pg_backend_pid()").scalar())
    other = Database(store_url)
    await other.write(lambda c: c.exec_driver_sql(f"SELECT pg_terminate_backend({backend})"))
    await other.close()
    await database.write(lambda c: c.execute(insert(cursors).values(name="kept", seq=1)))
    assert await database.read(lambda c: list(c.execute(select(cursors.c.name)).scalars())) == ["kept"]
    await database.close()


async def test_an_error_of_the_work_itself_is_no_lost_connection(store_url: str) -> None:
    database = Database(store_url)
    with pytest.raises(FileNotFoundError):
        await database.read(lambda c: Path("/there-is-none").read_text())
    with pytest.raises(ConnectionError, match="the provider hung up"):
        await database.write(_hangs_up)
    await database.close()


def _hangs_up(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1")
    raise ConnectionError("the provider hung up")


@on_postgresql
async def test_a_caller_that_goes_away_does_not_end_its_transaction(store_url: str) -> None:
    database = Database(store_url)
    begun = threading.Event()

    def write(connection):  # type: ignore[no-untyped-def]
        begun.set()
        connection.exec_driver_sql("SELECT pg_sleep(0.2)")
        connection.execute(insert(cursors).values(name="kept", seq=1))

    task = asyncio.create_task(database.write(write))
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()
    again = Database(store_url)
    assert again.read_now(lambda c: c.execute(select(cursors.c.name)).scalars().all()) == ["kept"]
    again.close_now()
