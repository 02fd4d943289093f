"""The fault matrix (P2): every provider, every fault, ten messages each; never two acceptances of one key.

Servers are fakes that behave as each provider's documentation says. A mail server (class C) has a matrix of its own
in tests/real/test_smtp_delivery.py, and so has SES against moto in tests/real/test_ses.py.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from delivery_world import NOON, DeliveryWorld
from fake_api import FakeApi, serving
from fake_providers import FAKES, IMPATIENT, PATIENT
from stores import STORE

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, reconciling, sending
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Claimed, NotAccepted
from sojourn.delivery.providers.base import Klass
from sojourn.delivery.sending_many import Asked, Deliveries
from sojourn.errors import ProviderBusy, ProviderUnclear

pytestmark = pytest.mark.slow  # it waits for what never answers

TEN = 10
LATER = timedelta(minutes=40)  # past every look-up's lag, within the grace
LOST = ("keep and drop", "keep and hang", "keep and 503")
GONE = ("drop", "hang", "503", "408", "302")
PROOF = ("429", "401", "402", "403 permission_denied")
OF_EACH_KIND = ("resend", "mailgun", "blind")  # which ask all statements; on PostgreSQL the others go to `make exhaustive`


def providers(*but: str) -> list[Any]:
    rare = [] if STORE == "sqlite" else [name for name in FAKES if name not in OF_EACH_KIND]
    return [pytest.param(name, marks=[pytest.mark.exhaustive] if name in rare else []) for name in FAKES if name not in but]


class Road:
    """Ten sends to one provider."""

    def __init__(self, world: DeliveryWorld, name: str, api: FakeApi) -> None:
        self.world, self.api, self.fake = world, api, FAKES[name]
        self.provider = self.fake.make(api.url, PATIENT)
        self.clock = VirtualClock(NOON)
        self.orders = [world.another(str(step)) for step in range(TEN)]
        self.keys = [order.key for order in self.orders]

    def claim_all(self) -> dict[str, object]:
        """Plan and claim all ten, and do no more."""
        for order in self.orders:
            self.world.plan(order)
        return {key: self.world.db.write_now(sending.claim, key, NOON, self.world.rules, self.provider) for key in self.keys}

    def break_down(self, fault: str) -> None:
        self.api.fault = fault
        self.provider = self.fake.make(self.api.url, IMPATIENT if "hang" in fault else PATIENT)

    def recover(self) -> None:
        self.api.fault = ""
        self.provider = self.fake.make(self.api.url, PATIENT)

    async def deliver(self, key: str, prepare=None) -> object:
        return await sending.deliver(self.world.db, self.provider, key, self.clock, self.world.rules, prepare=prepare)

    async def attempt(self) -> Counter[str]:
        """Carry all ten as journeys do that come to them at the same time."""
        deliveries = Deliveries(self.world.db, self.provider, self.clock, lambda *_: None)
        asked = [Asked(self.world.made(order), self.world.rules) for order in self.orders]
        found = await asyncio.gather(*map(deliveries.deliver, asked), return_exceptions=True)
        strange = [each for each in found if isinstance(each, BaseException) and not isinstance(each, ProviderBusy | ProviderUnclear)]
        assert strange == []
        return Counter(type(each).__name__ for each in found)

    async def reconcile(self) -> reconciling.Cleared:
        return await reconciling.reconcile(self.world.db, self.provider, self.clock, self.deliver)

    def states(self) -> set[State]:
        return {self.world.db.write_now(ledger.load, key).state for key in self.keys}

    def at_most_once(self) -> bool:
        return max(Counter(self.api.accepted).values(), default=0) <= 1


@pytest.mark.parametrize("name", providers())
async def test_a_message_is_accepted_once_and_an_attempt_more_changes_nothing(world: DeliveryWorld, name: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        assert await road.attempt() == {"Accepted": TEN}
        assert await road.attempt() == {"AlreadySettled": TEN}
        assert sorted(api.accepted) == sorted(road.keys)


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("name", providers())
async def test_an_answer_that_is_lost_leads_to_no_second_message(world: DeliveryWorld, name: str, fault: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        road.break_down(fault)
        await road.attempt()
        assert api.hits[fault] >= TEN
        assert road.states() == {State.UNKNOWN}
        road.recover()
        keyed = road.provider.klass is Klass.KEYED
        road.clock.move_to(NOON + (timedelta(minutes=5) if keyed else LATER))
        await road.reconcile()
        assert road.states() == {State.ACCEPTED if road.fake.clears else State.UNKNOWN}
        assert sorted(api.accepted) == sorted(road.keys)  # each once


@pytest.mark.parametrize("fault", GONE)
@pytest.mark.parametrize("name", providers())
async def test_a_message_that_never_arrived_is_sent_once_where_that_can_be_known(world: DeliveryWorld, name: str, fault: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        road.break_down(fault)
        outcomes = await road.attempt()
        assert api.hits[fault] >= TEN
        assert set(outcomes) <= {"Unclear", "ProviderUnclear"}
        assert road.states() == {State.UNKNOWN}
        road.recover()
        keyed = road.provider.klass is Klass.KEYED
        if not keyed:
            early = await road.reconcile()  # within the lag nothing is concluded from not being found
            assert (early.unsent, early.again, early.open) == (0, 0, TEN)
        road.clock.move_to(NOON + (timedelta(minutes=5) if keyed else LATER))
        await road.reconcile()
        assert road.states() == {State.ACCEPTED if road.fake.clears else State.UNKNOWN}
        assert sorted(api.accepted) == (sorted(road.keys) if road.fake.clears else [])


@pytest.mark.parametrize("fault", PROOF)
@pytest.mark.parametrize("name", providers())
async def test_proof_that_nothing_was_accepted_leaves_it_planned_and_nobodys_mail_is_refused_for_our_account(
    world: DeliveryWorld, name: str, fault: str
) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        road.break_down(fault)
        assert await road.attempt() == {"ProviderBusy": TEN}
        assert api.hits[fault] >= TEN
        assert (road.states(), api.accepted) == ({State.PLANNED}, [])
        road.recover()
        assert await road.attempt() == {"Accepted": TEN}
        assert sorted(api.accepted) == sorted(road.keys)


@pytest.mark.parametrize("name", providers())
async def test_a_definite_refusal_is_final_and_its_words_are_not_kept(world: DeliveryWorld, name: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        api.fault = "500 ValidationError" if name == "mailchimp" else "400"
        if name == "ses":
            api.fault = "400 MessageRejected"
        assert await road.attempt() == {"Refused": TEN}
        assert api.hits[api.fault] >= TEN
        rows = [world.db.write_now(ledger.load, key) for key in road.keys]
        assert not any("ann@example.com" in (row.reason or "") for row in rows)
        road.recover()
        assert await road.attempt() == {"AlreadySettled": TEN}
        assert (road.states(), api.accepted) == ({State.REJECTED}, [])


@pytest.mark.parametrize("name", providers())
async def test_a_slow_answer_within_the_limit_is_an_answer(world: DeliveryWorld, name: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        api.fault, api.slow_seconds = "slow", 0.05
        assert await road.attempt() == {"Accepted": TEN}
        assert api.hits["slow"] >= TEN


@pytest.mark.parametrize("name", providers())
async def test_nobody_there_proves_that_nothing_was_accepted(world: DeliveryWorld, name: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
    assert await road.attempt() == {"ProviderBusy": TEN}
    assert road.states() == {State.PLANNED}


@pytest.mark.parametrize("name", providers())
async def test_killed_between_claim_and_post_it_is_sent_once_or_honestly_not(world: DeliveryWorld, name: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        claims = road.claim_all()  # and their worker dies
        assert all(isinstance(claimed, Claimed) for claimed in claims.values())
        keyed = road.provider.klass is Klass.KEYED
        assert await road.attempt() == ({"Accepted": TEN} if keyed else {"Unclear": TEN})
        road.clock.move_to(NOON + LATER)
        await road.reconcile()
        assert road.states() == {State.ACCEPTED if road.fake.clears else State.UNKNOWN}
        assert sorted(api.accepted) == (sorted(road.keys) if road.fake.clears else [])


@pytest.mark.parametrize("asleep", [0.0, sending.CLAIM_FRESH_SECONDS + 1])
@pytest.mark.parametrize("name", providers())
async def test_a_zombie_that_stalled_between_claim_and_post_makes_no_second_message(world: DeliveryWorld, name: str, asleep: float) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        zombies = road.claim_all()
        await road.attempt()  # elsewhere, each is tried again
        if asleep:  # and long after, once a look-up has said that it is not there
            road.clock.move_to(NOON + LATER)
            await road.reconcile()
        posted = 0
        for key, claimed in zombies.items():
            assert isinstance(claimed, Claimed)
            outcome = await sending.post(road.provider, claimed.message, sending.monotonic() - asleep)
            posted += not isinstance(outcome, NotAccepted)
            world.db.write_now(sending.settle, key, outcome, road.clock.now(), claimed.attempt)
        assert posted == (0 if asleep else TEN)
        assert road.at_most_once()
        await road.reconcile()
        assert road.at_most_once()


@pytest.mark.parametrize("name", providers("ses", "mailchimp"))
async def test_a_yes_whose_words_are_cut_short_is_a_yes(world: DeliveryWorld, name: str) -> None:
    async with serving(FAKES[name].answer) as api:
        road = Road(world, name, api)
        api.fault = "cut"
        assert await road.attempt() == {"Accepted": TEN}
        assert api.hits["cut"] >= TEN


async def test_evidence_after_a_look_up_found_nothing_keeps_the_message_from_going_out_twice(world: DeliveryWorld) -> None:
    world.plan()
    async with serving(FAKES["postmark"].answer) as api:
        provider = FAKES["postmark"].make(api.url, PATIENT)
        world.db.write_now(sending.claim, world.key, NOON, world.rules, provider)
        send = world.db.write_now(ledger.load, world.key)
        world.db.write_now(ledger.move, send, State.UNKNOWN, "lost", NOON)
        send = world.db.write_now(ledger.load, world.key)
        world.db.write_now(reconciling._unsent, send, "postmark", NOON + LATER)
        assert world.db.write_now(ledger.load, world.key).state is State.PLANNED
        world.db.write_now(sending.settle, world.key, sending.Accepted("pm-1"), NOON + LATER)
        outcome = await sending.deliver(world.db, provider, world.key, VirtualClock(NOON + LATER), world.rules)
        assert (type(outcome).__name__, api.accepted) == ("AlreadySettled", [])
    assert world.states() == ["planned", "claimed", "unknown", "planned", "accepted"]
