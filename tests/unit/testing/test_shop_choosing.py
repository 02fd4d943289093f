"""What people choose and confirm, and what holds back messages that compete, in whole lives in virtual time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from shop_definitions import EMAIL, NOTE, journey, small_shop
from sqlalchemy import select

from sojourn.store.tables import consents, events, sends
from sojourn.testing import Shop

SHOP = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
"""
TOPICS = (
    SHOP
    + """\
topics:
  offers: {title: Offers, description: A discount now and then.}
  magazine: {title: The magazine, default: out}
"""
)
OFFER = "enter: {on: Began, key: event.n}\ntopic: offers\nsteps:\n  - send: note\n"
PLAIN = "enter: {on: Began, key: event.n}\nsteps:\n  - send: note\n"
MAGAZINE = "enter: {on: Printed, key: event.n}\nsteps:\n  - send: note\n    topic: magazine\n"
RECEIPT = "enter: {on: Paid, key: event.n}\npurpose: transactional\nsteps:\n  - send: note\n"
MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def begin(shop: Shop, event: str, n: int, person: str = "ada") -> str:
    """Let someone begin a journey, and return what became of its message."""
    before = {one.key for one in shop.sends(person)}
    shop.track(person, event, {"n": n})
    (sent,) = (one for one in shop.sends(person) if one.key not in before)
    return sent.state if sent.state != "suppressed" else str(sent.reason)


def told(shop: Shop) -> list[str]:
    """Return the names of all events, in the order of the log."""
    return list(shop._read(lambda connection: connection.execute(select(events.c.name).order_by(events.c.seq)).scalars().all()))


class TestTopics:
    def test_a_topic_is_on_or_off_by_default_until_the_person_chooses(self) -> None:
        with small_shop(OFFER, MAGAZINE, settings=TOPICS) as shop:
            shop.identify("ada", EMAIL)
            assert begin(shop, "Began", 1) == "accepted"
            assert begin(shop, "Printed", 1) == "topic: the topic magazine is off by default and was not chosen"
            shop.prefer(shop.inbox("ada")[0], topic_magazine="on", frequency="normal")
            assert begin(shop, "Printed", 2) == "accepted"
            assert begin(shop, "Began", 2) == "topic: the topic offers was declined"
            assert shop.profile("ada").consents == {"marketing": True, "topic:offers": False, "topic:magazine": True}

    def test_everything_off_withdraws_every_consent_ends_journeys_and_spares_the_receipt(self) -> None:
        waits = "enter: {on: Began, key: event.n}\nsteps:\n  - send: note\n  - wait: 30d\n  - send: note\n    id: late\n"
        with small_shop(waits, RECEIPT, settings=TOPICS) as shop:
            shop.identify("ada", EMAIL)
            begin(shop, "Began", 1)
            shop.prefer(shop.inbox("ada")[0], all="off")
            assert shop.profile("ada").consents["marketing"] is False
            assert shop.outcome("ada", "j0") == "consent_withdrawn"
            assert begin(shop, "Paid", 1) == "accepted"
            names = [event for event in told(shop) if event in ("Unsubscribed", "Preferences Updated", "Subscribed")]
            assert sorted(names) == ["Preferences Updated", "Unsubscribed"]

    def test_who_turns_a_topic_on_again_agrees_again_to_that_topic_alone(self) -> None:
        with small_shop(OFFER, MAGAZINE, settings=TOPICS.replace("default: out", "default: in")) as shop:
            shop.identify("ada", EMAIL)
            begin(shop, "Began", 1)
            message = shop.inbox("ada")[0]
            shop.prefer(message, all="off")
            shop.advance("1h")
            shop.prefer(message, topic_offers="on", frequency="normal")
            assert begin(shop, "Began", 2) == "accepted"
            assert begin(shop, "Printed", 2) == "topic: the topic magazine was declined"

    def test_saving_what_is_so_already_tells_nothing(self) -> None:
        with small_shop(OFFER, settings=TOPICS) as shop:
            shop.identify("ada", EMAIL)
            begin(shop, "Began", 1)
            shop.prefer(shop.inbox("ada")[0], topic_offers="on", frequency="normal")
            assert "Preferences Updated" not in told(shop)


class TestFrequency:
    def test_at_most_one_a_week_and_the_next_a_week_later(self) -> None:
        with small_shop(PLAIN, settings=SHOP) as shop:
            shop.identify("ada", EMAIL)
            begin(shop, "Began", 1)
            shop.prefer(shop.inbox("ada")[0], purpose_marketing="on", frequency="weekly")
            assert begin(shop, "Began", 2) == "cap: 1 of 1 messages in 7d, as the person wishes, are used up"
            shop.advance("7d")
            assert begin(shop, "Began", 3) == "accepted"

    def test_a_pause_holds_for_thirty_days_and_saving_it_again_makes_it_no_longer(self) -> None:
        with small_shop(PLAIN, RECEIPT, settings=SHOP) as shop:
            shop.identify("ada", EMAIL)
            begin(shop, "Began", 1)
            message = shop.inbox("ada")[0]
            shop.prefer(message, purpose_marketing="on", frequency="paused")
            shop.advance("20d")
            shop.prefer(message, purpose_marketing="on", frequency="paused")
            assert begin(shop, "Began", 2) == "frequency: the person paused messages until 2026-02-04 09:00"
            assert begin(shop, "Paid", 1) == "accepted"
            shop.advance("10d")
            assert begin(shop, "Began", 3) == "accepted"

    def test_what_was_chosen_follows_a_merge_and_comes_back_where_it_is_undone(self) -> None:
        with small_shop(PLAIN, settings=SHOP) as shop:
            shop.identify("ada", EMAIL)
            other = shop.identify("bob", {"email": "bob@shop-customers.example"})
            begin(shop, "Began", 1, "bob")
            shop.prefer(shop.inbox("bob")[0], purpose_marketing="on", frequency="paused")
            shop.merge("ada", "bob")
            assert begin(shop, "Began", 2) == "frequency: the person paused messages until 2026-02-04 09:00"
            shop.unmerge(other.id)
            assert begin(shop, "Began", 3) == "accepted"
            assert begin(shop, "Began", 4, "bob").startswith("frequency: the person paused messages")


DOUBLE = SHOP + "consent:\n  marketing: {required: true, double_opt_in: true, wording: 2026-01, description: News until I say stop.}\n"


OURS = "topics: {reminders: {title: Reminders}, guides: {title: Guides}, news: {title: News}}\n"  # which the shipped journeys name


def opting_in() -> Shop:
    return Shop(journeys_dir="journeys", settings=DOUBLE + OURS, journeys=[journey("offer", PLAIN)], contents={"note": NOTE})


class TestDoubleOptIn:
    def test_a_consent_counts_only_once_it_was_confirmed_and_the_send_names_its_row(self) -> None:
        with opting_in() as shop:
            shop.identify("ada", EMAIL)
            (question,) = shop.inbox("ada")
            assert question.content == "confirm_subscription"
            shop.track("ada", "Began", {"n": 1})
            assert [one.content for one in shop.sends("ada")] == ["confirm_subscription"]
            assert [refusal.reason for refusal in shop.refusals("ada")]
            shop.advance("3h")
            shop.confirm(question)
            assert begin(shop, "Began", 2) == "accepted"
            key = shop.sends("ada")[-1].key
            stood_on = select(consents).join(sends, sends.c.consent_id == consents.c.id).where(sends.c.key == key)
            row = shop._read(lambda connection: connection.execute(stood_on).one())
            assert (row.purpose, row.wording, row.source) == ("marketing", "2026-01", "confirmed by link")
            assert row.at == MONDAY + timedelta(hours=3)
            said = next(verdict.because for verdict in shop.sends("ada")[-1].verdicts if verdict.check == "consent")
            assert said == "marketing was consented to (wording 2026-01, confirmed by link) on 2026-01-05 12:00"
            assert shop.outcome("ada", "double_opt_in") == "confirmed"

    def test_what_was_agreed_to_before_the_rule_stays_agreed_to(self) -> None:
        waits = journey("j0", "enter: {on: Began}\nsteps:\n  - wait: 1h\n  - send: note\n")
        with small_shop(waits, settings=SHOP) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.deploy(journeys=[waits], contents={"note": NOTE}, settings=DOUBLE)
            shop.advance("1h")
            assert shop.sends("ada")[-1].state == "accepted"

    def test_it_asks_once_however_often_a_page_says_yes_and_again_when_a_form_is_filled_in(self) -> None:
        with opting_in() as shop:
            for _ in range(5):
                shop.identify("ada", EMAIL, consent=["marketing"])
                shop.advance("1h")
            assert len(shop.inbox("ada")) == 1
            for _ in range(3):
                shop.advance("8d")
                shop.identify("ada", EMAIL, consent=["marketing"])
            assert len(shop.inbox("ada")) == 1
            shop.track("ada", "Subscribed")
            assert len(shop.inbox("ada")) == 2

    def test_a_no_after_the_question_makes_its_link_worth_nothing(self) -> None:
        with opting_in() as shop:
            shop.identify("ada", EMAIL)
            question = shop.inbox("ada")[0]
            shop.advance("1h")
            shop.track("ada", "Unsubscribed", {"purpose": "marketing"})
            shop.advance("1h")
            shop.confirm(question)
            assert shop.profile("ada").consents["marketing"] is False

    def test_a_page_that_says_yes_again_takes_nothing_from_who_confirmed(self) -> None:
        with opting_in() as shop:
            shop.identify("ada", EMAIL)
            shop.advance("1h")
            shop.confirm(shop.inbox("ada")[0])
            shop.advance("1h")
            shop.identify("ada", EMAIL, consent=["marketing"])
            assert shop.profile("ada").consents["marketing"] is True
            assert len(shop.inbox("ada")) == 1


class TestCaps:
    def test_a_calendar_day_is_the_persons_own(self) -> None:
        with small_shop(PLAIN, settings=SHOP + "caps: [{max: 1, per: day}]\n", start=MONDAY) as shop:
            shop.identify("ada", EMAIL, context={"timezone": "America/New_York"})  # 04:00
            assert begin(shop, "Began", 1) == "accepted"
            shop.advance("19h 59m")  # 23:59 there, Tuesday in UTC
            assert begin(shop, "Began", 2) == "cap: 1 of 1 messages in this calendar day are used up"
            shop.advance("1m")
            assert begin(shop, "Began", 3) == "accepted"

    def test_what_is_capped_may_wait_for_room_and_no_longer_than_it_says(self) -> None:
        caps = "caps: [{max: 1, within: 24h, when_capped: hold up to 30h}]\n"
        with small_shop(PLAIN, settings=SHOP + caps) as shop:
            shop.identify("ada", EMAIL)
            begin(shop, "Began", 1)
            shop.advance("1h")
            assert begin(shop, "Began", 2) == "held"
            assert begin(shop, "Began", 3) == "held"
            shop.advance("23h")
            assert sorted(one.state for one in shop.sends("ada")) == ["accepted", "accepted", "suppressed"]
            (lost,) = (one for one in shop.sends("ada") if one.state == "suppressed")
            assert "for longer than 1d 6h" in str(lost.reason)

    def test_a_journey_may_say_otherwise_and_a_cap_may_be_of_one_topic_or_journey(self) -> None:
        caps = "caps: [{max: 1, within: 7d, topic: offers, when_capped: hold up to 30d}, {max: 2, within: 7d, journey: j1}]\n"
        skips = OFFER + "when_capped: skip\n"
        with small_shop(skips, MAGAZINE, settings=TOPICS.replace("default: out", "default: in") + caps) as shop:
            shop.identify("ada", EMAIL)
            assert begin(shop, "Began", 1) == "accepted"
            assert begin(shop, "Began", 2) == "cap: 1 of 1 messages of offers in 7d are used up"
            assert [begin(shop, "Printed", n) for n in (1, 2)] == ["accepted", "accepted"]
            assert begin(shop, "Printed", 3) == "cap: 2 of 2 messages of j1 in 7d are used up"


LOW = "priority: 20\nenter: {on: Began}\nsteps:\n  - send: note\n"
HIGH = "priority: 80\nenter: {on: Began}\nsteps:\n  - send: note\n"


class TestPriority:
    @pytest.mark.parametrize("order", [(LOW, HIGH), (HIGH, LOW)])
    def test_of_two_that_begin_at_one_moment_the_higher_goes_first_and_the_loser_names_it(self, order: tuple[str, str]) -> None:
        low, high = (f"j{order.index(one)}" for one in (LOW, HIGH))
        with small_shop(*order) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert [(one.journey, one.state) for one in shop.sends("ada") if one.journey == high] == [(high, "accepted")]
            loser = next(one for one in shop.sends("ada") if one.journey == low)
            assert loser.state == "held"
            shop.advance("10m")
            assert [one.journey for one in sorted(shop.inbox("ada"), key=lambda one: one.at)] == [high, low]
            loser = next(one for one in shop.sends("ada") if one.journey == low)
            said = [verdict.because for verdict in loser.verdicts if verdict.check == "priority" and verdict.verdict == "hold"]
            assert any(f"gives way to {high}" in because and "priority 80" in because for because in said)
            assert loser.at == MONDAY + timedelta(minutes=10)

    def test_of_two_that_waited_for_the_same_hours_the_higher_goes_first_and_takes_the_last_place(self) -> None:
        hours = "send_between: 12:00-18:00\n"
        with small_shop(LOW + hours, HIGH + hours, settings=SHOP + "caps: [{max: 1, within: 24h}]\n") as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert {one.state for one in shop.sends("ada")} == {"held"}
            shop.advance("5h")
            states = {one.journey: (one.state, one.reason) for one in shop.sends("ada")}
            assert states["j1"][0] == "accepted"
            assert states["j0"] == ("suppressed", "cap: 1 of 1 messages in 1d are used up")

    def test_equals_do_not_compete_and_neither_does_one_journey_with_itself(self) -> None:
        twice = "priority: 80\nenter: {on: Began}\nsteps:\n  - send: note\n  - send: note\n    id: again\n"
        with small_shop(twice, HIGH) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert [one.state for one in shop.sends("ada")] == ["accepted"] * 3

    def test_a_receipt_waits_for_nobody(self) -> None:
        with small_shop(HIGH, RECEIPT.replace("on: Paid, key: event.n", "on: Began")) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert {one.state for one in shop.sends("ada")} == {"accepted"}


def test_a_journey_may_send_on_some_days_only() -> None:
    with small_shop(OFFER.replace("topic: offers", "send_between: mon-fri 09:00-18:00"), start=MONDAY - timedelta(days=2)) as shop:
        shop.identify("ada", EMAIL)
        assert begin(shop, "Began", 1) == "held"
        shop.advance("1d 23h 59m 59s")
        assert shop.inbox("ada") == []
        shop.advance("5m 1s")
        assert MONDAY <= shop.inbox("ada")[0].at < MONDAY + timedelta(minutes=5)


def test_a_transactional_journey_keeps_the_hours_that_it_asks_for_itself_and_not_the_quiet_hours_of_the_shop() -> None:
    hours, quiet = "send_between: 12:00-18:00\n", SHOP + "quiet_hours: 08:00-16:00\nrelease_over: 0s\n"
    with small_shop(RECEIPT.replace("enter:", hours + "enter:"), settings=quiet) as shop:
        shop.identify("ada", EMAIL)
        shop.track("ada", "Paid", {"n": 1})
        shop.advance("2h 59m")
        assert shop.inbox("ada") == []
        assert [(one.state, one.reason) for one in shop.sends("ada")] == [
            ("held", "quiet_hours: outside of send_between 12:00-18:00 in UTC")
        ]
        shop.advance("1m")
        assert [one.at for one in shop.inbox("ada")] == [MONDAY + timedelta(hours=3)]


BRAKES = SHOP + "brakes: {at_least: 4, bounces: {alarm: 10%, halt: 40%}, complaints: {alarm: 10%, halt: 20%}}\n"


class TestBrakes:
    def test_bounces_halt_the_journey_and_a_person_lets_it_go_again(self) -> None:
        with small_shop(PLAIN, RECEIPT, settings=BRAKES) as shop:
            shop.identify("ada", EMAIL)
            for n in range(4):
                assert begin(shop, "Began", n) == "accepted"
            for send in shop.inbox("ada")[:2]:
                shop.track("ada", "Email Bounced", {"send_key": send.key, "type": "hard"})
            assert begin(shop, "Began", 9) == "held"
            held = next(one for one in shop.sends("ada") if one.state == "held")
            assert held.reason == "brake: j0 is halted: 2 of 4 messages in 24h bounced (50.00%; halt at 40%)"
            assert begin(shop, "Paid", 1) == "accepted"
            shop.release_brake("j0")
            shop.release_brake("*")
            assert [one.state for one in shop.sends("ada") if one.journey == "j0"] == ["accepted"] * 5  # at once
            assert list(shop.entries("ada", "j0")[-1].trail) == ["hold note", "hold note", "send note", "end completed"]

    def test_what_another_brake_or_hours_still_hold_is_held_again_by_those(self) -> None:
        settings = BRAKES + "quiet_hours: 20:00-08:00\nrelease_over: 0s\n"
        with small_shop(PLAIN, settings=settings) as shop:
            shop.identify("ada", EMAIL)
            for n in range(4):
                begin(shop, "Began", n)
            shop.track("ada", "Email Marked as Spam", {"send_key": shop.inbox("ada")[0].key})
            assert begin(shop, "Began", 9) == "held"
            shop.release_brake("j0")
            (held,) = (one for one in shop.sends("ada") if one.state == "held")
            assert (held.reason or "").startswith("brake: the whole shop is halted")
            shop.advance_to(datetime(2026, 1, 5, 21, tzinfo=UTC))
            shop.release_brake("*")
            (held,) = (one for one in shop.sends("ada") if one.state == "held")
            assert (held.reason or "").startswith("quiet_hours: ")
            shop.advance_to(datetime(2026, 1, 6, 8, tzinfo=UTC))
            assert shop.inbox("ada")[-1].at == datetime(2026, 1, 6, 8, tzinfo=UTC)

    def test_a_release_ends_no_other_wait(self) -> None:
        held = "enter: {on: Began, key: event.n}\nsteps:\n  - send: note\n"
        waits = 'enter: {on: Waits}\nsteps:\n  - wait_until: "18:00"\n  - send: note\n'
        hours = "enter: {on: Later}\nsend_between: 20:00-22:00\nsteps:\n  - send: note\n"
        with small_shop(held, waits, hours, settings=BRAKES + "release_over: 0s\n") as shop:
            shop.identify("ada", EMAIL)
            for n in range(4):
                begin(shop, "Began", n)
            for event in ("Waits", "Later"):
                shop.track("ada", event)
            shop.track("ada", "Email Marked as Spam", {"send_key": shop.inbox("ada")[0].key})
            shop.release_brake("*")
            shop.release_brake("j0")
            shop.advance("13h")
            sent = {one.journey: one.at for one in shop.inbox("ada") if one.journey != "j0"}
            assert sent == {"j1": datetime(2026, 1, 5, 18, tzinfo=UTC), "j2": datetime(2026, 1, 5, 20, tzinfo=UTC)}

    def test_what_nobody_releases_is_given_up_after_a_day(self) -> None:
        with small_shop(PLAIN, settings=BRAKES) as shop:
            shop.identify("ada", EMAIL)
            for n in range(4):
                begin(shop, "Began", n)
            shop.track("ada", "Email Marked as Spam", {"send_key": shop.inbox("ada")[0].key})
            assert begin(shop, "Began", 9) == "held"
            shop.advance("1d 1h")
            assert any("it has waited for 1d" in str(one.reason) for one in shop.sends("ada"))
