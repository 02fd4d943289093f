"""The laws of routing, over generated entries and events: who enters, who hears, who leaves."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from sojourn.intake.routing import Begin, Decision, Entry, Quit, Reached, Refused, Tell, decide, workflow_id
from sojourn.language.conditions import EventFact, Explanation, Facts, ListHistory, parse
from sojourn.language.definitions import Definitions
from sojourn.language.model import Journey
from sojourn.language.shop import ShopSettings
from sojourn.travel.listening import ENTER_REQUESTED, Happened, is_machine
from sojourn.travel.registry import Registry

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
PERSON = "person-1"
WAITS: list[dict[str, Any]] = [
    {"send": "hello", "id": "s"},
    {"wait_for": [{"on": "s.clicked"}, {"on": "A"}, {"on": "Email Opened"}], "up_to": "1d"},
]


def journey(name: str, **more: Any) -> Journey:
    return Journey.model_validate({"journey": name, "description": "x", "enter": {"on": "A"}, "steps": WAITS} | more)


JOURNEYS = [
    journey("plain"),
    journey("keyed", enter={"on": "A", "key": "event.cart", "again_after": "2h", "if": "event.n >= 2"}),
    journey("restarting", enter={"on": "A", "again_after": "1h", "while_running": "restart"}, steps=[{"wait": "3h", "reset_on": "A"}]),
    journey("leaving", leave=[{"on": "B", "as": "bought"}, {"on": "A", "as": "again", "if": "event.n >= 4"}],
            steps=[{"wait": "2h", "reset_on": "B"}, *WAITS], goal={"on": "B", "within": "1d", "value": "event.n"}),
    journey("by_click", enter={"on": "Email Link Clicked"}, leave=[{"on": "Email Opened", "as": "opened"}],
            goal={"on": "Email Link Clicked", "within": "1d"}),
]  # fmt: skip
SHOP = ShopSettings.model_validate({
    "name": "Sample", "sender": {"name": "Sample", "address": "hello@shop.example"}, "postal_address": "Sample Street 1",
})  # fmt: skip
REGISTRY = Registry(Definitions({each.name: each for each in JOURNEYS}, {}, SHOP, Path()))

moments = st.integers(-100, 600).map(lambda minutes: START + timedelta(minutes=minutes))
keys = st.sampled_from(["", "cart-1", "cart-2"])


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    found = []
    for number, live in enumerate(draw(st.lists(st.sampled_from(JOURNEYS), max_size=5))):
        key = draw(st.sampled_from(["cart-1", "cart-2"])) if live.enter.key else ""
        started = draw(moments)
        delayed = draw(st.sampled_from([None, started + timedelta(hours=2)]))
        known = any(each.running and each.journey == live.name and each.key == key for each in found)
        version = REGISTRY.live[live.name].version
        workflow = workflow_id(live.name, PERSON, key)
        running = draw(st.booleans()) and not known
        found.append(Entry(f"entry-{number}", live.name, version, PERSON, key, workflow, started, delayed, running))
    return sorted(found, key=lambda entry: entry.started_at)


@st.composite
def events(draw: st.DrawFn, machine: st.SearchStrategy[bool] | None = None) -> Happened:
    name = draw(st.sampled_from(["A", "B", "C", "Email Link Clicked", "Email Opened", ENTER_REQUESTED]))
    properties: dict[str, Any] = {"n": draw(st.integers(0, 5))}
    if draw(st.booleans()):
        properties["cart"] = draw(st.sampled_from(["cart-1", "cart-2", "", 7, None, "not plain: ä/b"]))
    if name == ENTER_REQUESTED:
        properties["journey"] = draw(st.sampled_from([*(each.name for each in JOURNEYS), "unknown"]))
    engagement = name.startswith("Email")
    return Happened(
        id=f"event-{draw(st.integers(0, 9))}",
        name=name,
        profile_id=PERSON,
        time=draw(moments),
        properties=properties,
        send_entry_id=f"entry-{draw(st.integers(0, 4))}" if engagement else None,
        send_id=draw(st.sampled_from(["s", "other"])) if engagement else None,
        machine=draw(machine) if machine is not None else engagement and draw(st.booleans()),
    )


def ask(condition: str, event: Happened) -> Explanation:
    fact = EventFact(event.name, event.time, event.properties)
    return parse(condition).explain(Facts(now=event.time, event=fact, history=ListHistory([fact])))


def route(event: Happened, known: list[Entry], *, consented: bool = True) -> list[Decision]:
    return decide(event, REGISTRY, known, ask, lambda purpose: consented)


def engagement(name: str) -> Happened:
    return Happened("event-0", name, PERSON, START, {}, "entry-0", "s", machine=True)


def identity(entry: Entry) -> tuple[str, str, str]:
    return entry.journey, entry.profile_id, entry.key


@given(events(), entries())
def test_an_event_begins_at_most_one_entry_of_an_identity(event: Happened, known: list[Entry]) -> None:
    begun = Counter(identity(each.entry) for each in route(event, known) if isinstance(each, Begin))
    assert all(count == 1 for count in begun.values())


@given(events(), entries())
def test_routing_the_same_event_twice_decides_the_same_under_the_same_ids(event: Happened, known: list[Entry]) -> None:
    assert route(event, known) == route(event, known)


@given(events(), entries())
def test_no_identity_has_two_entries_running_afterwards(event: Happened, known: list[Entry]) -> None:
    found = route(event, known)
    over = {each.entry.id for each in found if isinstance(each, Quit)}
    over |= {each.replaces.id for each in found if isinstance(each, Begin) and each.replaces is not None}
    running = [each for each in known if each.running and each.id not in over]
    running += [each.entry for each in found if isinstance(each, Begin)]
    assert max(Counter(map(identity, running)).values(), default=0) <= 1
    assert max(Counter(each.workflow_id for each in running).values(), default=0) <= 1


@given(events(machine=st.just(True)).filter(lambda event: event.send_id is not None), entries())
@example(engagement("Email Link Clicked"), [])
@example(engagement("Email Opened"), [])
def test_what_a_machine_did_tells_begins_ends_and_reaches_nothing(event: Happened, known: list[Entry]) -> None:
    assert route(event, known) == []


@given(events(), entries())
def test_an_entry_hears_of_an_event_once_and_leaving_beats_all_else_that_it_meets(event: Happened, known: list[Entry]) -> None:
    found = [each for each in route(event, known) if isinstance(each, Tell | Quit)]
    assert len({each.entry.id for each in found}) == len(found)
    for each in found:
        leaves = any(handle.startswith("leave/") for handle in each.arrived.meets)
        assert isinstance(each, Quit) is leaves


@given(events(), entries())
def test_only_what_is_running_hears_and_never_of_what_came_before_it_began(event: Happened, known: list[Entry]) -> None:
    for each in route(event, known):
        if isinstance(each, Tell | Quit):
            assert each.entry.running
            assert each.arrived.entry_id == each.entry.id
            assert event.time >= each.entry.started_at or event.send_entry_id is not None


@given(events(), entries())
def test_an_event_that_carries_a_key_reaches_only_the_entry_with_that_key(event: Happened, known: list[Entry]) -> None:
    for each in route(event, known):
        carried = event.properties.get("cart")
        if isinstance(each, Tell | Quit) and each.entry.key and carried not in (None, "") and event.name != ENTER_REQUESTED:
            assert each.entry.key == str(carried)


@given(events(), entries())
def test_engagement_with_a_send_is_told_only_to_the_entry_that_sent_it(event: Happened, known: list[Entry]) -> None:
    for each in route(event, known):
        if isinstance(each, Tell) and event.name == "Email Link Clicked":
            assert (each.entry.id, event.send_id) == (event.send_entry_id, "s")


@given(events(), entries())
def test_without_consent_nobody_enters_and_who_is_on_the_way_still_hears(event: Happened, known: list[Entry]) -> None:
    with_, without = route(event, known), route(event, known, consented=False)
    assert not any(isinstance(each, Begin) for each in without)
    heard = (Tell, Quit, Reached)
    assert [each for each in with_ if isinstance(each, heard)] == [each for each in without if isinstance(each, heard)]


@given(events(machine=st.just(False)), entries())
def test_every_trigger_lets_in_or_is_refused_with_a_reason(event: Happened, known: list[Entry]) -> None:
    found = route(event, known)
    answered = [each.entry.journey for each in found if isinstance(each, Begin)]
    answered += [each.journey for each in found if isinstance(each, Refused)]
    wanted = [event.properties["journey"]] if event.name == ENTER_REQUESTED else [j.name for j in JOURNEYS if j.enter.on == event.name]
    assert sorted(answered) == sorted(name for name in wanted if name in REGISTRY.live)
    assert all(each.reason for each in found if isinstance(each, Refused))


@given(events(), entries())
def test_nobody_enters_again_before_again_after_nor_ever_where_it_is_once(event: Happened, known: list[Entry]) -> None:
    over = {each.entry.id for each in route(event, known) if isinstance(each, Quit)}
    for each in route(event, known):
        if not isinstance(each, Begin) or each.replaces is not None:
            continue
        same = [other for other in known if identity(other) == identity(each.entry)]
        assert not any(other.running and other.id not in over for other in same)
        again = {"keyed": 2, "restarting": 1}.get(each.entry.journey)
        assert not same or (again is not None and event.time >= same[-1].started_at + timedelta(hours=again))


@given(events(), entries())
def test_a_restart_replaces_the_running_entry_under_its_workflow_id(event: Happened, known: list[Entry]) -> None:
    for each in route(event, known):
        if isinstance(each, Begin) and each.replaces is not None:
            assert each.entry.journey == "restarting"
            assert each.replaces.running
            assert each.entry.workflow_id == each.replaces.workflow_id
            assert each.entry.id != each.replaces.id


@given(events(), entries())
def test_a_goal_is_reached_only_in_its_window_and_also_after_the_entry_ended(event: Happened, known: list[Entry]) -> None:
    found = [each for each in route(event, known) if isinstance(each, Reached)]
    expected = [
        entry.id for entry in known
        if entry.journey == "leaving" and event.name == "B" and entry.started_at <= event.time <= entry.started_at + timedelta(days=1)
    ]  # fmt: skip
    assert [each.entry.id for each in found if each.entry.journey == "leaving"] == expected


@given(events(), entries())
def test_only_an_entry_that_has_not_begun_to_run_is_ended_without_being_told(event: Happened, known: list[Entry]) -> None:
    for each in route(event, known):
        if isinstance(each, Quit) and each.dormant:
            assert each.entry.delayed_until is not None
            assert event.time < each.entry.delayed_until


@given(st.text(max_size=80), st.text(max_size=80))
def test_workflow_ids_of_different_keys_differ_and_carry_no_key_that_is_not_plain(one: str, other: str) -> None:
    ids = {key: workflow_id("j", PERSON, key) for key in (one, other)}
    assert len(set(ids.values())) == len(ids)
    assert all("/" not in found and " " not in found and "@" not in found for found in ids.values())


def test_a_property_called_machine_makes_a_robot_only_of_engagement() -> None:
    assert is_machine("Email Opened", {"machine": True})
    assert not is_machine("Order Completed", {"machine": True})
    assert not is_machine("Email Opened", {"machine": "yes"})
