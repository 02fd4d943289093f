"""A broadcast in virtual time: who got it, when by each person's own clock, who did not and why."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from shop_definitions import NOTE, journey

from sojourn.broadcasts.standing import NotPossible
from sojourn.errors import NotFound
from sojourn.language.loader import load_broadcast
from sojourn.language.problems import DefinitionError
from sojourn.testing import Shop

NEWS = """
broadcast: news
description: News for gold customers.
to: profile.plan == "gold" and not did("Order Completed", within="2d")
content: note
at: 2026-01-06 09:00
zone: person
"""
SHOP = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
topics:
  magazine: {title: The magazine}
caps:
- {max: 1, within: 1d}
"""
ZONES = {"tim": "Pacific/Auckland", "eve": "Europe/Berlin", "sam": "America/Los_Angeles"}


def gold(shop: Shop, *names: str) -> None:
    for name in names:
        zone = {"timezone": ZONES[name]} if name in ZONES else None
        shop.identify(name, {"email": f"{name}@shop-customers.example", "plan": "gold"}, context=zone)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop(contents={"note": NOTE}) as opened:
        yield opened


def test_each_gets_it_at_that_hour_of_their_own_zone_and_once(shop: Shop) -> None:
    gold(shop, *ZONES)
    assert shop.broadcast(NEWS).state == "scheduled"
    shop.advance("3d")
    sent = shop.show_broadcast("news")
    assert (sent.state, sent.arrived) == ("done", ["tim", "eve", "sam"])
    assert [sent.recipients[name].at for name in sent.arrived] == [
        datetime(2026, 1, 5, 20, tzinfo=UTC),
        datetime(2026, 1, 6, 8, tzinfo=UTC),
        datetime(2026, 1, 6, 17, tzinfo=UTC),
    ]
    assert all(len(shop.inbox(name)) == 1 for name in ZONES)


def test_who_was_left_out_and_who_was_refused_are_there_with_why(shop: Shop) -> None:
    gold(shop, "ann", "ben", "cat", "dan")
    shop.identify("tin", {"email": "tin@shop-customers.example", "plan": "tin"})
    shop.identify("ben", consent={"marketing": False})
    shop.identify("dan", {"email": None})
    shop.broadcast(NEWS)
    shop.track("cat", "Order Completed", {"revenue": 5})
    shop.advance("2d")
    sent = shop.show_broadcast("news")
    assert sent.arrived == ["ann"]
    assert {name: one.state for name, one in sent.recipients.items()} == {"ann": "accepted", "ben": "suppressed", "dan": "suppressed"}
    assert "consent" in (sent.recipients["ben"].reason or "")
    assert "no e-mail address" in (sent.recipients["dan"].reason or "")
    assert sent.left_out["tin"] == 'not profile.plan == "gold" (tin)'
    assert 'did("Order Completed", within="2d")' in sent.left_out["cat"]
    assert set(sent.left_out) == {"tin", "cat"}


def test_its_messages_are_messages_as_any_other(shop: Shop) -> None:
    gold(shop, "ann")
    shop.broadcast(NEWS)
    shop.advance("2d")
    (mail,) = shop.inbox("ann")
    assert mail == shop.show_broadcast("news").recipients["ann"].send
    shop.unsubscribe(mail)
    assert shop.profile("ann").consents == {"marketing": False}
    shop.broadcast(NEWS, at="2026-01-09 09:00")
    shop.advance("3d")
    assert shop.show_broadcast("news").recipients["ann"].state == "suppressed"


def test_the_gate_judges_it_as_it_does_a_journeys_message() -> None:
    hello = journey("hello", "enter: {on: Began}\nsteps: [{send: note}, {end: done}]\n")
    with Shop(journeys=[hello], contents={"note": NOTE}, settings=SHOP) as shop:
        gold(shop, "ann", "ben", "cat")
        shop.broadcast(NEWS.replace("zone: person", "topic: magazine"))
        shop.advance("6h")
        shop.track("ben", "Began")
        shop.advance("6h")
        shop.track("cat", "Began")
        shop.prefer(shop.inbox("cat")[0], frequency="normal")  # `magazine` is not ticked: off
        shop.advance("2d")
        sent = shop.show_broadcast("news")
        assert sent.arrived == ["ann"]
        assert sent.recipients["ben"].reason == "cap: 1 of 1 messages in 1d are used up"
        assert (sent.recipients["cat"].reason or "").startswith("topic: ")


def test_paused_it_waits_and_resumed_it_goes_on(shop: Shop) -> None:
    gold(shop, *ZONES)
    shop.broadcast(NEWS)
    shop.advance_to(datetime(2026, 1, 6, 10, tzinfo=UTC))
    assert shop.show_broadcast("news").arrived == ["tim", "eve"]
    paused = shop.pause_broadcast("news", "a wrong price")
    assert (paused.state, paused.because, paused.recipients["sam"].state) == ("paused", "a wrong price", "waiting")
    shop.advance("10h")
    assert shop.inbox("sam") == []
    assert shop.resume_broadcast("news").arrived == ["tim", "eve", "sam"]
    assert shop.inbox("sam")[0].at == shop.now


def test_paused_before_its_moment_and_resumed_it_still_begins_at_its_moment(shop: Shop) -> None:
    gold(shop, "ann")
    shop.broadcast(NEWS.replace("zone: person", "zone: shop"))
    shop.pause_broadcast("news")
    shop.advance("1h")
    assert shop.resume_broadcast("news").state == "scheduled"
    gold(shop, "ben")  # before its moment, so a recipient
    shop.advance("2d")
    assert set(shop.show_broadcast("news").arrived) == {"ann", "ben"}
    assert shop.inbox("ben")[0].at == datetime(2026, 1, 6, 9, tzinfo=UTC)


def test_stopped_whoever_still_waits_gets_nothing(shop: Shop) -> None:
    gold(shop, *ZONES)
    shop.broadcast(NEWS)
    shop.advance_to(datetime(2026, 1, 6, 10, tzinfo=UTC))
    shop.stop_broadcast("news", "sold out")
    shop.advance("3d")
    sent = shop.show_broadcast("news")
    assert (sent.state, sent.arrived) == ("stopped", ["tim", "eve"])
    assert shop.inbox("sam") == []
    with pytest.raises(NotPossible, match="stopped"):
        shop.resume_broadcast("news")


def test_a_brake_holds_it_and_lets_go_of_it_at_once_when_it_is_released() -> None:
    brakes = SHOP.partition("caps:")[0] + "brakes: {at_least: 4, complaints: {alarm: 10%, halt: 20%}}\n"
    hello = journey("hello", "enter: {on: Began}\nsteps: [{send: note}, {end: done}]\n")
    with Shop(journeys=[hello], contents={"note": NOTE}, settings=brakes) as shop:
        people = [f"p{i}" for i in range(6)]
        gold(shop, *people)
        for name in people:
            shop.track(name, "Began")
        shop.track("p0", "Email Marked as Spam", {"send_key": shop.inbox("p0")[0].key})
        shop.track("p1", "Email Marked as Spam", {"send_key": shop.inbox("p1")[0].key})
        shop.broadcast(NEWS.replace("zone: person", "zone: shop"), at="2026-01-05 12:00")
        shop.advance("3h 10m")
        held = shop.show_broadcast("news")
        assert {one.state for one in held.recipients.values()} == {"waiting"}
        assert all((one.reason or "").startswith("brake: the whole shop") for one in held.recipients.values())
        shop.release_brake("*")
        sent = shop.show_broadcast("news")
        assert (sent.state, sorted(sent.arrived)) == ("done", people)
        assert {one.at for one in sent.recipients.values()} == {shop.now}


def test_a_throttle_spreads_it_out(shop: Shop) -> None:
    gold(shop, *(f"p{i}" for i in range(24)))
    shop.broadcast(NEWS.replace("zone: person", "throttle: 8 per hour"))
    shop.advance("2d")
    sent = shop.show_broadcast("news")
    moments = sorted(one.at for one in sent.recipients.values() if one.at is not None)
    assert len(moments) == 24
    assert moments[0] == datetime(2026, 1, 6, 9, tzinfo=UTC)
    for hour in range(3):
        begins = moments[0] + timedelta(hours=hour)
        assert sum(begins <= at < begins + timedelta(hours=1) for at in moments) <= 8


def test_who_is_held_past_its_end_is_late(shop: Shop) -> None:
    gold(shop, "ann")
    shop.broadcast(NEWS.replace("zone: person", "send_between: 12:00-13:00\nstop_after: 1h"))
    shop.advance("2d")
    sent = shop.show_broadcast("news")
    assert (sent.state, sent.recipients["ann"].state) == ("done", "late")
    assert "held when the broadcast ended" in (sent.recipients["ann"].reason or "")


def test_two_who_turn_out_to_be_one_get_one(shop: Shop) -> None:
    gold(shop, "ann", "sam")
    shop.broadcast(NEWS)
    shop.advance_to(datetime(2026, 1, 6, 8, tzinfo=UTC))  # gathered; nobody's turn but of the far east
    shop.merge("ann", "sam")
    shop.advance("3d")
    sent = shop.show_broadcast("news")
    assert sorted(one.state for one in sent.recipients.values()) == ["accepted", "merged"]
    assert len(shop.inbox("ann")) == 1


def test_two_runs_of_a_test_send_the_same_under_the_same_keys() -> None:
    def run() -> list[tuple[str, str]]:
        with Shop(contents={"note": NOTE}) as shop:
            gold(shop, *(f"p{i}" for i in range(9)))
            shop.broadcast(NEWS + "holdout: 40%\n")
            shop.advance("3d")
            return [(one.send.key, one.state) for one in shop.show_broadcast("news").recipients.values() if one.send]

    first = run()
    assert first == run()
    assert {state for _, state in first} == {"accepted", "suppressed"}


def test_a_model_or_the_name_of_a_file_will_do_and_what_is_wrong_is_said(shop: Shop) -> None:
    gold(shop, "ann")
    assert shop.broadcast(load_broadcast(NEWS)).name == "news"
    with pytest.raises(NotPossible, match="scheduled already"):
        shop.broadcast(NEWS)
    with pytest.raises(DefinitionError, match="nothing_of_this_name"):
        shop.broadcast(NEWS.replace("content: note", "content: nothing_of_this_name").replace("broadcast: news", "broadcast: other"))
    with pytest.raises(NotFound, match="broadcast"):
        shop.broadcast("nothing_of_this_name")
    with pytest.raises(NotPossible, match="has passed"):
        shop.broadcast(NEWS.replace("broadcast: news", "broadcast: other"), at="2025-01-01 09:00")


def test_the_shipped_broadcast_reaches_a_loyal_customer_at_nine_in_the_morning() -> None:
    with Shop(journeys_dir=Path(__file__).parents[3] / "journeys", start=datetime(2026, 11, 30, 9, tzinfo=UTC)) as shop:
        for name in ("ann", "ben"):
            shop.identify(name, {"email": f"{name}@shop-customers.example"}, context={"timezone": "America/New_York"})
        for week in range(8):
            shop.track("ann", "Order Completed", {"order_id": f"o{week}", "revenue": 200}, at=shop.now - timedelta(days=3 + 7 * week))
        shop.advance("1h")
        assert shop.in_segment("ann", "stage_loyalty")
        shop.broadcast("autumn_evening")
        shop.advance("5d")
        sent = shop.show_broadcast("autumn_evening")
        assert set(sent.recipients) == {"ann"}
        assert "stage_loyalty" in sent.left_out["ben"]
        assert sent.recipients["ann"].at == datetime(2026, 12, 3, 14, tzinfo=UTC)
