"""What `sojourn simulate` makes of messages: caps, topics, hours, sections and calls, by the rules that hold live."""

import re
from pathlib import Path

import pytest
from console_script import app
from typer.testing import CliRunner

SHOP = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
connected: {hosts: [api.shop.example]}
topics:
  offers: {title: Offers}
  magazine: {title: The magazine, default: out}
"""
NOTE = """---
subject: A note
---
<mjml><mj-body><mj-section><mj-column><mj-text>A note. <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section>
%s</mj-body></mjml>
"""
SECTION = """{% section if="profile.plan == 'gold'" %}
<mj-section><mj-column><mj-text>For gold.</mj-text></mj-column></mj-section>{% endsection %}
"""
THREE = "enter: {on: Began}\nsteps: [{send: note}, {wait: 1h}, {send: note, id: two}, {wait: 1d}, {send: note, id: three}, {end: done}]\n"
ONE = "enter: {on: Began}\n%ssteps: [{send: note}, {end: done}]\n"
CALL = """enter: {on: Began}
steps:
- call: https://api.shop.example/loyalty
  keep: loyalty
  on_failure: [{end: failed}]
- if: call.loyalty.tier == "gold"
  then: [{end: gold}]
- end: other
"""
run = CliRunner()


@pytest.fixture
def simulate(tmp_path: Path):
    def simulate(journey: str, *arguments: str, shop: str = "", note: str = "") -> str:
        (tmp_path / "content").mkdir()
        (tmp_path / "shop.yaml").write_text(SHOP + shop)
        (tmp_path / "content" / "note.mjml").write_text(NOTE % note)
        (tmp_path / "walk.yaml").write_text(f"journey: walk\ndescription: A walk.\n{journey}")
        result = run.invoke(app, ["simulate", "walk", "--people", "200", *arguments, "--journeys", str(tmp_path)])
        assert result.exit_code == 0, result.output
        return result.stdout

    return simulate


def count(report: str, line: str) -> int:
    """Return the count of a line of the report; 0 where it has none."""
    found = re.search(rf"^{re.escape(line)} +([\d,]+)", report, re.MULTILINE)
    return int(found[1].replace(",", "")) if found else 0


def test_what_a_cap_stops_is_not_sent_and_the_journey_goes_on(simulate) -> None:
    report = simulate(THREE, shop="caps: [{max: 1, within: 1d}]\n")
    assert (count(report, "2 messages"), count(report, "note: cap"), count(report, "done")) == (200, 200, 200)


def test_what_a_cap_holds_waits_for_room(simulate) -> None:
    report = simulate(THREE, shop="caps: [{max: 2, within: 7d, when_capped: hold up to 14d}]\n")
    assert "Waited first, by the gate's check" in report
    assert (count(report, "3 messages"), count(report, "note: cap"), count(report, "done")) == (200, 200, 200)


def test_a_cap_of_another_journey_or_topic_is_none_of_it(simulate) -> None:
    report = simulate(THREE, shop="caps: [{max: 1, within: 1d, topic: offers}]\n")
    assert (count(report, "3 messages"), "Not sent" in report) == (200, False)


def test_who_declined_a_topic_gets_nothing_of_it_and_what_is_off_by_default_nobody(simulate) -> None:
    report = simulate(ONE % "topic: offers\n", "--declined", "0.3")
    declined = count(report, "note: topic")
    assert 30 < declined < 90
    assert count(report, "1 message") == 200 - declined


def test_what_is_off_by_default_nobody_gets(simulate) -> None:
    assert count(simulate(ONE % "topic: magazine\n"), "note: topic") == 200


def test_a_receipt_is_exempt_from_caps_and_quiet_hours(simulate) -> None:
    shop = "caps: [{max: 1, within: 1d}]\nquiet_hours: 00:00-23:00\n"
    report = simulate("purpose: transactional\n" + THREE, shop=shop)
    assert (count(report, "3 messages"), "Waited" in report, "Not sent" in report) == (200, False, False)


def test_quiet_hours_hold_messages_that_fall_into_them(simulate) -> None:
    report = simulate(ONE % "", shop="quiet_hours: 12:00-00:00\n")
    assert 70 < count(report, "note: quiet_hours") < 130
    assert count(report, "1 message") == 200


def test_sections_are_chosen_by_their_conditions_and_both_sides_are_met(simulate) -> None:
    report = simulate(ONE % "", note=SECTION)
    part = report.partition("note: section if profile.plan == 'gold'")[2]
    shown, left_out = count(part, "shown"), count(part, "left out")
    assert shown + left_out == 200
    assert min(shown, left_out) > 40


def test_a_given_trait_decides_a_section(simulate) -> None:
    report = simulate(ONE % "", "--given", "profile.plan=gold", note=SECTION)
    assert count(report.partition("note: section")[2], "shown") == 200


def test_calls_are_answered_at_random_and_fail_as_often_as_it_is_said(simulate) -> None:
    report = simulate(CALL, "--failed", "0.25")
    failed, gold, other = (count(report, word) for word in ("failed", "gold", "other"))
    assert failed + gold + other == 200
    assert 25 < failed < 75
    assert min(gold, other) > 20


def test_a_given_answer_is_what_every_call_is_answered(simulate) -> None:
    report = simulate(CALL, "--failed", "1", "--given", "call.loyalty.tier=gold")
    assert count(report, "gold") == 200


def test_it_says_what_it_leaves_out(simulate) -> None:
    assert "left out: consent, suppression, holdouts, brakes and other journeys' messages" in simulate(ONE % "")
