"""People who turn out to be one, and journeys that go on for them."""

from __future__ import annotations

from shop_definitions import EMAIL, small_shop

from sojourn.testing import Shop

CART = {"price": 45, "cart_id": "c-1"}


def browse(shop: Shop) -> None:
    """An anonymous visitor who agreed to marketing in a banner fills a cart."""
    shop.identify(None, {}, anonymous_id="visitor")
    shop.track(None, "Product Added", CART, anonymous_id="visitor")


class TestMerge:
    def test_a_visitor_who_becomes_known_keeps_the_running_journey_and_a_purchase_under_the_known_id_ends_it(self, shop: Shop) -> None:
        browse(shop)
        shop.identify("ada", EMAIL, anonymous_id="visitor")
        shop.track("ada", "Order Completed", {"revenue": 45})
        assert shop.outcome("ada", "cart_abandonment") == "purchased"
        assert shop.profile("visitor") == shop.profile("ada")

    def test_a_visitor_who_turns_out_to_be_a_known_customer_brings_the_journey_along(self, shop: Shop) -> None:
        shop.identify("ada", EMAIL)
        browse(shop)
        (before,) = shop.entries("visitor")
        assert shop.entries("ada") == []
        shop.identify("ada", anonymous_id="visitor")
        (after,) = shop.entries("ada")
        assert after.id == before.id
        shop.advance("1h")
        assert [send.content for send in shop.inbox("ada")] == ["cart_reminder"]
        shop.click(shop.inbox("ada")[0])
        assert shop.outcome("ada", "cart_abandonment") == "browsed"

    def test_of_both_people_on_the_same_journey_the_older_entry_goes_on_and_the_other_ends_as_merged(self, shop: Shop) -> None:
        shop.identify("ada", EMAIL)
        shop.track("ada", "Product Added", CART)
        (first,) = shop.entries("ada")
        browse(shop)
        shop.identify("ada", anonymous_id="visitor")
        assert [(entry.id == first.id, entry.outcome) for entry in shop.entries("ada") if entry.state == "running"] == [(True, None)]
        shop.track("ada", "Order Completed")
        assert sorted(str(entry.outcome) for entry in shop.entries("ada")) == ["merged", "purchased"]

    def test_a_merge_while_a_message_is_on_its_way_leads_its_click_to_the_journey(self, shop: Shop) -> None:
        shop.identify(None, EMAIL, anonymous_id="visitor")
        shop.track(None, "Product Added", CART, anonymous_id="visitor")
        shop.advance("1h")
        (reminder,) = shop.inbox("visitor")
        shop.identify("ada", {"first_name": "Ada"})
        shop.alias("ada", "visitor")
        shop.click(reminder)
        assert shop.outcome("ada", "cart_abandonment") == "browsed"

    def test_an_alias_joins_two_known_people(self, shop: Shop) -> None:
        shop.identify("old", {**EMAIL, "plan": "gold"})
        shop.track("old", "Signed Up")
        merged = shop.alias("new", "old")
        assert merged.traits["plan"] == "gold"
        assert {value for kind, value in merged.identifiers if kind != "email"} == {"old", "new"}
        assert shop.outcome("new", "onboarding") == "running"

    def test_an_unsubscribe_of_either_holds_for_both(self, shop: Shop) -> None:
        shop.identify("ada", EMAIL)
        shop.identify(None, anonymous_id="visitor")
        shop.track(None, "Unsubscribed", anonymous_id="visitor")
        shop.identify("ada", anonymous_id="visitor")
        assert shop.profile("ada").consents == {"marketing": False}
        shop.track("ada", "Signed Up")
        assert shop.refusals("ada")[0].reason == "no consent for marketing"

    def test_once_counts_entries_from_before_the_merge(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{end: done}]\n") as shop:
            shop.identify(None, anonymous_id="visitor")
            shop.track(None, "Began", anonymous_id="visitor")
            shop.identify("ada", EMAIL)
            shop.identify("ada", anonymous_id="visitor")
            shop.track("ada", "Began")
            assert [entry.outcome for entry in shop.entries("ada")] == ["done"]

    def test_another_user_on_the_same_device_stays_another_person(self, shop: Shop) -> None:
        shop.identify("ada", EMAIL, anonymous_id="device")
        shop.identify("bob", {"email": "bob@shop-customers.example"}, anonymous_id="device")
        assert shop.profile("ada").id != shop.profile("bob").id
        assert shop.profile("ada").traits["email"] == EMAIL["email"]
