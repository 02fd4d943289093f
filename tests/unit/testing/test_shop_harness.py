"""The harness itself: what it promises to those who write tests with it."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from shop_definitions import EMAIL, NOTE, journey, small_shop

from sojourn.customers.segments import live
from sojourn.errors import BadEvent, NotFound, SettingsError, SojournError
from sojourn.language.loader import load_journey
from sojourn.language.problems import DefinitionError
from sojourn.testing import Shop

SENDS = "enter: {on: Began}\nsteps: [{send: note}, {wait_for: note.clicked, up_to: 1d, then: [end: clicked]}, {end: silent}]\n"


class TestCalling:
    async def test_every_method_may_be_awaited(self) -> None:
        async with small_shop(SENDS) as shop:
            assert (await shop.identify("ada", EMAIL)).traits == EMAIL
            assert (await shop.track("ada", "Began")).new
            (send,) = await shop.sends("ada")
            assert (await shop.open(send)).key == send.key
            assert (await shop.click(send)).arrived
            assert await shop.outcome("ada", "j0") == "clicked"
            assert (await shop.advance("1d 2h")).duration == timedelta(hours=26)
            assert (await shop.profile("ada")).id
            assert [entry.outcome for entry in await shop.entries("ada")] == ["clicked"]
            assert await shop.refusals("ada") == []
            await shop.unsubscribe(send)
            assert (await shop.alias("eve", "ada")).consents == {"marketing": False}

    async def test_no_method_needs_to_be_awaited(self) -> None:
        async with small_shop(SENDS) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.advance(timedelta(days=1))
            assert shop.outcome("ada", "j0") == "silent"

    def test_a_test_without_an_event_loop_can_use_it(self) -> None:
        with small_shop(SENDS) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            shop.click(shop.sends("ada")[0])
            assert shop.outcome("ada", "j0") == "clicked"

    async def test_shops_side_by_side_know_nothing_of_each_other(self) -> None:
        async with small_shop(SENDS) as one, small_shop(SENDS) as other:
            one.identify("ada", EMAIL)
            with pytest.raises(NotFound):
                other.profile("ada")
            await asyncio.sleep(0)

    def test_a_shop_that_is_not_open_says_so(self) -> None:
        shop = small_shop(SENDS)
        with pytest.raises(SojournError, match="within `async with Shop"):
            shop.identify("ada", EMAIL)
        with shop:
            pass
        with pytest.raises(SojournError, match="not open"):
            shop.advance("1h")

    def test_the_fixture_begins_on_a_monday_morning(self, shop: Shop) -> None:
        assert shop.now == datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
        assert shop.now.strftime("%A") == "Monday"

    def test_importing_the_plugin_imports_nothing_heavy(self) -> None:
        code = (
            "import sys, sojourn.testing.plugin\n"
            "print([name for name in sys.modules if name.split('.')[0] in ('sqlalchemy', 'pydantic', 'jinja2', 'httpx')])"
        )
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


class TestSaying:
    def test_an_unknown_person_is_said_with_the_nearest(self) -> None:
        with small_shop(SENDS) as shop:
            shop.identify("ada", EMAIL)
            for ask in (shop.profile, shop.entries, shop.sends, shop.refusals):
                with pytest.raises(NotFound, match="unknown person `adda`; did you mean `ada`"):
                    ask("adda")

    def test_an_unknown_journey_is_said_with_the_nearest(self, shop: Shop) -> None:
        shop.identify("ada", EMAIL)
        with pytest.raises(NotFound, match="did you mean `onboarding`"):
            shop.outcome("ada", "onbording")
        assert shop.outcome("ada", "onboarding") == "never entered"

    def test_an_event_that_intake_would_set_aside_raises_its_reason(self) -> None:
        with small_shop(SENDS) as shop:
            with pytest.raises(BadEvent, match="needs a userId or an anonymousId"):
                shop.track(None, "Began")
            with pytest.raises(BadEvent, match='under "event"'):
                shop.track("ada", " ")

    def test_what_did_not_arrive_cannot_be_clicked_and_the_reason_is_said(self) -> None:
        with small_shop("enter: {on: Began}\nsteps: [{send: note}, {end: done}]\n") as shop:
            shop.identify("ada", {})
            shop.track("ada", "Began")
            with pytest.raises(NotFound, match=r"nobody can click note: it is suppressed \(address: the profile has no e-mail"):
                shop.click(shop.sends("ada")[0])

    def test_a_link_that_is_not_there_is_said_with_those_that_are(self) -> None:
        with small_shop(SENDS) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            (send,) = shop.sends("ada")
            for link in (2, -3, "three"):
                with pytest.raises(NotFound, match=re.escape("0: https://shop.example/one, 1: https://shop.example/two")):
                    shop.click(send, link)
            shop.click(send, "two")
            assert shop.outcome("ada", "j0") == "clicked"

    def test_a_clock_does_not_go_back(self) -> None:
        with small_shop(SENDS) as shop:
            with pytest.raises(ValueError, match="forward only"):
                shop.advance(timedelta(seconds=-1))
            with pytest.raises(ValueError, match="later than that"):
                shop.advance_to(shop.now - timedelta(seconds=1))

    def test_a_moment_without_a_zone_is_refused(self) -> None:
        with small_shop(SENDS) as shop, pytest.raises(ValueError, match="needs a time zone"):
            shop.track("ada", "Began", at=datetime(2026, 1, 5, 9))  # noqa: DTZ001 - the fault under test

    def test_journeys_that_start_each_other_without_end_are_said(self) -> None:
        body = "enter: {on: %s Began, again_after: 0s}\nsteps: [{enter: %s}]\n"
        with small_shop(journey("ping", body % ("ping", "pong")), journey("pong", body % ("pong", "ping"))) as shop:
            shop.identify("ada", EMAIL)
            with pytest.raises(SojournError, match="start each other without end"):
                shop.track("ada", "ping Began")

    def test_answers_read_as_what_they_are(self, shop: Shop) -> None:
        shop.identify("ada", EMAIL)
        shop.track("ada", "Signed Up")
        assert repr(shop.entries("ada")[0]).startswith("<onboarding running: send welcome")
        assert repr(shop.sends("ada")[0]) == "<welcome accepted; 'Welcome to Linden & Loom'>"
        assert repr(shop.advance("1h 5m")) == "<1h 5m passed; it is Mon 2026-01-05 10:05:00 UTC>"
        assert repr(shop) == "<Shop 'Linden & Loom', Mon 2026-01-05 10:05 UTC>"
        assert shop.entries("ada")[0].trail[0].because == "accepted by memory"


class TestDefinitions:
    def test_a_folder_without_a_shop_gets_the_test_shop(self, tmp_path: Path) -> None:
        (tmp_path / "j0.yaml").write_text(journey("j0", SENDS))
        (tmp_path / "content").mkdir()
        (tmp_path / "content" / "note.mjml").write_text(NOTE)
        with Shop(journeys_dir=tmp_path, start=datetime(2026, 1, 5, 3, 0, tzinfo=UTC)) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert [send.state for send in shop.sends("ada")] == ["accepted"]

    def test_an_edited_folder_is_read_again(self, tmp_path: Path) -> None:
        for name in ("before", "and_after"):
            (tmp_path / "j0.yaml").write_text(f"journey: j0\ndescription: One.\nenter: {{on: Began}}\nsteps: [end: {name}]\n")
            with Shop(journeys_dir=tmp_path) as shop:
                shop.identify("ada", EMAIL)
                shop.track("ada", "Began")
                assert shop.outcome("ada", "j0") == name

    def test_broken_definitions_raise_with_every_problem_of_every_kind(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("journey: a\ndescription: One.\nenter: {on: Began}\nsteps: [{wait: soon}]\n")
        (tmp_path / "content").mkdir()
        (tmp_path / "content" / "b.mjml").write_text("---\nsubject: Hello\n---\n<mjml>{% if %}</mjml>\n")
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "c.yaml").write_text("model: c\nkind: magic\n")
        with pytest.raises(DefinitionError) as raised:
            Shop(journeys_dir=tmp_path)
        assert {Path(problem.file).name for problem in raised.value.problems} == {"a.yaml", "b.mjml", "c.yaml"}
        assert all(str(tmp_path) in problem.file for problem in raised.value.problems)

    def test_a_broken_text_is_named_by_its_place(self) -> None:
        with pytest.raises(DefinitionError, match=r"^journeys\[1\]:3:1: "):
            Shop(journeys=[journey("a", "enter: {on: X}\nsteps: [end: b]\n"), journey("b", "entr: {on: X}\nsteps: [end: b]\n")])

    def test_a_missing_folder_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(DefinitionError, match="no such folder"):
            Shop(journeys_dir=tmp_path / "none")

    def test_models_and_text_mean_the_same_and_stand_beside_a_folder(self) -> None:
        text = journey("extra", "enter: {on: Began, if: segment.eager}\nsteps: [{split: {a: 1, b: 1}, arms: {a: [end: a], b: [end: b]}}]\n")
        eager = 'segment: eager\ndescription: They began.\nmembers: did("Began")\n'
        ends = []
        for given in (text, load_journey(text)):
            with Shop(journeys_dir="journeys", journeys=[given], segments=[eager]) as shop:
                shop.identify("ada", EMAIL)
                shop.track("ada", "Began")
                ends.append(shop.outcome("ada", "extra"))
                assert shop.outcome("ada", "onboarding") == "never entered"
        assert ends[0] == ends[1] != "never entered"

    def test_settings_given_by_hand_take_the_shops_place(self) -> None:
        quiet = (
            "name: Night Shop\nsender: {name: Night, address: night@shop.example}\n"
            "postal_address: 1 Night Street, 10115 Berlin\nquiet_hours: 08:00-22:00\n"
        )
        with small_shop(SENDS, settings=quiet) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert [send.state for send in shop.sends("ada")] == ["held"]
            shop.advance_to(datetime(2026, 1, 5, 22, 5, tzinfo=UTC))  # what waited is released over five minutes
            assert [send.state for send in shop.sends("ada")] == ["accepted"]


class TestStore:
    def test_a_file_is_a_store_and_a_used_one_is_refused(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        with small_shop(SENDS, database_url=url) as shop:
            shop.identify("ada", EMAIL)
        with pytest.raises(SettingsError, match="begins with an empty database"), small_shop(SENDS, database_url=url):
            pass

    def test_any_store_will_do_and_any_other_is_refused(self, store_url: str) -> None:
        with small_shop(SENDS, database_url=store_url) as shop:
            shop.identify("ada", EMAIL)
            shop.track("ada", "Began")
            assert len(shop.inbox("ada")) == 1
        with pytest.raises(SettingsError, match="mysql is not supported; write sqlite:///"):
            small_shop(SENDS, database_url="mysql://user@127.0.0.1/name")


class TestConsent:
    def test_who_is_identified_agrees_to_marketing_once(self) -> None:
        with small_shop(SENDS) as shop:
            assert shop.identify("ada", EMAIL).consents == {"marketing": True}
            shop.advance("1h")
            shop.track("ada", "Unsubscribed")
            shop.advance("1h")
            assert shop.identify("ada", {"plan": "gold"}).consents == {"marketing": False}
            shop.advance("1h")
            assert shop.identify("ada", consent=["marketing"]).consents == {"marketing": False}  # a state is repeated, and no new word
            shop.track("ada", "Subscribed")
            assert shop.profile("ada").consents == {"marketing": True}

    def test_what_is_given_stands(self) -> None:
        with small_shop(SENDS) as shop:
            assert shop.identify("nora", consent=()).consents == {}
            assert shop.identify("no", consent={"marketing": False}).consents == {"marketing": False}
            assert shop.identify("trait", {"consent": {"marketing": False}}).consents == {"marketing": False}


def test_months_pass_in_milliseconds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []
    judge_due = live.judge_due

    def counted(*args: Any) -> Any:
        judged.append(args)
        return judge_due(*args)

    monkeypatch.setattr("sojourn.customers.segments.live.judge_due", counted)
    for i in range(5):
        shop.identify(f"p{i}", EMAIL)
        shop.track(f"p{i}", "Signed Up")
        shop.track(f"p{i}", "Session Started")
    began = time.process_time()
    shop.advance("90d")
    spent = time.process_time() - began
    assert {shop.outcome(f"p{i}", "onboarding") for i in range(5)} == {"not_yet"}
    assert 0 < len(judged) < 100  # and not each of 7,776,000 seconds
    assert spent < 2.0  # seconds of processor; 0.3 on an idle machine
