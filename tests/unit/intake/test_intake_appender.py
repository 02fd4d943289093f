"""Accepted means written; written once; and overload is said."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from sojourn.errors import Overloaded
from sojourn.intake.absorb import InboundRow
from sojourn.intake.appender import Appender, append
from sojourn.intake.envelope import Envelope, Quarantined
from sojourn.store.database import SQLITE, Database
from sojourn.store.tables import inbound, quarantine

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def event(message_id, **given):
    return Envelope(**{"message_id": message_id, "kind": "track", "name": "E", "user_id": "u", "time": NOW, "received_at": NOW, **given})


@pytest.fixture
async def database(store_url):
    opened = Database(store_url)
    await opened.create()
    yield opened
    await opened.close()


def stored(database):
    return database.read_now(lambda c: [InboundRow.of(row).envelope for row in c.execute(select(inbound).order_by(inbound.c.seq))])


async def test_an_event_comes_back_from_the_log_as_it_went_in(database):
    full = event(
        "m1", anonymous_id="a", kind="alias", name="alias", previous_id="p", traits={"a": [1, None]},
        properties={"é": {"b": 1.5}}, context={"locale": "de"},
    )  # fmt: skip
    database.write_now(append, [full, event("m2")])
    assert stored(database) == [full, event("m2")]


async def test_only_what_is_new_is_accepted_and_the_first_of_two_stands(database):
    assert database.write_now(append, [event("m1"), event("m2", name="first"), event("m2", name="second")]) == ["m1", "m2"]
    assert database.write_now(append, [event("m3"), event("m1", name="other")]) == ["m3"]
    assert [(e.message_id, e.name) for e in stored(database)] == [("m1", "E"), ("m2", "first"), ("m3", "E")]


async def test_an_answer_comes_only_after_the_commit(database):
    appender = Appender(database)
    accepted = await appender.append([event("m1")])
    assert accepted == ["m1"]
    assert [e.message_id for e in stored(database)] == ["m1"]


async def test_calls_that_wait_share_a_commit_and_each_hears_of_its_own(database, monkeypatch):
    commits, write = [], database.write

    async def counted(function, group):
        commits.append(len(group))
        return await write(function, group)

    monkeypatch.setattr(database, "write", counted)
    appender = Appender(database)
    answers = await asyncio.gather(*(appender.append([event(f"m{i}"), event("shared")]) for i in range(50)))
    assert sum(commits) == 50
    assert len(commits) <= 3
    assert [ids[0] for ids in answers] == [f"m{i}" for i in range(50)]
    assert sum("shared" in ids for ids in answers) == 1
    assert len(stored(database)) == 51


async def test_what_is_set_aside_is_written_with_the_same_commit(database):
    for message_id in ("m1", "m3"):  # the second is the same bad event, sent again in a later batch
        await Appender(database).append([event(message_id)], [Quarantined("m2", "too long", "{}", NOW)])
    rows = database.read_now(lambda c: c.execute(select(quarantine)).all())
    assert [(row.message_id, row.reason, row.body, row.received_at) for row in rows] == [("m2", "too long", "{}", NOW)]


async def test_a_full_queue_says_so_and_drains(database):
    appender = Appender(database, max_waiting=10)
    calls = [asyncio.create_task(appender.append([event(f"m{i}-{j}") for j in range(4)])) for i in range(5)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Overloaded)]
    assert len(refused) == 3
    assert refused[0].retry_after >= 1
    assert len(stored(database)) == 8
    assert appender.backlog == 0
    assert await appender.append([event("later")]) == ["later"]


async def test_a_store_that_fails_promises_nothing_and_the_next_call_is_taken(database, monkeypatch):
    write, failing = database.write, [True]

    async def sometimes(function, group):
        if failing[0]:
            raise OSError("disk full")
        return await write(function, group)

    monkeypatch.setattr(database, "write", sometimes)
    appender = Appender(database)
    answers = await asyncio.gather(*(appender.append([event(f"m{i}")]) for i in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Overloaded] * 3
    failing[0] = False
    assert await appender.append([event("m9")]) == ["m9"]
    assert [e.message_id for e in stored(database)] == ["m9"]


async def test_one_calls_fault_is_not_its_neighbours(database):
    appender = Appender(database)
    poison = event("m1").model_copy(update={"user_id": "\ud800"})
    answers = await asyncio.gather(
        appender.append([event("m0")]), appender.append([poison]), appender.append([event("m2")]), return_exceptions=True
    )
    assert (answers[0], answers[2]) == (["m0"], ["m2"])
    assert isinstance(answers[1], Overloaded)
    assert [e.message_id for e in stored(database)] == ["m0", "m2"]


async def test_a_caller_that_hangs_up_costs_no_one_else_anything(database):
    appender = Appender(database)
    gone, stays = asyncio.create_task(appender.append([event("m1")])), asyncio.create_task(appender.append([event("m2")]))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == ["m2"]
    await appender.close()
    assert {e.message_id for e in stored(database)} >= {"m2"}
    assert appender.backlog == 0


async def test_closing_waits_for_what_is_under_way_and_each_commit_is_told(database):
    told = []
    appender = Appender(database, on_commit=lambda: told.append(len(stored(database))))
    call = asyncio.create_task(appender.append([event("m1")]))
    await asyncio.sleep(0)
    await appender.close()
    assert told == [1]
    assert await call == ["m1"]


async def test_a_commit_is_synchronous_to_the_disk(database):
    def setting(*statements):
        return database.write_now(lambda connection: [connection.exec_driver_sql(each).scalar() for each in statements])

    if database.url.get_backend_name() == SQLITE:
        assert setting("PRAGMA synchronous", "PRAGMA journal_mode") == [2, "wal"]
    else:
        assert setting("SHOW synchronous_commit") == ["on"]
    assert database.read_now(lambda c: c.execute(select(func.count()).select_from(inbound)).scalar()) == 0
