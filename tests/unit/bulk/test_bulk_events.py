"""Imported events are history: the same as intake would have made of them, and no journey hears of them unless told."""

import csv
from datetime import UTC, datetime

import pytest
from bulk_world import NOW, history, jsonl, people, run, store
from sqlalchemy import func, select

from sojourn.bulk import importing
from sojourn.bulk.mapping import Kind
from sojourn.bulk.policy import Policy
from sojourn.bulk.problems import UnreadableFile
from sojourn.customers.history import StoredHistory
from sojourn.customers.profiles import find
from sojourn.intake.process import waits
from sojourn.language.conditions import Facts, parse
from sojourn.language.events.model import EventDefinition
from sojourn.store.tables import events, inbound, quarantine, violations

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
ROWS = [
    ["ann", "Order Completed", "2026-01-05T09:00:00Z", "12.5", "Books"],
    ["ann", "Order Completed", "2026-01-05T09:00:00Z", "7.5", "Toys"],
    ["bob", "Product Viewed", "2026-01-04T09:00:00Z", "", "Toys"],
]


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "orders.csv"
    with found.open("w", newline="") as file:
        csv.writer(file).writerows([["customer_id", "action", "timestamp", "total", "item.category"], *ROWS])
    return found


def imported(path, **given):
    database = store()
    return database, run(database, path, Kind.events, mapped={"action": "event"}, **given)


def test_events_become_the_history_of_their_people(path) -> None:
    database, told = imported(path)
    assert told.new == 3
    assert [(who, name, at.day, properties) for _, who, name, at, properties, _ in history(database)] == [
        ("ann", "Order Completed", 5, {"total": 12.5, "item": {"category": "Books"}}),
        ("ann", "Order Completed", 5, {"total": 7.5, "item": {"category": "Toys"}}),
        ("bob", "Product Viewed", 4, {"item": {"category": "Toys"}}),
    ]
    assert [person["seen"] for person in people(database)] == [(AT, AT), (AT.replace(day=4), AT.replace(day=4))]


def test_conditions_ask_imported_history_and_events_of_one_moment_stand_in_the_order_of_the_file(path) -> None:
    database, _ = imported(path)

    def ask(connection):
        facts = Facts(now=NOW, history=StoredHistory(connection, find(connection, "ann")))
        count = parse('count("Order Completed") == 2 and sum("Order Completed", "total") == 20').holds(facts)
        last = select(events.c.properties).order_by(events.c.time.desc(), events.c.seq.desc()).limit(1)
        return count, connection.execute(last).scalar_one()["total"]

    assert database.read_now(ask) == (True, 7.5)


def test_history_starts_nothing_and_live_events_are_the_routers(path) -> None:
    database, _ = imported(path)
    assert not database.read_now(waits)
    live, told = imported(path, live=True)
    assert told.new == 3
    assert live.read_now(waits)
    assert live.read_now(lambda c: c.execute(select(func.count()).select_from(events)).scalar()) == 0
    assert [row.time for row in live.read_now(lambda c: c.execute(select(inbound.c.time).order_by(inbound.c.seq)).all())][2].day == 4


def test_the_same_event_is_taken_once_however_it_comes(path, tmp_path) -> None:
    database, _ = imported(path)
    first = history(database)
    assert run(database, path, Kind.events, mapped={"action": "event"}).new == 0
    again = run(database, path, Kind.events, mapped={"action": "event"}, types={"total": "auto"})  # another import of the same file
    assert (again.new, again.known) == (0, 3)
    assert history(database) == first
    own = jsonl(tmp_path / "own.jsonl", [{"messageId": "m1", "userId": "ann", "event": "Seen", "timestamp": "2026-01-05T09:00:00Z"}] * 2)
    assert run(database, own, Kind.events).new >= 1
    assert len(history(database)) == 4


def test_a_recording_of_calls_is_imported_as_it_is(tmp_path) -> None:
    calls = [
        {"type": "identify", "userId": "ann", "traits": {"city": "Rome"}, "originalTimestamp": "2026-01-05T09:00:00Z", "messageId": "m1"},
        {
            "type": "track",
            "event": "Seen",
            "anonymousId": "a1",
            "context": {"timezone": "Europe/Rome"},
            "timestamp": "2026-01-05T09:00:00Z",
        },
        {"type": "page", "userId": "ann", "properties": {"url": "/"}, "timestamp": "2026-01-05T09:00:00Z"},
        {"type": "walk", "userId": "ann"},
        {"type": "track", "userId": "ann"},
    ]
    database = store()
    told = run(database, jsonl(tmp_path / "r.jsonl", calls), Kind.events)
    assert (told.new, told.errors) == (3, 2)
    assert sorted((who, name) for _, who, name, *_ in history(database)) == [("a1", "Seen"), ("ann", "identify"), ("ann", "page")]
    assert {"Rome"} == {person["traits"].get("city") for person in people(database)} - {None}
    assert {"Europe/Rome"} == {person["zone"] for person in people(database)} - {None}


def test_a_file_without_events_is_refused(tmp_path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,user_id\n1,ann\n")
    with pytest.raises(UnreadableFile, match="no column names the event"):
        run(store(), path, Kind.events)


def test_pages_are_short_enough_for_others_to_write_between() -> None:
    assert importing._next_size(500, 500, 0.04) == 1000
    assert importing._next_size(1000, 1000, 0.8) == importing.SMALLEST_PAGE
    assert importing._next_size(5000, 5000, 0.001) == importing.LARGEST_PAGE
    assert importing._next_size(500, 3, 0.04) == 500


DECLARED = {
    name: EventDefinition(event=name, description="test", policy=policy, properties={"properties": {"total": {"type": "number"}}})
    for name, policy in (("Flagged", "flag"), ("Strict", "quarantine"))
}


@pytest.mark.parametrize("live", [False, True])
def test_event_definitions_are_asked_as_at_the_door(tmp_path, live) -> None:
    rows = [{"user_id": "ann", "event": name, "total": total} for name in DECLARED for total in (1, "much")]
    database = store()
    told = run(database, jsonl(tmp_path / "e.jsonl", rows), Kind.events, live=live, policy=Policy(events=DECLARED))
    assert (told.new, told.errors) == (3, 1)

    def counts(connection):
        return [connection.execute(select(func.count()).select_from(table)).scalar() for table in (violations, quarantine)]

    assert database.read_now(counts) == [1, 1 if live else 0]
    (_, (line, reason)) = csv.reader((tmp_path / "e.jsonl.errors.csv").open())
    assert line == "4"
    assert reason.startswith("Strict: ")
    assert "much" not in reason


def test_an_event_names_its_person_by_an_id_of_a_crm(tmp_path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("event,external.email,external.stripe_id,total\nSeen,Ann@Shop.example,c1,5\nSeen,,c1,6\n")
    database = store()
    assert run(database, path, Kind.events).new == 2
    (ann,) = people(database)
    assert [(kind, value) for kind, value, *_ in ann["known"]] == [("email", "ann@shop.example"), ("stripe_id", "c1")]
    assert {properties["total"] for *_, properties, _ in history(database)} == {5, 6}
