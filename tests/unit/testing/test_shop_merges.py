"""Two people on one journey turn out to be one: one entry goes on, one of each message goes out, one purchase is one goal."""

from __future__ import annotations

from collections import Counter

import pytest
from shop_definitions import EMAIL, small_shop
from sqlalchemy import func, select

from sojourn.store.tables import entries, sends
from sojourn.testing import Shop

OTHER = {"email": "visitor@shop-customers.example"}
CART = """
enter: {on: Product Added, again_after: 7d%s}
leave: [{on: Order Completed, as: purchased}]
goal: {on: Order Completed, within: 7d, value: event.revenue}
steps:
  - wait: 1h
  - send: note
    id: reminder
  - wait: 1d
  - send: note
    id: last_call
  - wait: 3d
  - end: no_answer
"""


def twice_running(shop: Shop) -> list[tuple[str, str, str]]:
    """Return who is on one journey and key by two entries."""
    columns = (entries.c.profile_id, entries.c.journey, entries.c.key)
    query = select(*columns).where(entries.c.state == "running").group_by(*columns).having(func.count() > 1)
    return [tuple(row) for row in shop._read(lambda connection: connection.execute(query).all())]


def sent(shop: Shop, person: str = "ada") -> Counter[str]:
    return Counter(send.id for send in shop.inbox(person))


def states(shop: Shop, person: str = "ada") -> list[tuple[str, str | None]]:
    return [(entry.state, entry.outcome) for entry in shop.entries(person)]


def meet(shop: Shop, by: str) -> None:
    """Let ada turn out to be the visitor."""
    if by == "an identify":
        shop.identify("ada", anonymous_id="visitor")
    elif by == "an alias":
        shop.alias("ada", "visitor")
    elif by == "hand":
        shop.merge("ada", "visitor")
    else:
        shop.merge("visitor", "ada")


WAYS = ["an identify", "an alias", "hand", "hand, the other way"]


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("wait", ["0s", "30m", "1h 5m", "20h", "1d 1h 5m", "2d"])
def test_of_two_entries_the_older_goes_on_whenever_they_meet(by: str, wait: str) -> None:
    with small_shop(CART % "") as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track("ada", "Product Added", {"cart_id": "c"})
        shop.advance("10m")
        shop.track(None, "Product Added", {"cart_id": "c"}, anonymous_id="visitor")
        shop.advance(wait)
        before = sent(shop) + sent(shop, "visitor")
        meet(shop, by)
        assert twice_running(shop) == []
        older, younger = shop.entries("ada")
        assert (older.state, younger.state, younger.outcome) == ("running", "ended", "merged")
        assert younger.because
        shop.advance("10d")
        after = sent(shop)
        # What both had got before they met is out; from then on each message comes once.
        assert after == Counter({one: max(1, before[one]) for one in ("reminder", "last_call")})
        assert states(shop) == [("ended", "no_answer"), ("ended", "merged")]
        assert all(send.state in ("accepted", "suppressed") for send in shop.sends("ada"))


def test_a_purchase_after_the_merge_is_one_goal() -> None:
    with small_shop(CART % "") as shop:
        shop.identify("ada", EMAIL)
        shop.track("ada", "Product Added")
        shop.track(None, "Product Added", anonymous_id="visitor")
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track(None, "Product Added", anonymous_id="visitor")
        meet(shop, "an identify")
        shop.track("ada", "Order Completed", {"revenue": 60})
        assert [entry.goal_value for entry in shop.entries("ada") if entry.goal_at] == [60]
        assert ("ended", "purchased") in states(shop)


@pytest.mark.parametrize("by", WAYS)
def test_a_purchase_before_the_merge_is_one_goal_and_ends_the_one_that_goes_on(by: str) -> None:
    with small_shop(CART % "") as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track("ada", "Product Added")
        shop.advance("5m")
        shop.track(None, "Product Added", anonymous_id="visitor")
        shop.advance("5m")
        shop.track(None, "Order Completed", {"revenue": 60}, anonymous_id="visitor")
        shop.advance("5m")
        meet(shop, by)
        assert [entry.goal_value for entry in shop.entries("ada") if entry.goal_at] == [60]
        assert states(shop) == [("ended", "purchased")] * 2
        shop.advance("10d")
        assert sent(shop) == Counter()


def test_what_the_younger_has_sent_the_older_does_not_repeat() -> None:
    hurries = """
enter: {on: Product Added, again_after: 7d}
steps:
  - if: event.fast == true
    then: []
    else: [{wait: 2h}]
  - send: note
    id: reminder
  - wait: 1d
  - end: done
"""
    with small_shop(hurries) as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track("ada", "Product Added", {"fast": False})
        shop.advance("10m")
        shop.track(None, "Product Added", {"fast": True}, anonymous_id="visitor")
        assert sent(shop, "visitor") == Counter({"reminder": 1})
        shop.advance("10m")
        meet(shop, "an identify")
        shop.advance("3d")
        assert sent(shop) == Counter({"reminder": 1})
        assert states(shop) == [("ended", "done"), ("ended", "merged")]
        (reason,) = [send.reason for send in shop.sends("ada") if send.state == "suppressed"]
        assert "got it already" in (reason or "")


def test_a_held_message_of_the_younger_is_withdrawn_and_the_older_sends_its_own_once() -> None:
    held = (CART % "") + "send_between: 10:00-12:00\n"
    with small_shop(held) as shop:
        shop.advance("4h")  # 13:00
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track("ada", "Product Added")
        shop.track(None, "Product Added", anonymous_id="visitor")
        shop.advance("2h")
        assert [send.state for one in ("ada", "visitor") for send in shop.sends(one)] == ["held", "held"]
        meet(shop, "hand")
        assert sorted(send.state for send in shop.sends("ada")) == ["held", "suppressed"]
        shop.advance("1d")
        assert sent(shop) == Counter({"reminder": 1})


WEEK = ", again_after: 7d"


@pytest.mark.parametrize(("again", "gap", "goes_on"), [(WEEK, "2d", False), (WEEK, "8d", True), ("", "8d", False)])
def test_when_the_journey_may_be_entered_again_is_judged_over_both(again: str, gap: str, goes_on: bool) -> None:
    quick = f"enter: {{on: Began{again}}}\nsteps: [{{wait: 1h}}, {{send: note, id: hello}}, {{wait: 1d}}, {{end: done}}]\n"
    with small_shop(quick) as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track("ada", "Began")
        shop.advance("1d 2h")
        shop.advance(gap)
        shop.track(None, "Began", anonymous_id="visitor")
        shop.advance("10m")
        meet(shop, "an identify")
        shop.advance("3d")
        assert states(shop) == [("ended", "done"), ("ended", "done" if goes_on else "merged")]
        assert sent(shop)["hello"] == (2 if goes_on else 1)
        shop.track("ada", "Began")
        shop.advance("3d")
        assert len(states(shop)) == 2  # not for seven days after the one that counts, or never
        if again and not goes_on:
            shop.advance("4d")
            shop.track("ada", "Began")
            assert len(states(shop)) == 3


def test_where_a_trigger_restarts_a_journey_the_younger_goes_on() -> None:
    with small_shop(CART % ", while_running: restart") as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.track("ada", "Product Added")
        shop.advance("30m")
        shop.track(None, "Product Added", anonymous_id="visitor")
        meet(shop, "an identify")
        assert states(shop) == [("ended", "merged"), ("running", None)]
        shop.advance("10d")
        assert sent(shop) == Counter({"reminder": 1, "last_call": 1})


def test_entries_of_different_keys_both_go_on() -> None:
    with small_shop(CART % ", key: event.cart_id") as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        for cart in ("a", "b"):
            shop.track("ada", "Product Added", {"cart_id": cart})
        shop.advance("1m")
        for cart in ("b", "c"):
            shop.track(None, "Product Added", {"cart_id": cart}, anonymous_id="visitor")
        meet(shop, "an identify")
        running = sorted(entry.key for entry in shop.entries("ada") if entry.state == "running")
        assert running == ["a", "b", "c"]
        assert [entry.key for entry in shop.entries("ada") if entry.outcome == "merged"] == ["b"]


def test_three_who_are_one_have_one_entry_and_a_click_on_the_message_of_any_of_them_is_heard() -> None:
    waits = """
enter: {on: Product Added, again_after: 7d}
steps:
  - send: note
    id: reminder
  - wait_for: reminder.clicked
    up_to: 3d
    then: [{end: clicked}]
    else: [{end: silent}]
"""
    with small_shop(waits) as shop:
        for i, one in enumerate(("x", "y", "z")):
            shop.identify(None, {"email": f"{one}@shop.example"}, anonymous_id=one, consent={"marketing": True})
            shop.track(None, "Product Added", anonymous_id=one)
            shop.advance(f"{i + 1}m")
        (message,) = shop.inbox("z")
        for one in ("x", "y", "z"):
            shop.identify("ada", EMAIL, anonymous_id=one)
            assert twice_running(shop) == []
        assert Counter(state for state, _ in states(shop)) == {"running": 1, "ended": 2}
        shop.click(message)
        assert states(shop)[0] == ("ended", "clicked")


def test_who_is_taken_apart_again_has_what_was_theirs_and_nobody_walks_twice() -> None:
    with small_shop(CART % "") as shop:
        shop.identify("ada", EMAIL)
        visitor = shop.identify(None, {"email": "v@shop.example"}, anonymous_id="visitor", consent={"marketing": True}).id
        shop.track("ada", "Product Added")
        shop.advance("1m")
        shop.track(None, "Product Added", anonymous_id="visitor")
        meet(shop, "an identify")
        shop.unmerge(visitor)
        assert twice_running(shop) == []
        assert states(shop, "ada") == [("running", None)]
        assert states(shop, "visitor") == [("ended", "merged")]
        shop.advance("8d")
        shop.track(None, "Product Added", anonymous_id="visitor")
        assert states(shop, "visitor")[-1] == ("running", None)
        shop.merge("ada", "visitor")
        assert twice_running(shop) == []


def test_no_send_stays_planned_or_held_for_an_entry_that_was_merged() -> None:
    with small_shop((CART % "") + "send_between: 10:00-12:00\n") as shop:
        shop.advance("5h")
        for i in range(4):
            shop.identify(None, {"email": f"v{i}@shop.example"}, anonymous_id=f"v{i}", consent={"marketing": True})
            shop.track(None, "Product Added", anonymous_id=f"v{i}")
        shop.advance("2h")
        for i in range(4):
            shop.identify("ada", EMAIL, anonymous_id=f"v{i}")
        waiting = (
            select(func.count()).select_from(sends.join(entries, entries.c.id == sends.c.entry_id))
            .where(entries.c.state == "ended", sends.c.state.in_(["planned", "held"]))
        )  # fmt: skip
        assert shop._read(lambda connection: connection.execute(waiting).scalar_one()) == 0
        shop.advance("1d")
        assert sent(shop) == Counter({"reminder": 1})


NEWS = """
broadcast: news
description: News.
to: not did("Began")
content: note
at: 2026-01-05 20:00
"""


@pytest.mark.parametrize("when", ["before", "held", "after"])
def test_a_broadcast_sends_one_message_to_two_recipients_who_are_one(when: str) -> None:
    quiet = "name: S\nzone: UTC\npostal_address: Here\nsender: {address: s@shop.example, name: S}\nquiet_hours: 19:00-08:00\n"
    with small_shop(settings=quiet) as shop:
        shop.identify("ada", EMAIL)
        shop.identify(None, OTHER, anonymous_id="visitor", consent={"marketing": True})
        shop.broadcast(NEWS)
        shop.advance({"before": "1h", "held": "12h", "after": "2d"}[when])
        meet(shop, "hand")
        assert twice_running(shop) == []
        shop.advance("2d")
        assert len(shop.inbox("ada")) == (2 if when == "after" else 1)
        assert shop.show_broadcast("news").state == "done"
