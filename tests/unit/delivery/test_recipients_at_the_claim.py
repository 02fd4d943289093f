"""Whom a message goes to is judged at the claim; what may be out keeps to where it went."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from delivery_world import NOON, DeliveryWorld
from sqlalchemy import update

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, sending
from sojourn.delivery.freezing import Made, Recipient
from sojourn.delivery.ledger import State
from sojourn.delivery.manual_settlement import As, settle_by_hand
from sojourn.delivery.outcomes import AlreadySettled, Claimed, NotAccepted, Suppressed
from sojourn.delivery.providers import Klass
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.sending_many import Asked, Deliveries
from sojourn.errors import RecipientChanged
from sojourn.store.tables import profiles

OLD, NEW = "ann@example.com", "ann@new.example"


class Unkeyed(Memory):
    klass = Klass.SMTP


@pytest.fixture
def road(world: DeliveryWorld) -> DeliveryWorld:
    world.rules = replace(world.rules, recipient_anew=True)
    lives_at(world, OLD)
    return world


def lives_at(world: DeliveryWorld, address: str, locale: str = "en") -> None:
    traits = {"email": address, "first_name": "Ann"} if address else {"first_name": "Ann"}
    world.db.write_now(lambda conn: conn.execute(update(profiles).values(traits=traits, locale=locale)))


def made(world: DeliveryWorld, address: str, locale: str = "en") -> Made:
    order = replace(world.order, to_address=address)
    return replace(world.made(order), recipient=Recipient(address, "Ann", "Europe/Berlin", locale))


def claim(world: DeliveryWorld, provider: Memory, fresh: Made | None = None, hours: int = 0):
    return world.db.write_now(sending.claim, world.key, NOON + timedelta(hours=hours), world.rules, provider, fresh)


def state(world: DeliveryWorld) -> State:
    return world.db.write_now(ledger.load, world.key).state


def test_a_message_for_an_address_that_is_another_now_is_not_claimed_before_it_is_rendered_anew(road: DeliveryWorld) -> None:
    road.plan()
    lives_at(road, NEW)
    with pytest.raises(RecipientChanged):
        claim(road, Memory())
    assert state(road) is State.PLANNED
    claimed = claim(road, Memory(), made(road, NEW))
    assert isinstance(claimed, Claimed)
    assert claimed.message.to_address == NEW


@pytest.mark.parametrize("now", [("ann@new.example", "en"), (OLD, "de"), ("", "en")])
async def test_what_changes_between_rendering_and_claim_has_it_rendered_anew(road: DeliveryWorld, now: tuple[str, str]) -> None:
    memory = Memory()
    deliveries = Deliveries(road.db, memory, VirtualClock(NOON), lambda *_: None)
    stale = Asked(made(road, OLD), road.rules)
    lives_at(road, *now)
    for _ in range(2):  # claimed as new, and as known
        with pytest.raises(RecipientChanged):
            await deliveries.deliver(stale)
    assert state(road) is State.PLANNED
    await deliveries.deliver(Asked(made(road, *now), road.rules))
    assert [message.to_address for message in memory.messages.values()] == ([now[0]] if now[0] else [])
    assert state(road) is (State.ACCEPTED if now[0] else State.SUPPRESSED)


def test_what_was_provably_not_accepted_may_go_to_another_address(road: DeliveryWorld) -> None:
    road.plan()
    claim(road, Memory())
    road.db.write_now(sending.settle, road.key, NotAccepted("429"), NOON, 1)
    lives_at(road, NEW)
    claimed = claim(road, Memory(), made(road, NEW))
    assert isinstance(claimed, Claimed)
    assert claimed.message.to_address == NEW


@pytest.mark.parametrize("address", [NEW, ""])
def test_what_a_keyed_provider_may_have_goes_neither_to_the_old_address_again_nor_to_a_new_one(road: DeliveryWorld, address: str) -> None:
    road.plan()
    claim(road, Memory())
    lives_at(road, address)
    came = claim(road, Memory(), made(road, address), hours=1)
    assert isinstance(came, AlreadySettled)
    assert (came.state, "changed or deleted since an attempt" in str(came.reason)) == ("abandoned", True)


def test_a_key_that_a_provider_may_know_gets_no_other_bytes_though_a_person_says_again(road: DeliveryWorld) -> None:
    road.plan()
    first = claim(road, Memory())
    claim(road, Memory())
    road.db.write_now(lambda conn: sending.settle(conn, road.key, sending.Unclear("lost"), NOON))
    road.db.write_now(settle_by_hand, road.key, As.AGAIN, "not in the log", NOON)
    lives_at(road, OLD, "de")
    again = claim(road, Memory(), made(road, OLD, "de"))
    assert isinstance(first, Claimed)
    assert isinstance(again, Claimed)
    assert again.message.to_address == OLD
    assert again.message.html == first.message.html


def test_what_a_keyed_provider_may_have_goes_to_no_other_address_though_a_person_says_again(road: DeliveryWorld) -> None:
    road.plan()
    claim(road, Memory())
    road.db.write_now(sending.settle, road.key, sending.Unclear("lost"), NOON, 1)
    road.db.write_now(settle_by_hand, road.key, As.AGAIN, "not in the log", NOON)
    lives_at(road, NEW)
    came = claim(road, Memory(), made(road, NEW))
    assert isinstance(came, Suppressed)
    assert "changed or deleted since an attempt" in came.reason


def test_what_a_mail_server_may_have_goes_to_the_address_of_now_where_a_person_says_again(road: DeliveryWorld) -> None:
    road.plan()
    claim(road, Unkeyed())
    road.db.write_now(sending.settle, road.key, sending.Unclear("lost"), NOON, 1)
    road.db.write_now(settle_by_hand, road.key, As.AGAIN, "not in the log", NOON)
    lives_at(road, NEW)
    came = claim(road, Unkeyed(), made(road, NEW))
    assert isinstance(came, Claimed)
    assert came.message.to_address == NEW
