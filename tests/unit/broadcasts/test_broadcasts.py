"""Broadcasts: whom they go to, when, and that nobody gets one twice, whatever happens on the way."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from sojourn.broadcasts import recipients, standing
from sojourn.broadcasts.gathering import LANES
from sojourn.broadcasts.sending import Broadcasting
from sojourn.broadcasts.standing import NotPossible, State
from sojourn.delivery.sending_many import Deliveries
from sojourn.intake.endings import Ending, mark_ended
from sojourn.language.loader import load_broadcast
from sojourn.language.moments import zone_named
from sojourn.store.tables import broadcast_recipients, entries, sends
from sojourn.testing import Shop
from sojourn.travel.state import Advance

CONTENT = """---
subject: News for {{ profile.first_name | default("you") }}
---
<mjml><mj-body><mj-section><mj-column><mj-text>News. {{ shop.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a>
</mj-text></mj-column></mj-section></mj-body></mjml>
"""
BROADCAST = """
broadcast: news
description: News for gold customers.
to: profile.plan == "gold"
content: news
at: 2026-01-05 10:00
"""
MORE_ZONES = BROADCAST + "zone: person\n"


class Sending:
    """A shop with people, and one broadcast on its way."""

    def __init__(self, shop, text=BROADCAST):
        self.shop, self.engine = shop, shop._engine
        self.broadcasting = Broadcasting(self.engine.journeys)
        self.id = self.write(standing.schedule, load_broadcast(text), zone_named("UTC"), self.engine.clock.now())

    def write(self, function, *args):
        return self.shop._run(self.engine.store.write(function, *args))

    def read(self, function, *args):
        return self.shop._run(self.engine.store.read(function, *args))

    def gather(self):
        return self.shop._run(self.broadcasting.gather(self.id, 5.0))

    def send(self):
        """Send to every lane, and return when the next is due."""
        told = [self.shop._run(self.broadcasting.send(self.id, lane, 5.0)) for lane in range(LANES)]
        self.shop._run(self.engine.settle())
        return min((one.next_due for one in told if one.next_due is not None), default=None)

    def mails(self):
        return sorted(message.to_address for message in self.engine.provider.messages.values())

    def look(self):
        return self.read(standing.look, self.id)


@pytest.fixture
def shop():
    with Shop(contents={"news": CONTENT}) as opened:
        for number in range(12):
            plan = "gold" if number % 2 == 0 else "tin"
            opened.identify(f"u{number}", {"email": f"u{number}@shop.example", "plan": plan})
        yield opened


GOLD = sorted(f"u{number}@shop.example" for number in range(0, 12, 2))


def test_those_for_whom_it_holds_get_it_once_and_nobody_else(shop):
    sending = Sending(shop)
    shop.advance("1h")
    assert sending.gather() == (State.RUNNING, True)
    assert sending.send() is None
    assert sending.send() is None
    assert sending.mails() == GOLD
    assert sending.shop._run(sending.broadcasting.finish(sending.id)) is State.DONE
    assert dict(sending.look().counts) == {"accepted": 6}


def test_who_was_taken_by_one_that_died_is_sent_to_once(shop):
    """Whoever takes over finds the entries, and behind them the sends, that the dead one wrote."""
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    for lane in range(LANES):
        taken = sending.write(recipients.take, sending.engine.registry, sending.id, lane, sending.engine.clock.now(), 50)
        for entry in list(taken.entries.values())[::2]:  # and of some the message went out too
            sending.shop._run(sending.engine.journeys.advance(Advance(entry_id=entry, cursor="0")))
    sending.send()
    assert sending.mails() == GOLD
    assert len(sending.read(lambda c: c.execute(select(sends.c.key)).all())) == 6
    assert len(sending.read(lambda c: c.execute(select(entries.c.id)).all())) == 6


def test_a_paused_one_sends_nothing_and_goes_on_where_it_was(shop):
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    shop._run(sending.broadcasting.send(sending.id, 1, 5.0))
    before = sending.mails()
    assert 0 < len(before) < 6
    sending.write(standing.pause, sending.id, "a wrong price")
    assert sending.send() is None
    assert sending.mails() == before
    assert sending.look().because == "a wrong price"
    sending.write(standing.resume, sending.id)
    sending.send()
    assert sending.mails() == GOLD


def test_a_pause_stops_also_what_was_taken_and_rendered_already(shop, monkeypatch):
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    deliver_all, store = Deliveries.deliver_all, sending.engine.store

    async def paused_before(*args, **kwargs):
        await store.write(standing.pause, sending.id, "a wrong price")
        return await deliver_all(*args, **kwargs)

    monkeypatch.setattr(Deliveries, "deliver_all", paused_before)
    assert sending.send() is None
    assert sending.mails() == []
    assert sending.read(lambda c: c.execute(select(sends.c.key)).all()) == []
    monkeypatch.undo()
    sending.write(standing.resume, sending.id)
    sending.send()
    assert sending.mails() == GOLD


def test_paused_before_its_moment_it_gathers_nobody_until_it_is_resumed(shop):
    sending = Sending(shop)
    sending.write(standing.pause, sending.id, "wait")
    shop.advance("1h")
    assert sending.gather() == (State.PAUSED, False)
    sending.write(standing.resume, sending.id)
    assert sending.gather() == (State.RUNNING, True)


def test_resumed_before_its_moment_it_still_waits_for_it(shop):
    sending = Sending(shop)
    sending.write(standing.pause, sending.id, "wait")
    sending.write(standing.resume, sending.id)
    assert sending.gather() == (State.SCHEDULED, False)
    assert sending.read(lambda c: c.execute(select(broadcast_recipients.c.profile)).all()) == []
    shop.advance("1h")
    assert sending.gather() == (State.RUNNING, True)


def test_a_stopped_one_sends_nothing_more_for_good(shop):
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    sending.write(standing.stop, sending.id, "cancelled")
    assert sending.send() is None
    assert sending.mails() == []
    with pytest.raises(NotPossible, match="`news` is stopped; only one that is paused can be resumed"):
        sending.write(standing.resume, sending.id)


def test_each_person_gets_it_in_their_own_morning(shop):
    shop.identify("east", {"email": "east@shop.example", "plan": "gold"}, context={"timezone": "Asia/Tokyo"})
    shop.identify("west", {"email": "west@shop.example", "plan": "gold"}, context={"timezone": "America/New_York"})
    sending = Sending(shop, MORE_ZONES.replace("2026-01-05", "2026-01-06"))
    began = sending.look().begins_at
    assert began == datetime(2026, 1, 5, 20, tzinfo=UTC), "at UTC+14"
    shop.advance(began - sending.engine.clock.now())
    sending.gather()
    order = []
    while (due := sending.send()) is not None:
        order.append(sending.mails())
        shop.advance(due - sending.engine.clock.now())
    order.append(sending.mails())
    assert order[0] == []
    assert order[1] == ["east@shop.example"]
    assert order[2] == sorted(["east@shop.example", *GOLD])
    assert order[3] == sorted(["east@shop.example", "west@shop.example", *GOLD])


def test_two_recipients_who_became_one_person_get_one(shop):
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    shop.merge("u2", "u0")
    sending.send()
    assert len(sending.mails()) == 5
    assert sending.look().counts["merged"] == 1


def test_the_gate_judges_each(shop):
    shop.identify("u0", consent={"marketing": False})
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    sending.send()
    assert sending.mails() == [one for one in GOLD if one != "u0@shop.example"]
    assert dict(sending.look().counts) == {"accepted": 5, "suppressed": 1}
    assert sending.read(lambda c: c.execute(select(sends.c.reason).where(sends.c.state == "suppressed")).scalar()).startswith("consent")


def test_who_is_held_gets_it_when_hours_open_and_nothing_after_its_end(shop):
    held = BROADCAST.replace("10:00", "10:00\nsend_between: 12:00-13:00\nstop_after: 1d")
    sending = Sending(shop, held)
    shop.advance("1h")
    sending.gather()
    due = sending.send()
    assert due is not None
    assert sending.mails() == []
    assert due >= datetime(2026, 1, 5, 12, tzinfo=UTC)
    shop.advance(timedelta(days=2))
    sending.send()
    assert sending.mails() == []
    assert dict(sending.look().counts) == {"late": 6}


@pytest.mark.parametrize(("throttle", "every"), [("1 per hour", timedelta(hours=1)), ("8 per hour", timedelta(minutes=7, seconds=30))])
def test_a_throttle_is_exact_from_the_first_message_on_though_all_lanes_begin_at_once(shop, throttle, every):
    sending = Sending(shop, BROADCAST + f"throttle: {throttle}\nstop_after: 30d\n")
    shop.advance("1h")
    sending.gather()

    async def every_lane():
        workers = [Broadcasting(sending.engine.journeys), Broadcasting(sending.engine.journeys)]
        return await asyncio.gather(*(worker.send(sending.id, lane, 0.5) for worker in workers for lane in range(LANES)))

    for count in range(1, 7):
        told = shop._run(every_lane())
        assert len(sending.mails()) == count
        assert {one.next_due for one in told if one.next_due} <= {sending.engine.clock.now(), sending.engine.clock.now() + every}
        shop.advance(every - timedelta(seconds=1))
        shop._run(every_lane())
        assert len(sending.mails()) == count
        shop.advance("1s")
    assert sending.mails() == GOLD


def test_a_quick_throttle_gives_no_more_than_has_come_due_since_the_first_message(shop):
    sending = Sending(shop, BROADCAST + "throttle: 120 per minute\n")
    shop.advance("1h")
    sending.gather()
    sent = []
    for _ in range(4):
        for lane in range(LANES):
            shop._run(sending.broadcasting.send(sending.id, lane, 0.0))
        sent.append(len(sending.mails()))
        shop.advance(timedelta(milliseconds=900))
    assert sent == [1, 2, 4, 6]  # two a second: at 0, 0.5, 1, 1.5, 2 and 2.5 s


def test_what_was_sent_or_is_on_its_way_is_not_scheduled_again(shop):
    sending = Sending(shop)
    with pytest.raises(NotPossible, match="`news` is scheduled already"):
        Sending(shop)
    shop.advance("1h")
    sending.gather()
    sending.send()
    shop._run(sending.broadcasting.finish(sending.id))
    with pytest.raises(NotPossible, match="was sent at this moment already"):
        Sending(shop)
    with pytest.raises(NotPossible, match="has passed"):
        Sending(shop, BROADCAST.replace("2026", "2025"))


def test_of_many_endings_those_are_counted_that_ended_something_and_the_first_stands(shop):
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    registry, now = sending.engine.registry, sending.engine.clock.now()
    taken = [sending.write(recipients.take, registry, sending.id, lane, now, 50) for lane in range(LANES)]
    ids = [entry for page in taken for entry in page.entries.values()]
    endings = [Ending(one, outcome, "x") for outcome in ("first", "second") for one in ids]
    assert sending.write(mark_ended, [*endings, Ending("nobody", "first", "x")], sending.engine.clock.now()) == len(ids) == 6
    assert sending.write(mark_ended, endings, sending.engine.clock.now()) == 0
    assert set(sending.read(lambda c: c.execute(select(entries.c.outcome)).scalars())) == {"first"}


def test_lanes_share_everyone_out(shop):
    sending = Sending(shop)
    shop.advance("1h")
    sending.gather()
    lanes = sending.read(lambda c: list(c.execute(select(broadcast_recipients.c.lane)).scalars()))
    assert len(lanes) == 6
    assert len(set(lanes)) > 1
    assert set(lanes) <= set(range(LANES))


@pytest.mark.parametrize(
    ("outcome", "state"), [("done", State.DONE), ("stopped", State.STOPPED), ("terminated", State.STOPPED), ("failed", State.STOPPED)]
)
def test_one_whose_workflow_has_ended_is_over_and_sends_nothing_and_what_was_over_before_stays(shop, outcome, state):
    sending = Sending(shop)
    now = sending.engine.clock.now()
    assert sending.write(standing.found_closed, sending.id, outcome, now)
    found = sending.read(standing.look, sending.id)
    assert (found.state, found.finished_at) == (state, now)
    assert f"ended in Temporal ({outcome})" in found.because
    assert not sending.write(standing.found_closed, sending.id, "done", now + timedelta(hours=1))
    assert sending.read(standing.look, sending.id) == found
    shop.advance("2d")
    sending.gather()
    sending.send()
    assert sending.mails() == []
