"""The journeys that are shipped, walked by made-up people through every room but Temporal's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sojourn.testing import Shop

ADA = {"email": "ada@shop-customers.example", "first_name": "Ada"}
CART = {"price": 45, "cart_id": "c-1", "name": "Linen throw"}


def fill_cart(shop: Shop, **properties: object) -> None:
    shop.identify("ada", ADA)
    shop.track("ada", "Product Added", {**CART, **properties})


class TestCartAbandonment:
    def test_a_purchase_within_the_hour_ends_it_without_a_mail(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("59m")
        shop.track("ada", "Order Completed", {"revenue": 45})
        shop.advance("7d")
        assert shop.outcome("ada", "cart_abandonment") == "purchased"
        assert shop.sends("ada") == []

    def test_an_hour_of_silence_brings_the_reminder_and_its_link_the_clicked_branch(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("1h")
        (reminder,) = shop.sends("ada")
        assert (reminder.content, reminder.state) == ("cart_reminder", "accepted")
        assert "Ada" in reminder.text
        shop.click(reminder, "cart")
        assert shop.outcome("ada", "cart_abandonment") == "browsed"
        shop.advance("7d")
        assert len(shop.sends("ada")) == 1

    @pytest.mark.parametrize(("price", "content"), [(140, "cart_offer"), (45, "cart_last_call")])
    def test_silence_brings_one_last_message_by_the_size_of_the_cart(self, shop: Shop, price: int, content: str) -> None:
        fill_cart(shop, price=price)
        shop.advance("1d 2h")
        assert [send.content for send in shop.inbox("ada")] == ["cart_reminder", content]
        shop.advance("3d")
        assert shop.outcome("ada", "cart_abandonment") == "no_response"

    def test_each_item_added_gives_an_hour_more(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("50m")
        shop.track("ada", "Product Added", {**CART, "price": 30})
        shop.advance("59m")
        assert shop.sends("ada") == []
        shop.advance("1m")
        assert [send.content for send in shop.sends("ada")] == ["cart_reminder"]

    def test_outside_of_its_hours_the_reminder_is_held_until_they_open_in_the_persons_own_zone(self) -> None:
        with Shop(journeys_dir="journeys", start=datetime(2026, 1, 5, 22, tzinfo=UTC)) as shop:
            shop.identify("ada", ADA, context={"timezone": "America/New_York"})  # 17:00 there
            shop.identify("bob", {"email": "bob@shop-customers.example"}, context={"timezone": "Europe/Berlin"})  # 23:00
            for person in ("ada", "bob"):
                shop.track(person, "Product Added", CART)
            shop.advance("1h")
            assert [send.state for send in shop.sends("ada")] == ["accepted"]
            (held,) = shop.sends("bob")
            assert held.state == "held"
            assert "09:00-20:00" in (held.reason or "")
            opening = datetime(2026, 1, 6, 8, 0, tzinfo=UTC)
            shop.advance_to(opening - timedelta(seconds=1))
            assert shop.sends("bob")[0].state == "held"
            shop.advance_to(opening + timedelta(minutes=5))  # what waited is released over five minutes
            (sent,) = shop.sends("bob")
            assert sent.state == "accepted"
            assert opening <= sent.at < opening + timedelta(minutes=5)

    def test_a_purchase_during_the_hold_ends_it_without_a_mail(self) -> None:
        with Shop(journeys_dir="journeys", start=datetime(2026, 1, 5, 22, tzinfo=UTC)) as shop:
            fill_cart(shop)
            shop.advance("3h")
            assert [send.state for send in shop.sends("ada")] == ["held"]
            shop.track("ada", "Order Completed", {"revenue": 45})
            shop.advance("1d")
            assert shop.outcome("ada", "cart_abandonment") == "purchased"
            assert shop.inbox("ada") == []

    def test_who_agreed_to_nothing_is_refused_with_the_reason(self, shop: Shop) -> None:
        shop.identify("ada", ADA, consent=())
        shop.track("ada", "Product Added", CART)
        shop.advance("3d")
        assert shop.entries("ada") == []
        assert [(one.journey, one.reason, one.event) for one in shop.refusals("ada")] == [
            ("cart_abandonment", "no consent for marketing", "Product Added")
        ]

    def test_unsubscribing_ends_it_and_suppresses_every_later_message(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("1h")
        shop.unsubscribe(shop.sends("ada")[0])
        assert shop.outcome("ada", "cart_abandonment") == "unsubscribed"
        assert shop.profile("ada").consents == {"marketing": False}
        shop.track("ada", "Signed Up")
        shop.advance("30d")
        assert len(shop.inbox("ada")) == 1
        assert shop.refusals("ada")[-1].reason == "no consent for marketing"
        shop.identify("ada", ADA)  # says nothing about consent: what was said stands
        shop.track("ada", "Signed Up")
        assert shop.entries("ada", "onboarding") == []

    def test_an_address_that_unsubscribed_stays_suppressed_though_another_consent_is_given(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("1h")
        shop.unsubscribe(shop.sends("ada")[0])
        shop.identify("ada2", ADA)
        shop.track("ada2", "Signed Up")
        (welcome,) = shop.sends("ada2")
        assert (welcome.state, welcome.reason) == ("suppressed", "suppression: the address is suppressed: unsubscribed")
        assert [v.check for v in welcome.verdicts if v.verdict == "suppress"] == ["suppression"]

    def test_the_goal_counts_after_the_end_within_its_window_only(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("1h")
        shop.click(shop.sends("ada")[0])
        assert shop.entries("ada")[0].goal_at is None
        shop.advance("2d")
        shop.track("ada", "Order Completed", {"revenue": 61.5})
        (entry,) = shop.entries("ada")
        assert (entry.outcome, entry.goal_value, entry.goal_at) == ("browsed", 61.5, shop.now)
        shop.advance("1d")
        shop.track("ada", "Order Completed", {"revenue": 10})
        assert shop.entries("ada")[0].goal_value == 61.5

    def test_a_goal_past_its_window_does_not_count(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("8d")
        shop.track("ada", "Order Completed", {"revenue": 61.5})
        assert shop.entries("ada")[0].goal_at is None

    def test_carts_are_told_apart_and_a_purchase_that_names_one_ends_that_one(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.track("ada", "Product Added", {**CART, "cart_id": "c-2"})
        shop.track("ada", "Order Completed", {"cart_id": "c-2", "revenue": 5})
        assert {entry.key: entry.outcome for entry in shop.entries("ada")} == {"c-1": None, "c-2": "purchased"}

    def test_the_same_cart_enters_again_after_seven_days_and_not_before(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.track("ada", "Cart Emptied", {"cart_id": "c-1"})
        shop.advance("6d 23h")
        shop.track("ada", "Product Added", CART)
        assert len(shop.entries("ada")) == 1
        assert shop.refusals("ada")[-1].reason == "entered 6d 23h ago, again after 7d"
        shop.advance("1h")
        shop.track("ada", "Product Added", CART)
        assert [entry.state for entry in shop.entries("ada")] == ["ended", "running"]

    def test_a_robots_click_leaves_the_journey_where_it_is(self, shop: Shop) -> None:
        fill_cart(shop)
        shop.advance("1h")
        shop.click(shop.sends("ada")[0], agent="Mozilla/5.0 (compatible; Barracuda Link-Scanner; +http://scanner.example/bot)")
        assert shop.outcome("ada", "cart_abandonment") == "running"
        shop.advance("1d")
        assert [send.content for send in shop.inbox("ada")] == ["cart_reminder", "cart_last_call"]


class TestOnboarding:
    def sign_up(self, shop: Shop) -> None:
        shop.identify("ada", ADA)
        shop.track("ada", "Signed Up")

    def test_the_welcome_comes_at_once(self, shop: Shop) -> None:
        self.sign_up(shop)
        assert [(send.content, send.at) for send in shop.inbox("ada")] == [("welcome", shop.now)]

    def test_a_buyer_is_looked_after(self, shop: Shop) -> None:
        self.sign_up(shop)
        shop.advance("3h")
        shop.track("ada", "Order Completed", {"revenue": 30})
        shop.advance("3d")
        assert [send.content for send in shop.inbox("ada")] == ["welcome", "first_order_care"]
        assert shop.outcome("ada", "onboarding") == "customer"

    def test_who_looked_around_is_helped_to_choose(self, shop: Shop) -> None:
        self.sign_up(shop)
        shop.advance("1h")
        shop.track("ada", "Product Viewed")
        shop.advance("3d")
        assert [send.content for send in shop.inbox("ada")] == ["welcome", "how_to_choose"]
        shop.track("ada", "Order Completed", {"revenue": 30})
        assert shop.outcome("ada", "onboarding") == "customer"

    def test_who_did_nothing_is_nudged_once(self, shop: Shop) -> None:
        self.sign_up(shop)
        shop.advance("5d")
        assert [send.content for send in shop.inbox("ada")] == ["welcome", "first_steps"]
        shop.click(shop.inbox("ada")[-1])
        assert shop.outcome("ada", "onboarding") == "looking_around"

    def test_who_looks_on_the_third_day_needs_no_nudge(self, shop: Shop) -> None:
        self.sign_up(shop)
        shop.advance("3d")
        shop.track("ada", "Product Viewed")
        shop.advance("10d")
        assert [send.content for send in shop.inbox("ada")] == ["welcome"]
        assert shop.outcome("ada", "onboarding") == "looking_around"


class TestReengagement:
    def fall_silent(self, shop: Shop) -> None:
        shop.identify("ada", ADA)
        shop.track("ada", "Product Viewed", {"sku": "throw"})

    def test_sixty_days_of_silence_begin_it_at_that_moment_and_it_writes_on_a_weekday_morning(self, shop: Shop) -> None:
        self.fall_silent(shop)
        shop.advance("59d 23h 59m")
        assert shop.entries("ada") == []
        shop.advance("1m")
        assert shop.profile("ada").segments == {"dormant", "stage_awareness"}
        assert shop.outcome("ada", "reengagement") == "running"
        shop.advance("4d")
        (hello,) = shop.inbox("ada")
        assert (hello.content, hello.at) == ("whats_new", datetime(2026, 3, 9, 9, 0, tzinfo=UTC))  # 10:00 in Berlin, a Monday

    def test_silence_is_an_answer_and_is_written_to_the_profile(self, shop: Shop) -> None:
        self.fall_silent(shop)
        shop.advance("90d")
        assert [send.content for send in shop.inbox("ada")] == ["whats_new", "stay_or_go"]
        assert shop.outcome("ada", "reengagement") == "still_silent"
        assert shop.profile("ada").traits["email_rhythm"] == "resting"

    def test_a_good_customer_is_worth_an_offer(self, shop: Shop) -> None:
        shop.identify("ada", ADA)
        shop.track("ada", "Order Completed", {"revenue": 600})
        shop.advance("75d")
        assert [send.content for send in shop.inbox("ada")] == ["whats_new", "comeback_offer"]

    def test_any_sign_of_life_ends_it(self, shop: Shop) -> None:
        self.fall_silent(shop)
        shop.advance("65d")
        shop.track("ada", "Session Started")
        assert shop.outcome("ada", "reengagement") == "came_back"
        shop.advance("1h")
        assert shop.profile("ada").segments == frozenset({"stage_awareness"})
        assert len(shop.inbox("ada")) == 1

    def test_a_click_ends_it(self, shop: Shop) -> None:
        self.fall_silent(shop)
        shop.advance("65d")
        shop.click(shop.inbox("ada")[0])
        assert shop.outcome("ada", "reengagement") == "came_back"


def test_caps_of_the_shop_hold_over_all_journeys(shop: Shop) -> None:
    shop.identify("ada", ADA)
    for number in range(3):
        shop.track("ada", "Product Added", {**CART, "cart_id": f"c-{number}"})
    shop.advance("5h")
    assert sorted(send.state for send in shop.sends("ada")) == ["accepted", "accepted", "suppressed"]
    (capped,) = (send for send in shop.sends("ada") if not send.arrived)
    assert capped.reason == "cap: 2 of 2 messages in 1d are used up"


def test_the_preference_page_shows_the_shops_topics_and_who_declines_reminders_gets_none() -> None:
    with Shop(journeys_dir="journeys") as shop:
        shop.identify("ann", {"email": "ann@shop-customers.example"})
        shop.track("ann", "Signed Up")
        (welcome,) = shop.inbox("ann")
        page = shop._run(shop._engine.request("GET", shop._engine.journeys.links.preferences(welcome.key), {})).text
        for title in ("Reminders", "Getting to know us", "News and invitations"):
            assert title in page
        shop.prefer(welcome, topic_guides="on", topic_news="on", frequency="normal")
        shop.advance("10m")
        shop.track("ann", "Product Added", {"cart_id": "c1", "price": 60, "name": "A jug"})
        shop.advance("1d")
        reminder = next(one for one in shop.sends("ann") if one.journey == "cart_abandonment")
        assert reminder.reason == "topic: the topic reminders was declined"
        assert shop.inbox("ann") == [welcome]
