"""What the gate finds in the store: what counts against a cap, who competes, what was chosen; transactional messages beside them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from delivery_world import ANN, ENTRY, NOON, WORKSPACE, DeliveryWorld

from sojourn.customers import consent, preferences
from sojourn.customers.consent import Said
from sojourn.customers.preferences import Frequency, Rhythm
from sojourn.delivery import facts, ledger, sending
from sojourn.delivery.gate import GateFacts, judge
from sojourn.delivery.ledger import State, send_key
from sojourn.delivery.message import Message
from sojourn.delivery.outcomes import Claimed, Held, Suppressed
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.rules import Cap, GateRules, TopicRule
from sojourn.store.tables import entries, sends

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def another(world: DeliveryWorld, state: State, *, ago: timedelta = HOUR, number: int = 0, **given: Any) -> str:
    """Write another message of Ann's, and return its key."""
    key, at = send_key(WORKSPACE, "others", f"{state}.{ago}.{number}"), NOON - ago
    row = {
        "key": key, "entry_id": ENTRY, "profile_id": ANN, "journey": "cart", "step": key, "send_id": "s", "content": "c", "attempts": 1,
        "purpose": "marketing", "state": state.value, "created_at": at, "claimed_at": at, **given,
    }  # fmt: skip
    world.write(sends, **row)
    return key


def gathered(world: DeliveryWorld, rules: GateRules) -> GateFacts:
    send = world.db.read_now(ledger.look, world.key)
    message = Message("k", "ann@example.com", "s@shop.example", "s", "h", "t", NOON)
    return world.db.read_now(facts.gather, send, message, [ANN], NOON, rules)


@pytest.mark.parametrize("state", list(State))
def test_what_may_have_reached_its_reader_counts_against_a_cap_and_nothing_else(world: DeliveryWorld, state: State) -> None:
    world.plan()
    another(world, state)
    (cap,) = gathered(world, GateRules(caps=(Cap(1, 7 * 24 * HOUR),))).caps
    assert cap.used == (1 if state in (State.CLAIMED, State.ACCEPTED, State.UNKNOWN, State.ABANDONED) else 0)


def test_a_place_that_was_given_back_is_free_and_a_receipt_takes_none(world: DeliveryWorld) -> None:
    world.plan()
    another(world, State.PLANNED, claimed_at=None)
    another(world, State.ACCEPTED, purpose="transactional")
    assert gathered(world, GateRules(caps=(Cap(1, 24 * HOUR),))).caps[0].used == 0


def test_room_comes_when_the_oldest_of_those_that_fill_it_leaves_the_window(world: DeliveryWorld) -> None:
    world.plan()
    for number, hours in enumerate((1, 3, 5, 7)):
        another(world, State.ACCEPTED, ago=hours * HOUR, number=number)
    cap = gathered(world, GateRules(caps=(Cap(2, 24 * HOUR),))).caps[0]
    assert (cap.used, cap.frees) == (4, NOON + 21 * HOUR)  # the one of three hours ago goes last of those above the first


def compete(world: DeliveryWorld, state: State, priority: int, **given: Any) -> str:
    world.write(
        entries, id="entry-2", journey="winback", version="v1", profile_id=ANN, key="", workflow_id="w2", trigger_id="m", trigger={},
        variants={}, started_at=NOON - HOUR, state="running",
    )  # fmt: skip
    return another(world, state, entry_id="entry-2", journey="winback", priority=priority, **given)


RULES = GateRules(compete=10 * MINUTE)


@pytest.mark.parametrize(
    ("priority", "ago", "waits"),
    [(80, MINUTE, 9 * MINUTE), (80, 9 * MINUTE, MINUTE), (80, 10 * MINUTE, None), (50, MINUTE, None), (20, MINUTE, None)],
)
def test_who_is_higher_and_went_just_before_is_given_way_to(
    world: DeliveryWorld, priority: int, ago: timedelta, waits: timedelta | None
) -> None:
    world.plan()
    key = compete(world, State.ACCEPTED, priority, ago=ago)
    outcome = world.db.write_now(sending.claim, world.key, NOON, RULES, Memory())
    if waits is None:
        assert isinstance(outcome, Claimed)
        return
    assert isinstance(outcome, Held)
    assert outcome.until == NOON + waits
    assert outcome.reason == f"priority: gives way to winback/s (priority 80, send {key})"


@pytest.mark.parametrize(("due", "waits"), [(5 * MINUTE, True), (10 * MINUTE, False), (2 * HOUR, False)])
def test_who_is_higher_and_due_soon_is_waited_for_and_who_is_due_later_is_not(world: DeliveryWorld, due: timedelta, waits: bool) -> None:
    world.plan()
    compete(world, State.HELD, 80, claimed_at=None, held_until=NOON + due)
    outcome = world.db.write_now(sending.claim, world.key, NOON, RULES, Memory())
    assert isinstance(outcome, Held if waits else Claimed)
    if waits:
        assert outcome.until == NOON + due + 10 * MINUTE


def test_a_topic_a_pause_and_a_weekly_wish_are_found_under_every_profile_of_the_person(world: DeliveryWorld) -> None:
    world.plan()
    rules = GateRules(topic=TopicRule("offers"))
    assert judge(gathered(world, rules)).allowed
    world.db.write_now(consent.record, ANN, Said("topic:offers", False, "preference page"), NOON, "m1")
    assert judge(gathered(world, rules)).reason == "topic: the topic offers was declined"
    world.db.write_now(consent.record, ANN, Said("topic:offers", True, "preference page"), NOON + MINUTE, "m2")
    world.db.write_now(preferences.choose, ANN, Rhythm(Frequency.WEEKLY), NOON - HOUR, "page", "p1")
    assert judge(gathered(world, rules)).allowed
    another(world, State.ACCEPTED, ago=24 * HOUR)
    assert judge(gathered(world, rules)).reason == "cap: 1 of 1 messages in 7d, as the person wishes, are used up"
    world.db.write_now(preferences.choose, ANN, Rhythm(Frequency.PAUSED, NOON + HOUR), NOON - MINUTE, "page", "p2")
    assert gathered(world, rules).paused_until == NOON + HOUR


def test_a_consent_that_waits_is_refused_and_a_later_no_outweighs_it(world: DeliveryWorld) -> None:
    world.plan()
    rules = GateRules(confirmed=True)
    world.db.write_now(consent.record, ANN, Said("marketing", False, "form"), NOON + MINUTE, "no")
    world.db.write_now(consent.record_all, [consent.consent_row(ANN, Said("marketing", True, "form"), NOON + HOUR, "yes", pending=True)])
    outcome = world.db.write_now(sending.claim, world.key, NOON, rules, Memory())
    assert outcome == Suppressed("consent: marketing is not confirmed yet: asked for on 2026-03-02 13:00")
    world.db.write_now(consent.record, ANN, Said("marketing", False, "form"), NOON + HOUR, "no again")
    assert world.db.read_now(consent.pending, [ANN], "marketing") is None
    assert judge(gathered(world, rules)).reason == "consent: marketing was withdrawn (form) on 2026-03-02 12:01"


def test_a_pending_yes_takes_nothing_from_one_that_stands(world: DeliveryWorld) -> None:
    world.db.write_now(consent.record_all, [consent.consent_row(ANN, Said("marketing", True, "x"), NOON + HOUR, "y", pending=True)])
    standing = world.db.read_now(consent.standing, ANN, "marketing")
    assert standing is not None
    assert (standing.id, standing.granted) == ("consent-1", True)
    assert world.db.read_now(consent.pending, [ANN], "marketing") is None
