"""P4: consent taken back ends what stands on it, whatever the definition says."""

from datetime import UTC, datetime

from sojourn.testing import Shop

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


async def test_consent_taken_back_in_a_banner_ends_the_journey_and_stops_its_mail() -> None:
    async with Shop(journeys_dir="journeys", start=START) as shop:
        shop.identify("ada", {"email": "ada@customer.example"})
        shop.track("ada", "Signed Up")
        shop.advance("1h")
        assert [send.content for send in shop.sends("ada")] == ["welcome"]
        shop.identify("ada", {"consent": {"marketing": False}}, consent=())
        entry = shop.entries("ada")[0]
        assert (entry.state, entry.outcome) == ("ended", "consent_withdrawn")
        shop.advance("30d")
        assert [send.content for send in shop.sends("ada")] == ["welcome"]


async def test_a_withdrawal_that_is_older_than_a_later_yes_of_their_own_ends_nothing() -> None:
    async with Shop(journeys_dir="journeys", start=START) as shop:
        shop.identify("ada", {"email": "ada@customer.example"})
        shop.track("ada", "Subscribed")
        shop.track("ada", "Signed Up")
        shop.advance("1h")
        shop.track("ada", "Unsubscribed", {"purpose": "marketing"}, at=datetime(2026, 1, 4, tzinfo=UTC))
        assert shop.entries("ada")[0].state == "running"


async def test_a_withdrawal_outweighs_what_a_site_repeats_whenever_it_is_told() -> None:
    async with Shop(journeys_dir="journeys", start=START) as shop:
        shop.identify("ada", {"email": "ada@customer.example"})
        shop.track("ada", "Signed Up")
        shop.advance("1h")
        shop.track("ada", "Unsubscribed", {"purpose": "marketing"}, at=datetime(2026, 1, 4, tzinfo=UTC))
        assert shop.outcome("ada", "onboarding") == "consent_withdrawn"


async def test_consent_for_another_purpose_may_go_without_ending_this_one() -> None:
    async with Shop(journeys_dir="journeys", start=START) as shop:
        shop.identify("ada", {"email": "ada@customer.example"})
        shop.track("ada", "Signed Up")
        shop.identify("ada", {"consent": {"profiling": False}}, consent=())
        assert shop.entries("ada")[0].state == "running"
