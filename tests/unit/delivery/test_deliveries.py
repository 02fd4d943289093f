"""Messages that are asked for at the same time share transactions, and nothing else: each comes to what it would alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from delivery_world import NOON, DeliveryWorld
from sqlalchemy import insert

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger
from sojourn.delivery.ledger import SendOrder, State
from sojourn.delivery.message import Message
from sojourn.delivery.outcomes import Accepted, AlreadySettled, Suppressed, Unclear
from sojourn.delivery.providers import Klass, Receipt
from sojourn.delivery.rules import Cap, GateRules
from sojourn.delivery.sending_many import Asked, Deliveries
from sojourn.errors import NotFound
from sojourn.store.tables import consents, profiles

PEOPLE = 12


@pytest.fixture
def crowd(world: DeliveryWorld) -> list[SendOrder]:
    """A message for each of some people."""
    names = [f"person-{number}" for number in range(PEOPLE)]

    def furnish(connection: Any) -> None:
        seen = {"traits": {}, "first_seen": NOON, "last_seen": NOON}
        connection.execute(insert(profiles), [{"id": name, **seen} for name in names])
        agreed = {"purpose": "marketing", "granted": True, "source": "form", "at": NOON}
        connection.execute(insert(consents), [{"id": f"yes-{name}", "profile_id": name, **agreed} for name in names])

    world.db.write_now(furnish)
    return [world.another(f"of {name}", profile_id=name, to_address=f"{name}@example.com") for name in names]


class Post:
    """Takes all that is posted, each time, as a provider does that keeps no keys."""

    name, klass, carries_amp, key_window = "post", Klass.BLIND, False, timedelta()

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def deliver(self, message: Message) -> Receipt:
        await asyncio.sleep(0)
        self.messages.append(message)
        return Receipt(message.key)


def deliveries(world: DeliveryWorld, provider: Any, kept: list[str] | None = None) -> Deliveries:
    def keep(_connection: Any, asked: Any) -> None:
        if kept is not None:
            kept.extend(each.key for each in asked)

    return Deliveries(world.db, provider, VirtualClock(NOON), keep)


async def carry(road: Deliveries, world: DeliveryWorld, orders: list[SendOrder], rules: GateRules | None = None) -> list[Any]:
    asked = [Asked(world.made(order), rules or world.rules) for order in orders]
    return await asyncio.gather(*map(road.deliver, asked), return_exceptions=True)


async def test_each_goes_once_and_what_led_to_each_is_kept(world: DeliveryWorld, crowd: list[SendOrder]) -> None:
    post, kept = Post(), []
    written = Counter()
    write = world.db.write

    async def counted(function: Any, *args: Any, **kwargs: Any) -> Any:
        written["transactions"] += 1
        return await write(function, *args, **kwargs)

    world.db.write = counted  # type: ignore[method-assign]
    came = await carry(deliveries(world, post, kept), world, crowd)
    assert [type(each) for each in came] == [Accepted] * PEOPLE
    assert sorted(message.key for message in post.messages) == sorted(kept) == sorted(order.key for order in crowd)
    assert written["transactions"] < PEOPLE  # two for each, were they alone
    assert {tuple(world.states(order.key)) for order in crowd} == {("planned", "claimed", "accepted")}


async def test_the_same_message_asked_for_many_times_at_once_goes_once(world: DeliveryWorld, crowd: list[SendOrder]) -> None:
    post = Post()
    came = await carry(deliveries(world, post), world, [crowd[0], crowd[1], crowd[1], crowd[1], crowd[2], crowd[2]])
    assert Counter(message.key for message in post.messages) == Counter(order.key for order in crowd[:3])
    assert {type(each) for each in came} <= {Accepted, AlreadySettled, Unclear}
    assert {world.db.write_now(ledger.load, order.key).state for order in crowd[:3]} == {State.ACCEPTED}


async def test_of_two_messages_to_one_person_at_once_a_cap_of_one_lets_one_through(world: DeliveryWorld, crowd: list[SendOrder]) -> None:
    post = Post()
    rules = GateRules(caps=(Cap(1, timedelta(days=7)),))
    second = [world.another(f"second {order.profile_id}", profile_id=order.profile_id, to_address=order.to_address) for order in crowd]
    came = await carry(deliveries(world, post), world, [*crowd, *second], rules)
    assert Counter(type(each) for each in came) == {Accepted: PEOPLE, Suppressed: PEOPLE}
    assert len({message.to_address for message in post.messages}) == len(post.messages) == PEOPLE


async def test_one_that_cannot_be_claimed_at_all_stands_in_nobodys_way(world: DeliveryWorld, crowd: list[SendOrder]) -> None:
    post = Post()
    nobody = world.another("of nobody", profile_id="nobody", to_address="nobody@example.com")
    came = await carry(deliveries(world, post), world, [*crowd[:3], nobody, *crowd[3:]])
    assert isinstance(came.pop(3), Exception)
    assert [type(each) for each in came] == [Accepted] * PEOPLE
    assert len(post.messages) == PEOPLE
    with pytest.raises(NotFound):
        world.db.write_now(ledger.load, nobody.key)


class Stalling(Post):
    """Takes its time for one address; its keys make a second post safe."""

    klass, key_window = Klass.KEYED, timedelta(days=1)

    def __init__(self, slow: str) -> None:
        super().__init__()
        self.slow, self.go_on = slow, asyncio.Event()

    async def deliver(self, message: Message) -> Receipt:
        if message.to_address == self.slow:
            await self.go_on.wait()
        return await super().deliver(message)


async def test_one_whose_provider_takes_its_time_keeps_no_other_from_being_settled(world: DeliveryWorld, crowd: list[SendOrder]) -> None:
    provider = Stalling(crowd[5].to_address)
    road = deliveries(world, provider)
    waiting = asyncio.create_task(carry(road, world, crowd))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if len(provider.messages) == PEOPLE - 1:
            break
    await asyncio.sleep(0.05)
    states = Counter(world.db.write_now(ledger.load, order.key).state for order in crowd)
    assert states == {State.ACCEPTED: PEOPLE - 1, State.CLAIMED: 1}
    provider.go_on.set()
    assert [type(each) for each in await waiting] == [Accepted] * PEOPLE


async def test_two_attempts_of_one_key_that_are_settled_together_leave_it_accepted(world: DeliveryWorld, crowd: list[SendOrder]) -> None:
    provider = Stalling(crowd[0].to_address)
    road = deliveries(world, provider)
    waiting = asyncio.create_task(carry(road, world, [crowd[0], crowd[0], crowd[0]]))
    await asyncio.sleep(0.1)
    provider.go_on.set()
    came = await waiting
    assert {type(each) for each in came} <= {Accepted, AlreadySettled}
    assert world.db.write_now(ledger.load, crowd[0].key).state is State.ACCEPTED
    assert world.states(crowd[0].key).count("accepted") == 1
