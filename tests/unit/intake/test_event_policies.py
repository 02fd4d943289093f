"""What becomes of an event that does not fit its definition: flagged beside the log, or set aside until that is mended."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from sojourn.clock import VirtualClock
from sojourn.intake import setaside
from sojourn.intake.appender import Appender, append
from sojourn.intake.envelope import read_call
from sojourn.intake.http import IntakeSettings, intake_routes
from sojourn.language.events.schemas import EventSchemas
from sojourn.language.loader import load_event
from sojourn.store.database import Database
from sojourn.store.tables import inbound, quarantine, violations

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = "a-write-key"


def schemas(policy: str = "quarantine", undeclared: Any = "accept", price: str = "number") -> EventSchemas:
    text = f"event: Product Added\ndescription: d\npolicy: {policy}\n"
    text += f"properties: {{required: [price], properties: {{price: {{type: {price}}}}}}}\n"
    definition = load_event(text)
    return EventSchemas({definition.event: definition}, undeclared)


def event(number: int = 1, name: str = "Product Added", **properties: Any) -> dict[str, Any]:
    return {"type": "track", "messageId": f"m{number}", "userId": "ann", "event": name, "properties": properties}


@pytest.fixture
def database() -> Database:
    opened = Database("sqlite://")
    asyncio.run(opened.create())
    return opened


def take(database: Database, asked: EventSchemas, *events: dict[str, Any], at: datetime = NOW) -> dict[str, Any]:
    routes = intake_routes(Appender(database), IntakeSettings([KEY]), VirtualClock(at), asked)
    answer = TestClient(Starlette(routes=routes)).post("/v1/batch", json={"batch": list(events)}, auth=(KEY, ""))
    assert answer.status_code == 200
    told: dict[str, Any] = answer.json()
    return told


def log(database: Database) -> list[str]:
    return database.read_now(lambda c: list(c.execute(select(inbound.c.message_id).order_by(inbound.c.seq)).scalars()))


def recorded(database: Database) -> list[tuple[str, str, str, str]]:
    v = violations.c
    return database.read_now(
        lambda c: [tuple(row) for row in c.execute(select(v.message_id, v.event, v.path, v.reason).order_by(v.message_id))]
    )


def set_aside(database: Database) -> list[str]:
    return database.read_now(lambda c: [kept.reason for kept in setaside.listed(c)])


def release(database: Database, asked: EventSchemas, limit: int = 500) -> setaside.Released:
    result = page = database.write_now(setaside.release, asked, limit=limit)
    while page.next is not None:
        page = database.write_now(setaside.release, asked, None, page.next, limit)
        result = result + page
    return result


def test_what_does_not_fit_is_set_aside_with_the_reason_and_its_neighbours_go_on(database: Database) -> None:
    told = take(database, schemas(), event(1, price=3), event(2, price="much"), event(3), event(4, "Other"))
    reasons = ["Product Added: `price` must be a number, not a text", "Product Added: `price` is missing"]
    assert told["quarantined"] == [{"messageId": "m2", "reason": reasons[0]}, {"messageId": "m3", "reason": reasons[1]}]
    assert log(database) == ["m1", "m4"]
    assert sorted(set_aside(database)) == sorted(reasons)
    assert recorded(database) == []


def test_what_is_flagged_is_taken_in_and_its_violations_stand_beside_the_log_without_values(database: Database) -> None:
    assert take(database, schemas("flag"), event(1, price=3), event(2, price="much"), event(3)) == {"success": True}
    assert log(database) == ["m1", "m2", "m3"]
    assert recorded(database) == [
        ("m2", "Product Added", "price", "must be a number, not a text"),
        ("m3", "Product Added", "price", "is missing"),
    ]
    bodies = database.read_now(lambda c: c.execute(select(inbound.c.body)).scalars().all())
    assert all("faults" not in body for body in bodies)


def test_violations_of_a_repeated_event_are_recorded_once_and_only_those_of_the_one_that_was_taken(database: Database) -> None:
    for _ in range(2):
        take(database, schemas("flag"), event(1, price="much"))
    take(database, schemas("flag"), event(1))
    assert recorded(database) == [("m1", "Product Added", "price", "must be a number, not a text")]


def test_a_violation_is_written_in_the_transaction_of_its_event_or_not_at_all(database: Database) -> None:
    call = read_call("track", orjson.dumps(event(1)), received_at=NOW, schemas=schemas("flag"))

    def fail_after(connection: Any) -> None:
        append(connection, call.envelopes)
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        database.write_now(fail_after)
    assert (log(database), recorded(database)) == ([], [])


@pytest.mark.parametrize(("policy", "taken", "flagged"), [("accept", 1, 0), ("flag", 1, 1), ("quarantine", 0, 0)])
def test_undeclared_events_are_treated_as_the_shop_says(database: Database, policy: str, taken: int, flagged: int) -> None:
    take(database, schemas(undeclared=policy), event(1, "Other", price="x"), event(2, "Email Opened"), event(3, price=1))
    assert len(log(database)) == taken + 2
    assert len(recorded(database)) == flagged


def test_calls_that_are_no_track_are_asked_nothing(database: Database) -> None:
    take(database, schemas(undeclared="quarantine"), {"type": "page", "userId": "ann"}, {"type": "identify", "userId": "ann"})
    assert len(log(database)) == 2


def test_what_was_set_aside_is_taken_in_once_its_definition_is_mended_in_order_and_once(database: Database) -> None:
    late = {**event(3, price="c"), "originalTimestamp": "2026-01-05T08:00:00Z", "sentAt": "2026-01-05T09:00:00Z"}
    take(database, schemas(), event(1, price="a"), event(2, price=2), late)
    take(database, schemas(), event(4, price="d"), {"type": "what"}, at=NOW + timedelta(minutes=1))
    assert release(database, schemas()) == setaside.Released(kept=3)
    assert log(database) == ["m2"]
    assert release(database, schemas(price="string"), limit=1) == setaside.Released(taken=3)
    assert log(database) == ["m2", "m3", "m1", "m4"]  # as they arrived, and of one call as they happened
    assert release(database, schemas(price="string")) == setaside.Released()
    assert set_aside(database) == ["type must be one of track, identify, page, screen, group, alias"]
    times = database.read_now(lambda c: {row.message_id: row.time for row in c.execute(select(inbound.c.message_id, inbound.c.time))})
    assert times["m3"] == NOW - timedelta(hours=1)
    assert times["m4"] == NOW + timedelta(minutes=1)


def test_what_the_sender_sent_again_rightly_meanwhile_is_not_taken_in_twice(database: Database) -> None:
    take(database, schemas(), event(1, price="a"))
    take(database, schemas(), event(1, price=1))
    assert release(database, schemas(price="string")) == setaside.Released(known=1)
    assert log(database) == ["m1"]
    assert set_aside(database) == []


def test_what_stays_shows_the_reason_of_today(database: Database) -> None:
    take(database, schemas(), event(1, price="a"))
    assert release(database, schemas(price="boolean")) == setaside.Released(kept=1)
    assert set_aside(database) == ["Product Added: `price` must be true or false, not a text"]


def test_released_under_a_definition_that_flags_it_is_taken_in_and_recorded(database: Database) -> None:
    take(database, schemas(), event(1, price="a"))
    assert release(database, schemas("flag")) == setaside.Released(taken=1)
    assert recorded(database) == [("m1", "Product Added", "price", "must be a number, not a text")]


@law(30)
@given(st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1, "x", None, True])), min_size=1, max_size=12), st.integers(1, 4))
def test_nothing_is_lost_between_log_quarantine_and_release(sent: list[tuple[int, Any]], limit: int) -> None:
    database = Database("sqlite://")
    asyncio.run(database.create())
    asked = schemas()
    for number, price in sent:
        call = read_call("track", orjson.dumps(event(number, price=price)), received_at=NOW, schemas=asked)
        database.write_now(append, call.envelopes, call.quarantined)
    everyone = {f"m{number}" for number, _ in sent}
    kept = set(database.read_now(lambda c: c.execute(select(quarantine.c.message_id)).scalars().all()))
    assert set(log(database)) | kept == everyone
    for mended in (schemas(price="string"), schemas(price="boolean"), schemas(price="'null'"), asked):
        release(database, mended, limit)
        assert len(set(log(database))) == len(log(database))
    assert set(log(database)) == everyone
    assert set_aside(database) == []
