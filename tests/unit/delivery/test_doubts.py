"""After a restore a send that may have been made before is not made again without evidence."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from delivery_world import ENTRY, NOON, DeliveryWorld

from sojourn.clock import VirtualClock
from sojourn.delivery import doubts, ledger, reconciling, sending
from sojourn.delivery.freezing import message_of
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, Unclear
from sojourn.delivery.providers.base import UNKEYED, Klass, Receipt, Sought
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.sending_many import Asked, Deliveries
from sojourn.store.itself import Restored

HOUR = timedelta(hours=1)
RESTORED = Restored(NOON - 2 * HOUR, NOON, NOON - 2 * HOUR, NOON, examined=True)


class Smtp(Memory):
    """Knows of no keys."""

    name = "smtp"
    klass = Klass.SMTP
    key_window = UNKEYED


class ShortKeys(Memory):
    """Keeps keys for an hour."""

    name = "short"
    key_window = HOUR


class Asking(Memory):
    """Can be asked for what it has."""

    name = "asking"
    klass = Klass.EVIDENTIAL
    key_window = UNKEYED
    index_lag = timedelta(minutes=5)

    async def look_up(self, sought: Sought) -> Receipt | None:
        return Receipt(sought.key) if sought.key in self.messages else None


def deliver(world: DeliveryWorld, provider: Memory, clock: VirtualClock, key: str | None = None) -> object:
    return asyncio.run(sending.deliver(world.db, provider, key or world.key, clock, world.rules))


def together(world: DeliveryWorld, provider: Memory, clock: VirtualClock) -> object:
    deliveries = Deliveries(world.db, provider, clock, lambda *_: None)
    return asyncio.run(deliveries.deliver(Asked(world.made(world.order), world.rules)))


def doubt(world: DeliveryWorld, subject: str = ENTRY, until: timedelta | None = None) -> None:
    moment = None if until is None else NOON + until
    world.db.write_now(doubts.doubt, subject, RESTORED, moment, "it may have been sent before the store was restored")


@pytest.mark.parametrize("of", ["entry", "send"])
@pytest.mark.parametrize("way", ["alone", "together"])
def test_a_send_in_doubt_is_unknown_and_nothing_is_posted(of: str, way: str, world: DeliveryWorld) -> None:
    clock, smtp = VirtualClock(NOON + HOUR), Smtp()
    doubt(world, ENTRY if of == "entry" else world.key)
    if way == "alone":
        world.plan()
        came = deliver(world, smtp, clock)
    else:
        came = together(world, smtp, clock)
    assert isinstance(came, Unclear)
    assert world.states() == ["planned", "claimed", "unknown"]
    assert "restored" in (world.db.read_now(ledger.look, world.key).reason or "")
    assert isinstance(deliver(world, smtp, clock), Unclear), "nor is it at a second attempt"
    assert smtp.messages == {}


def test_from_the_moment_that_a_doubt_names_on_mail_goes_out(world: DeliveryWorld) -> None:
    doubt(world, until=HOUR)
    world.plan()
    smtp = Smtp()
    assert isinstance(deliver(world, smtp, VirtualClock(NOON + HOUR)), Accepted)
    later = world.another("2")
    world.plan(later)
    assert len(smtp.messages) == 1


def test_a_key_that_still_holds_for_what_was_sent_after_the_backup_makes_a_second_post_harmless(world: DeliveryWorld) -> None:
    doubt(world)
    world.plan()
    keyed = Memory()
    assert isinstance(deliver(world, keyed, VirtualClock(NOON)), Accepted)
    assert list(keyed.messages) == [world.key]


def test_a_key_that_may_have_run_out_is_not_posted_again_not_even_when_doubts_are_cleared_up(world: DeliveryWorld) -> None:
    doubt(world)
    world.plan()
    clock, short = VirtualClock(NOON), ShortKeys()
    assert isinstance(deliver(world, short, clock), Unclear)

    async def again(key: str, prepare: reconciling.Prepare | None) -> object:
        return await sending.deliver(world.db, short, key, clock, world.rules, prepare=prepare)

    clock.move_to(NOON + timedelta(minutes=10))
    cleared = asyncio.run(reconciling.reconcile(world.db, short, clock, again))
    assert (cleared.again, cleared.open) == (0, 1)
    assert short.messages == {}


@pytest.mark.parametrize("was_sent", [True, False])
def test_a_provider_that_can_be_asked_settles_it(was_sent: bool, world: DeliveryWorld) -> None:
    clock, asking = VirtualClock(NOON), Asking()
    doubt(world)
    world.plan()
    if was_sent:
        message = world.db.read_now(lambda c: message_of(c, ledger.look(c, world.key), NOON))
        asyncio.run(asking.deliver(message))
    assert isinstance(deliver(world, asking, clock), Unclear)

    async def again(key: str, prepare: reconciling.Prepare | None) -> object:
        return await sending.deliver(world.db, asking, key, clock, world.rules, prepare=prepare)

    clock.move_to(NOON + timedelta(minutes=10))
    cleared = asyncio.run(reconciling.reconcile(world.db, asking, clock, again))
    assert (cleared.accepted, cleared.unsent) == ((1, 0) if was_sent else (0, 1))
    assert world.db.read_now(ledger.look, world.key).state is State.ACCEPTED
    assert list(asking.messages) == [world.key]
