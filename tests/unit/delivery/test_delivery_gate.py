"""The laws of the gate."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sojourn.delivery.facts import jitter
from sojourn.delivery.gate import BrakeFact, CapUse, Check, ConsentFact, GateFacts, NamedHours, Rival, TopicFact, judge
from sojourn.language.moments import Hours

zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]).map(ZoneInfo)
moments = st.integers(0, 4 * 365 * 24 * 60).map(lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes))
times = st.integers(0, 24 * 4 - 1).map(lambda quarter: time(quarter // 4, quarter % 4 * 15))
hours = st.builds(Hours, times, times).filter(lambda h: h.start != h.end).map(lambda h: NamedHours(str(h), h))
START = datetime(2024, 1, 1, tzinfo=UTC)
caps = st.builds(
    CapUse, st.integers(1, 5), st.just(timedelta(days=7)), st.integers(0, 6), frees=st.none() | moments,
    hold_up_to=st.none() | st.integers(1, 2000).map(lambda hours: timedelta(hours=hours)),
)  # fmt: skip
rivals = st.builds(Rival, st.just("winback/hello"), st.integers(51, 100), moments, st.none() | st.just("a key"))
facts = st.builds(
    GateFacts,
    now=moments,
    purpose=st.sampled_from(["marketing", "transactional", "news"]),
    zone=zones,
    ended=st.none() | st.just("purchased"),
    consent=st.none() | st.builds(ConsentFact, st.just("c1"), st.booleans()),
    consent_needed=st.booleans(),
    suppressed=st.none() | st.sampled_from(["unsubscribed", "hard_bounce", "complaint", "manual"]),
    address_problem=st.none() | st.just("no address"),
    message_problem=st.none() | st.just("unsafe"),
    goal_met=st.booleans(),
    holdout=st.booleans(),
    caps=st.lists(caps, max_size=3),
    hours=st.lists(hours, max_size=2),
    unconfirmed=st.none() | st.just(START),
    topic=st.none() | st.builds(TopicFact, st.just("offers"), st.booleans(), st.booleans()),
    paused_until=st.none() | moments,
    brake=st.none() | st.just(BrakeFact("cart", "too many bounces")),
    rivals=st.lists(rivals, max_size=2),
    planned=st.none() | moments,
    jitter=st.integers(0, 900).map(lambda seconds: timedelta(seconds=seconds)),
)
sound = st.builds(  # nothing stands in the way but, perhaps, the hours
    GateFacts,
    now=moments,
    purpose=st.sampled_from(["marketing", "transactional", "news"]),
    zone=zones,
    consent=st.none() | st.just(ConsentFact("c1", True)),
    consent_needed=st.just(False),
    hours=st.lists(hours, max_size=2),
    jitter=st.integers(0, 900).map(lambda seconds: timedelta(seconds=seconds)),
)
free = GateFacts(now=datetime(2026, 3, 2, 12, tzinfo=UTC), purpose="marketing", consent=ConsentFact("c1", True))


@given(facts)
def test_what_is_allowed_passed_every_check_and_what_is_not_names_one_that_failed(given_facts: GateFacts) -> None:
    verdict = judge(given_facts)
    failed = [check for check in verdict.checks if check.verdict != "pass"]
    assert verdict.allowed == (not failed)
    if failed:
        assert verdict.reason in [f"{check.check}: {check.because}" for check in failed]
    assert all(check.because for check in verdict.checks)


@given(facts)
def test_every_check_is_asked_whatever_the_others_say_in_the_stated_order(given_facts: GateFacts) -> None:
    asked = list(dict.fromkeys(check.check for check in judge(given_facts).checks))
    assert asked == [check.value for check in Check]


@given(facts.map(lambda f: replace(f, ended="purchased")))
def test_an_ended_journey_sends_nothing_and_says_so_first(given_facts: GateFacts) -> None:
    verdict = judge(given_facts)
    assert (verdict.decision, verdict.reason) == ("suppress", "exit: the journey has ended: purchased")


@given(facts.filter(lambda f: not f.transactional), st.booleans())
def test_no_marketing_goes_against_a_withdrawal_or_without_a_consent_that_is_needed(given_facts: GateFacts, silent: bool) -> None:
    consent = None if silent else ConsentFact("c1", False)
    verdict = judge(replace(given_facts, consent=consent, consent_needed=silent or given_facts.consent_needed))
    assert verdict.decision == "suppress"


@given(sound)
def test_marketing_that_goes_under_consent_names_its_row(given_facts: GateFacts) -> None:
    verdict = judge(given_facts)
    assume(verdict.allowed)
    expected = "c1" if given_facts.consent is not None and not given_facts.transactional else None
    assert verdict.consent_id == expected


@given(sound.filter(lambda f: f.hours and not f.transactional))
def test_a_hold_ends_at_a_moment_when_all_hours_are_open_and_the_verdict_then_is_to_allow(given_facts: GateFacts) -> None:
    verdict = judge(given_facts)
    assume(verdict.decision == "hold")
    assert verdict.until is not None
    assert verdict.until > given_facts.now
    assert all(named.hours.opens(verdict.until, given_facts.zone) is None for named in given_facts.hours)
    assert judge(replace(given_facts, now=verdict.until)).allowed


@given(facts)
def test_what_suppresses_now_outweighs_a_hold(given_facts: GateFacts) -> None:
    free_to_go = judge(replace(given_facts, hours=(), rivals=()))
    if free_to_go.decision == "suppress":
        assert judge(given_facts).reason == free_to_go.reason


@given(facts)
def test_transactional_messages_know_no_caps_hours_or_consent(given_facts: GateFacts) -> None:
    bare = replace(given_facts, purpose="transactional")
    free_of_all = replace(
        bare, caps=(), hours=(), consent=None, unconfirmed=None, topic=None, paused_until=None, brake=None, rivals=(), jitter=timedelta()
    )
    assert judge(bare).decision == judge(free_of_all).decision
    assert judge(bare).until is None


@given(facts, st.integers(0, 5))
def test_using_more_of_a_cap_never_opens_the_gate(given_facts: GateFacts, more: int) -> None:
    fuller = replace(given_facts, caps=[replace(cap, used=cap.used + more) for cap in given_facts.caps])
    assert judge(given_facts).allowed or not judge(fuller).allowed


@given(facts)
def test_of_several_holds_the_last_to_end_says_until_when_and_it_lies_ahead(given_facts: GateFacts) -> None:
    verdict = judge(given_facts)
    holds = [check.until for check in verdict.checks if check.until is not None]
    assert all(until > given_facts.now for until in holds)
    if verdict.decision == "hold":
        assert verdict.until == max(holds)


@given(facts.filter(lambda f: not f.transactional and not (f.consent and f.consent.granted)))
def test_what_waits_to_be_confirmed_is_refused_and_says_so(given_facts: GateFacts) -> None:
    verdict = judge(replace(given_facts, ended=None, unconfirmed=START, consent_needed=True))
    assert verdict.reason == f"consent: {given_facts.purpose} is not confirmed yet: asked for on 2024-01-01 00:00"


@given(facts.filter(lambda f: not f.transactional))
def test_marketing_never_goes_on_a_declined_topic_in_a_pause_or_under_a_brake(given_facts: GateFacts) -> None:
    assert not judge(replace(given_facts, topic=TopicFact("offers", False, True))).allowed
    assert not judge(replace(given_facts, paused_until=given_facts.now + timedelta(seconds=1))).allowed
    assert not judge(replace(given_facts, brake=BrakeFact("cart", "too many bounces"))).allowed
    assert not judge(replace(given_facts, suppressed="complaint")).allowed


@given(facts.map(lambda f: replace(f, planned=f.now - timedelta(days=1), ended=None)))
def test_nothing_waits_longer_than_a_day_for_a_brake_or_a_rival(given_facts: GateFacts) -> None:
    said = {check.check: check.verdict for check in judge(given_facts).checks}
    assert said["priority"] == "pass"
    assert said["brake"] in ("pass", "suppress")


@given(sound.filter(lambda f: f.hours and not f.transactional), st.uuids().map(str))
def test_a_release_lies_within_its_spread_after_the_opening_and_always_at_the_same_place(given_facts: GateFacts, key: str) -> None:
    spread = timedelta(minutes=5)
    bare, spread_out = replace(given_facts, jitter=timedelta()), replace(given_facts, jitter=jitter(key, spread))
    assert jitter(key, spread) == jitter(key, spread) < spread
    opens = judge(bare).until
    assume(opens is not None)
    assert opens <= judge(spread_out).until < opens + spread


def test_releases_are_spread_evenly() -> None:
    places = [jitter(str(UUID(int=i)), timedelta(minutes=5)) for i in range(3_000)]
    by_minute = Counter(place // timedelta(minutes=1) for place in places)
    assert set(by_minute) == set(range(5))
    assert all(500 < count < 700 for count in by_minute.values())
    assert jitter("any", timedelta()) == timedelta()


# Whether marketing, and whether a receipt, goes all the same.
STOPS = dict.fromkeys(("hard_bounce", "manual", "import"), (False, False)) | dict.fromkeys(("complaint", "unsubscribed"), (False, True))


@pytest.mark.parametrize(("reason", "passes"), STOPS.items())
def test_what_each_reason_of_suppression_stops(reason: str, passes: tuple[bool, bool]) -> None:
    marketing, receipt = passes
    assert judge(replace(free, suppressed=reason)).allowed == marketing
    verdict = judge(replace(free, suppressed=reason, purpose="transactional"))
    assert verdict.allowed == receipt
    if receipt:
        assert next(c for c in verdict.checks if c.check == "suppression").because.startswith(f"the address is suppressed ({reason})")


def test_a_cap_allows_exactly_as_many_as_it_says() -> None:
    week = timedelta(days=7)
    assert judge(replace(free, caps=[CapUse(3, week, 2)])).allowed
    assert judge(replace(free, caps=[CapUse(3, week, 3)])).reason == "cap: 3 of 3 messages in 7d are used up"


def test_hours_that_never_meet_suppress_instead_of_holding_for_ever() -> None:
    apart = [NamedHours("mornings", Hours.parse("08:00-09:00")), NamedHours("evenings", Hours.parse("20:00-21:00"))]
    assert judge(replace(free, hours=apart)).reason == "quiet_hours: its hours leave no moment to send at"


def test_the_end_of_hours_is_outside_of_them() -> None:
    until_noon = [NamedHours("mornings", Hours.parse("09:00-12:00"))]
    assert judge(replace(free, hours=until_noon, now=free.now - timedelta(microseconds=1))).allowed
    assert judge(replace(free, hours=until_noon)).until == datetime(2026, 3, 3, 9, tzinfo=UTC)
