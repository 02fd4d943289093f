"""language.md, "Entry, exit and re-entry, stated exactly"."""

from __future__ import annotations

from datetime import timedelta

from shop_definitions import EMAIL, small_shop

from sojourn.testing import Shop


def outcomes(shop: Shop, person: str = "ada") -> list[str | None]:
    return [entry.outcome for entry in shop.entries(person)]


def reasons(shop: Shop, person: str = "ada") -> list[str]:
    return [refusal.reason for refusal in shop.refusals(person)]


WAITS = "enter: {on: Began%s}\nleave: [{on: Stopped, as: stopped}]\nsteps: [{wait: 1d}, {end: waited}]\n"


class TestReentry:
    def test_once_is_the_rule(self) -> None:
        with small_shop(WAITS % "") as shop:
            shop.identify("ada", EMAIL)
            for _ in range(3):
                shop.track("ada", "Began")
                shop.advance("100d")
            assert outcomes(shop) == ["waited"]
            assert reasons(shop) == ["was on this journey before, and it is once"] * 2

    def test_again_after_counts_from_the_entry(self) -> None:
        with small_shop(WAITS % ", again_after: 2d") as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.advance("1d 23h 59m")
            shop.track("ada", "Began")
            assert outcomes(shop) == ["waited"]
            shop.advance("1m")
            shop.track("ada", "Began")
            assert outcomes(shop) == ["waited", None]

    def test_a_running_entry_ignores_a_new_trigger(self) -> None:
        with small_shop(WAITS % ", again_after: 1h") as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.advance("2h")
            shop.track("ada", "Began")
            assert reasons(shop) == ["already on this journey"]
            shop.advance("22h")
            assert outcomes(shop) == ["waited"]

    def test_a_restart_ends_the_running_entry_and_begins_its_waits_anew(self) -> None:
        with small_shop(WAITS % ", while_running: restart") as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.advance("23h")
            shop.track("ada", "Began")
            assert outcomes(shop) == ["restarted", None]
            shop.advance("23h")
            assert outcomes(shop) == ["restarted", None]
            shop.advance("1h")
            assert outcomes(shop) == ["restarted", "waited"]

    def test_a_restart_after_the_first_wait_sends_what_the_new_entry_sends(self) -> None:
        body = "enter: {on: Began, while_running: restart}\nsteps: [{wait: 1h}, {send: note}, {wait: 1d}, {end: waited}]\n"
        with small_shop(body) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.advance("2h")
            shop.track("ada", "Began")
            shop.advance("3d")
            assert outcomes(shop) == ["restarted", "waited"]
            assert len(shop.inbox("ada")) == 2

    def test_each_key_has_an_entry_of_its_own_and_once_is_per_key(self) -> None:
        with small_shop(WAITS % ", key: event.order") as shop:
            shop.identify("ada", EMAIL)
            for order in ("a", "b", "a"):
                shop.track("ada", "Began", {"order": order})
            assert {entry.key: entry.state for entry in shop.entries("ada")} == {"a": "running", "b": "running"}
            shop.advance("2d")
            shop.track("ada", "Began", {"order": "a"})
            assert reasons(shop) == ["already on this journey", "was on this journey before, and it is once per key"]

    def test_a_trigger_without_the_key_is_refused(self) -> None:
        with small_shop(WAITS % ", key: event.order") as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert reasons(shop) == ["the event has no event.order"]

    def test_an_event_that_carries_a_key_reaches_that_entry_and_one_without_reaches_all(self) -> None:
        with small_shop(WAITS % ", key: event.order") as shop:
            shop.identify("ada", EMAIL)
            for order in ("a", "b", "c"):
                shop.track("ada", "Began", {"order": order})
            shop.track("ada", "Stopped", {"order": "b"})
            assert {entry.key: entry.outcome for entry in shop.entries("ada")} == {"a": None, "b": "stopped", "c": None}
            shop.track("ada", "Stopped")
            assert set(outcomes(shop)) == {"stopped"}


class TestEntry:
    def test_the_filter_sees_the_triggering_event(self) -> None:
        with small_shop('enter: {on: Began, if: count("Began") >= 2 and event.price > 5}\nsteps: [{end: done}]\n') as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began", {"price": 9})
            assert reasons(shop)[0].startswith("the filter did not hold")
            shop.track("ada", "Began", {"price": 9})
            assert outcomes(shop) == ["done"]

    def test_consent_is_judged_at_the_trigger(self) -> None:
        with small_shop(WAITS % "") as shop:
            shop.identify("ada", EMAIL, consent=())
            shop.track("ada", "Began")
            assert reasons(shop) == ["no consent for marketing"]
            shop.track("ada", "Subscribed")
            shop.track("ada", "Began")
            assert outcomes(shop) == [None]

    def test_a_transactional_journey_needs_no_consent(self) -> None:
        with small_shop("purpose: transactional\nenter: {on: Began}\nsteps: [{send: note}, {end: done}]\n") as shop:
            shop.identify("ada", EMAIL, consent=())
            shop.track("ada", "Began")
            assert [send.state for send in shop.sends("ada")] == ["accepted"]

    def test_the_same_message_id_is_one_event(self) -> None:
        with small_shop(WAITS % ", while_running: restart") as shop:
            shop.identify("ada", EMAIL)
            assert shop.track("ada", "Began", message_id="m-1").new
            shop.advance("1h")
            assert not shop.track("ada", "Began", message_id="m-1").new
            shop.advance("23h")
            assert outcomes(shop) == ["waited"]


class TestLeaving:
    def test_a_leave_ends_a_dormant_entry_at_once(self) -> None:
        with small_shop(WAITS % "") as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.advance("1h")
            shop.track("ada", "Stopped")
            (entry,) = shop.entries("ada")
            assert (entry.state, entry.outcome, entry.ended_at, entry.trail) == ("ended", "stopped", shop.now, ())

    def test_a_leave_ends_a_wait_for_and_its_filter_is_heeded(self) -> None:
        body = (
            "enter: {on: Began}\nleave: [{on: Stopped, if: event.really, as: stopped}]\n"
            "steps: [{send: note}, {wait_for: note.clicked, up_to: 9d}, {end: waited}]\n"
        )
        with small_shop(body) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.track("ada", "Stopped", {"really": False})
            assert outcomes(shop) == [None]
            shop.track("ada", "Stopped", {"really": True})
            (entry,) = shop.entries("ada")
            assert entry.outcome == "stopped"
            assert "event.really" in (entry.because or "")

    def test_what_happened_before_the_entry_does_not_end_it(self) -> None:
        with small_shop(WAITS % "") as shop:
            shop.identify("ada", EMAIL)
            shop.advance("1d")
            shop.track("ada", "Began")
            shop.track("ada", "Stopped", at=shop.now - timedelta(hours=1))
            assert outcomes(shop) == [None]

    def test_a_leave_that_was_told_before_its_late_trigger_ends_the_entry(self) -> None:
        with small_shop(WAITS % "") as shop:
            shop.identify("ada", EMAIL)
            began = shop.now
            shop.advance("2h")
            shop.track("ada", "Stopped")
            shop.track("ada", "Began", at=began + timedelta(hours=1))
            assert outcomes(shop) == ["stopped"]

    def test_a_trigger_that_came_late_waits_only_for_what_is_left(self) -> None:
        with small_shop(WAITS % "") as shop:
            shop.identify("ada", EMAIL)
            began = shop.now
            shop.advance("20h")
            shop.track("ada", "Began", at=began)
            shop.advance("3h 59m")
            assert outcomes(shop) == [None]
            shop.advance("1m")
            assert outcomes(shop) == ["waited"]


class TestGoal:
    def test_a_goal_counts_though_nothing_was_sent_and_the_journey_was_left(self) -> None:
        body = (
            "enter: {on: Began}\nleave: [{on: Bought, as: bought}]\n"
            "goal: {on: Bought, within: 7d, value: event.paid}\nsteps: [{wait: 1d}, {end: waited}]\n"
        )
        with small_shop(body) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.track("ada", "Bought", {"paid": 7})
            (entry,) = shop.entries("ada")
            assert (entry.outcome, entry.goal_value) == ("bought", 7.0)

    def test_who_met_the_goal_gets_no_more_of_its_mail(self) -> None:
        body = "enter: {on: Began}\ngoal: {on: Bought, within: 7d}\nsteps: [{wait: 1d}, {send: note}, {end: done}]\n"
        with small_shop(body) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.track("ada", "Bought")
            shop.advance("1d")
            (send,) = shop.sends("ada")
            assert (send.state, send.reason) == ("suppressed", "goal: the goal is met already")
            assert outcomes(shop) == ["done"]
