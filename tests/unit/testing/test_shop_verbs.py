"""Each verb of the language, through every room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from shop_definitions import EMAIL, journey, small_shop

from sojourn.testing import Shop


def begin(shop: Shop, properties: dict[str, object] | None = None) -> None:
    shop.identify("ada", EMAIL)
    shop.track("ada", "Began", properties)


def outcome(shop: Shop, name: str = "j0") -> str:
    return shop.outcome("ada", name)


class TestSet:
    def test_it_writes_the_profile_and_the_next_step_reads_it(self) -> None:
        body = (
            "enter: {on: Began}\nsteps:\n- set: {plan: gold, seen: 3}\n"
            '- if: profile.plan == "gold" and profile.seen > 2\n  then: [end: gold]\n  else: [end: none]\n'
        )
        with small_shop(body) as shop:
            begin(shop)
            assert outcome(shop) == "gold"
            assert {"plan": "gold", "seen": 3}.items() <= shop.profile("ada").traits.items()

    def test_a_set_trait_is_in_the_next_message(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{set: {first_name: Grace}}, {send: note}, {end: done}]\n") as shop:
            begin(shop)
            assert shop.inbox("ada")[0].subject == "A note for Grace"

    def test_what_the_person_says_later_stands(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{wait: 1h}, {set: {plan: gold}}, {end: done}]\n") as shop:
            begin(shop)
            shop.advance("2h")
            shop.identify("ada", {"plan": "silver"})
            assert shop.profile("ada").traits["plan"] == "silver"


class TestEnter:
    def test_it_starts_another_journey_with_its_properties(self) -> None:
        first = journey("first", "enter: {on: Began}\nsteps: [{enter: second, with: {from_step: 7}}, {end: handed_over}]\n")
        second = journey("second", "enter: {on: Never Tracked}\nsteps:\n- if: event.from_step == 7\n  then: [end: seven]\n- end: other\n")
        with small_shop(first, second) as shop:
            begin(shop)
            assert (outcome(shop, "first"), outcome(shop, "second")) == ("handed_over", "seven")

    def test_its_own_rules_of_entry_hold(self) -> None:
        first = journey("first", "enter: {on: Began, again_after: 1h}\nsteps: [{enter: second}, {end: handed_over}]\n")
        second = journey("second", "enter: {on: Never Tracked}\nsteps: [{end: done}]\n")
        with small_shop(first, second) as shop:
            begin(shop)
            shop.advance("2h")
            shop.track("ada", "Began")
            assert [entry.journey for entry in shop.entries("ada")] == ["first", "second", "first"]
            assert shop.refusals("ada")[0].reason == "was on this journey before, and it is once"


CHOOSE = """\
enter: {on: Began}
steps:
- choose:
  - {if: event.size > 10, then: [end: large]}
  - {if: event.size > 5, then: [end: middle]}
  - {then: [end: small]}
"""


@pytest.mark.parametrize(("size", "ends"), [(11, "large"), (6, "middle"), (5, "small"), (None, "small")])
def test_choose_takes_the_first_line_that_holds(size: int | None, ends: str) -> None:
    with small_shop(CHOOSE) as shop:
        begin(shop, {"size": size})
        assert outcome(shop) == ends


class TestSplit:
    BODY = "enter: {on: Began, again_after: 1h}\nsteps:\n- split: {a: 50, b: 50}\n  id: arms\n  arms:\n    a: [end: a]\n    b: [end: b]\n"

    def test_arms_are_shared_out_and_sticky(self) -> None:
        with small_shop(self.BODY) as shop:
            people = [f"person-{i}" for i in range(40)]
            for person in people:
                shop.identify(person, EMAIL)
                shop.track(person, "Began")
            first = [shop.outcome(person, "j0") for person in people]
            assert 8 < first.count("a") < 32
            shop.advance("2h")
            for person in people:
                shop.track(person, "Began")
            assert [shop.outcome(person, "j0") for person in people] == first
            assert all(len(shop.entries(person)) == 2 for person in people)

    def test_two_runs_of_a_test_give_the_same_arms(self) -> None:
        def run() -> list[str]:
            with small_shop(self.BODY) as shop:
                for i in range(8):
                    shop.identify(f"person-{i}", EMAIL)
                    shop.track(f"person-{i}", "Began")
                return [shop.outcome(f"person-{i}", "j0") for i in range(8)]

        assert run() == run()

    def test_an_arm_left_out_goes_straight_on(self) -> None:
        body = "enter: {on: Began}\nsteps: [{split: {a: 1, b: 1}, arms: {a: [end: a]}}, {end: went_on}]\n"
        with small_shop(body) as shop:
            for i in range(12):
                shop.identify(f"person-{i}", EMAIL)
                shop.track(f"person-{i}", "Began")
            assert {shop.outcome(f"person-{i}", "j0") for i in range(12)} == {"a", "went_on"}


class TestWaitUntil:
    def test_it_is_a_local_moment_of_the_person(self) -> None:
        with small_shop('enter: {on: Began}\nsteps: [{wait_until: "tue 09:00"}, {send: note}, {end: done}]\n') as shop:
            shop.identify("ada", EMAIL, context={"timezone": "America/New_York"})
            shop.track("ada", "Began")
            shop.advance("7d")
            assert shop.inbox("ada")[0].at == datetime(2026, 1, 6, 14, 0, tzinfo=UTC)

    def test_it_keeps_its_local_hour_over_the_change_to_summer_time(self) -> None:
        start = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)  # the night after, clocks in Berlin go forward
        with small_shop('enter: {on: Began}\nsteps: [{wait_until: "09:00"}, {send: note}, {end: done}]\n', start=start) as shop:
            shop.identify("ada", EMAIL, context={"timezone": "Europe/Berlin"})
            shop.track("ada", "Began")
            shop.advance("2d")
            assert shop.inbox("ada")[0].at == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)

    def test_up_to_limits_it(self) -> None:
        with small_shop('enter: {on: Began}\nsteps: [{wait_until: "sun 09:00", up_to: 1d}, {end: done}]\n') as shop:
            begin(shop)
            shop.advance("1d")
            assert outcome(shop) == "done"


BRANCHES = """\
enter: {on: Began}
steps:
- send: note
- wait_for:
  - {on: Bought, if: event.paid >= 10, then: [end: bought]}
  - {on: note.clicked, then: [end: clicked]}
  - {on: note.opened, then: [{wait: 1h}, {end: opened}]}
  up_to: 2d
  else: [end: silent]
"""


class TestWaitFor:
    def test_the_branch_that_comes_first_is_taken(self) -> None:
        with small_shop(BRANCHES) as shop:
            begin(shop)
            shop.track("ada", "Bought", {"paid": 9})
            assert outcome(shop) == "running"
            shop.track("ada", "Bought", {"paid": 10})
            assert outcome(shop) == "bought"

    def test_a_click_is_a_branch(self) -> None:
        with small_shop(BRANCHES) as shop:
            begin(shop)
            shop.click(shop.inbox("ada")[0], link=1)
            assert outcome(shop) == "clicked"

    def test_an_open_is_a_branch_which_later_clicks_do_not_undo(self) -> None:
        with small_shop(BRANCHES) as shop:
            begin(shop)
            shop.open(shop.inbox("ada")[0])
            shop.click(shop.inbox("ada")[0])
            shop.advance("1h")
            assert outcome(shop) == "opened"

    def test_nothing_in_time_is_the_else(self) -> None:
        with small_shop(BRANCHES) as shop:
            begin(shop)
            shop.advance("1d 23h 59m")
            assert outcome(shop) == "running"
            shop.advance("1m")
            assert outcome(shop) == "silent"

    def test_what_came_earlier_in_the_entry_counts_unless_only_arrivals_do(self) -> None:
        body = "enter: {on: Began}\nsteps:\n- wait: 1h\n- wait_for: Bought\n  up_to: 1d\n%s  then: [end: bought]\n- end: silent\n"
        for since, ends in (("", "bought"), ("  since: arrival\n", "silent")):
            with small_shop(body % since) as shop:
                begin(shop)
                shop.track("ada", "Bought")
                shop.advance("2d")
                assert outcome(shop) == ends

    def test_an_earlier_message_of_another_entry_does_not_count(self) -> None:
        waits = "{wait_for: note.clicked, up_to: 1d, then: [end: clicked]}"
        body = f"enter: {{on: Began, again_after: 1h}}\nsteps: [{{send: note}}, {waits}, {{end: silent}}]\n"
        with small_shop(body) as shop:
            begin(shop)
            shop.advance("1d")
            shop.track("ada", "Began")
            shop.click(shop.inbox("ada")[0])
            assert [entry.outcome for entry in shop.entries("ada")] == ["silent", None]


class TestWait:
    def test_a_reset_starts_it_afresh(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{wait: 1h, reset_on: Moved}, {end: done}]\n") as shop:
            begin(shop)
            for _ in range(3):
                shop.advance("50m")
                shop.track("ada", "Moved")
            shop.advance("59m")
            assert outcome(shop) == "running"
            shop.advance("1m")
            assert outcome(shop) == "done"

    def test_a_reset_counts_from_the_events_own_time(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{wait: 1h, reset_on: Moved}, {end: done}]\n") as shop:
            begin(shop)
            shop.advance("50m")
            shop.track("ada", "Moved", at=shop.now - timedelta(minutes=20))
            shop.advance("39m")
            assert outcome(shop) == "running"
            shop.advance("1m")
            assert outcome(shop) == "done"


class TestSend:
    def test_a_message_shows_where_its_links_lead_and_its_unsubscribe_header(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{send: note}, {end: done}]\n") as shop:
            begin(shop)
            (send,) = shop.inbox("ada")
            assert send.links == ("https://shop.example/one", "https://shop.example/two?x=1&y=2")
            assert all(link.tracked in send.html.replace("&amp;", "&") for link in send.links)
            assert send.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
            assert {verdict.verdict for verdict in send.verdicts} == {"pass"}

    def test_without_an_address_nothing_goes_and_the_journey_goes_on(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{send: note}, {end: done}]\n") as shop:
            shop.identify("ada", {})
            shop.track("ada", "Began")
            (send,) = shop.sends("ada")
            assert send.state == "suppressed"
            assert "no e-mail address" in (send.reason or "")
            assert outcome(shop) == "done"

    def test_everyone_in_a_holdout_walks_in_shadow(self) -> None:
        with small_shop("holdout: 50%\nenter: {on: Began}\nsteps: [{send: note}, {end: done}]\n") as shop:
            for i in range(30):
                shop.identify(f"p{i}", EMAIL)
                shop.track(f"p{i}", "Began")
            states = [shop.sends(f"p{i}")[0].state for i in range(30)]
            assert set(states) == {"accepted", "suppressed"}
            assert {shop.outcome(f"p{i}", "j0") for i in range(30)} == {"done"}

    def test_variants_are_those_of_the_entry(self) -> None:
        with Shop(journeys_dir="journeys") as shop:
            subjects = set()
            for i in range(12):
                shop.identify(f"p{i}", EMAIL)
                shop.track(f"p{i}", "Product Added", {"price": 30, "cart_id": "c"})
            shop.advance("1h")
            for i in range(12):
                (send,), (entry,) = shop.sends(f"p{i}"), shop.entries(f"p{i}")
                assert entry.variants == {"reminder": send.variant}
                subjects.add((send.variant, send.subject))
            assert len(subjects) == 2
