"""P5: duplicate, late and reordered events give the same profile, consents and journeys."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from laws import law
from shop_definitions import small_shop

from sojourn.testing import Shop

pytestmark = pytest.mark.slow

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
JOURNEY = """\
enter: {on: Began, again_after: 30d}
leave: [{on: Stopped, as: stopped}]
goal: {on: Bought, within: 5d, value: event.paid}
steps:
- wait: 1d
- if: profile.plan == "gold" and count("Looked", within="2d") >= 2
  then: [end: gold]
  else: [end: plain]
"""


@dataclass(frozen=True)
class Told:
    """One call of a client, at a minute after the shop opened."""

    minute: int
    kind: str
    user: str | None
    visitor: str | None
    said: dict[str, Any] = field(default_factory=dict)
    key: str = ""

    def tell(self, shop: Shop) -> None:
        at, key = START + timedelta(minutes=self.minute), self.key
        if self.kind == "identify":
            shop.identify(self.user, self.said, anonymous_id=self.visitor, consent=(), at=at, message_id=key)
        else:
            shop.track(self.user, self.kind, self.said, at=at, message_id=key, anonymous_id=self.visitor)


# One person, first seen as a visitor, later known: every call bears one name or both, so that in whatever order the
# calls come, it is known at the end that they are one person's.
NAMES = st.sampled_from([("ada", None), (None, "visitor"), ("ada", "visitor")])
TRAITS = st.dictionaries(st.sampled_from(["plan", "city", "email"]), st.sampled_from(["gold", "silver", "a@b.example", None]), max_size=2)
SAID = st.one_of(
    st.tuples(st.just("identify"), TRAITS),
    st.tuples(st.just("identify"), st.fixed_dictionaries({"consent": st.fixed_dictionaries({"marketing": st.booleans()})})),
    st.tuples(st.sampled_from(["Subscribed", "Unsubscribed", "Looked"]), st.just({})),
)


@st.composite
def timelines(draw: st.DrawFn) -> list[Told]:
    minutes = draw(st.lists(st.integers(1, 600), min_size=2, max_size=7, unique=True))
    calls = []
    for minute in minutes:
        (user, visitor), (kind, said) = draw(NAMES), draw(SAID)
        calls.append(Told(minute, kind, user, visitor, said))
    calls.append(Told(601, "identify", "ada", "visitor", {}))
    return [Told(c.minute, c.kind, c.user, c.visitor, c.said, f"m-{i}") for i, c in enumerate(calls)]


def facts(shop: Shop) -> tuple[Any, ...]:
    ada = shop.profile("ada")
    return dict(ada.traits), dict(ada.consents), ada.first_seen, ada.last_seen, set(ada.identifiers), shop.profile("visitor").id == ada.id


def live(calls: list[Told]) -> tuple[Any, ...]:
    with small_shop(start=START) as shop:
        shop.advance("1d")
        for call in calls:
            call.tell(shop)
        return facts(shop)


@law(15, suppress_health_check=[HealthCheck.too_slow])
@given(timelines(), st.data())
def test_any_order_with_any_duplicates_gives_the_same_person_and_the_same_consents(timeline: list[Told], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(timeline), max_size=3))
    shuffled = data.draw(st.permutations([*timeline, *again]))
    assert live(shuffled) == live(timeline)


# Of journeys the design promises: whether someone enters is decided when the trigger comes, by what is known then (so the
# consent comes first here); from then on an event counts at its own time, whenever it comes and under whichever name, as
# long as nothing that fell due has been decided without it.
TRACKS = st.sampled_from([("Looked", {}), ("Stopped", {}), ("Bought", {"paid": 5}), ("Bought", {"paid": 9}), ("Other", {})])


@st.composite
def courses(draw: st.DrawFn) -> list[Told]:
    minutes = sorted(draw(st.lists(st.integers(61, 600), min_size=1, max_size=5, unique=True)))
    calls = [
        Told(1, "identify", None, "visitor", {"consent": {"marketing": True}}),
        Told(2, "identify", "ada", None, {"plan": draw(st.sampled_from(["gold", "silver"])), "consent": {"marketing": True}}),
        Told(60, "Began", None, "visitor"),
    ]
    for minute in minutes:
        (user, visitor), (name, said) = draw(NAMES), draw(TRACKS)
        calls.append(Told(minute, name, user, visitor, said))
    calls.append(Told(601, "identify", "ada", "visitor", {}))
    return [Told(c.minute, c.kind, c.user, c.visitor, c.said, f"m-{i}") for i, c in enumerate(calls)]


def walk(calls: list[Told], *, in_time: bool) -> list[tuple[Any, ...]]:
    with small_shop(JOURNEY, start=START) as shop:
        if not in_time:
            shop.advance("11h")
        for call in calls:
            if in_time:
                shop.advance_to(max(shop.now, START + timedelta(minutes=call.minute)))
            call.tell(shop)
        shop.advance_to(START + timedelta(days=3))
        return [(entry.journey, entry.started_at, entry.outcome, entry.goal_at, entry.goal_value) for entry in shop.entries("ada")]


@law(15, suppress_health_check=[HealthCheck.too_slow])
@given(courses(), st.data())
def test_late_shuffled_and_repeated_events_give_the_same_entry_outcome_and_goal(course: list[Told], data: st.DataObject) -> None:
    consent, *rest = course
    again = data.draw(st.lists(st.sampled_from(course), max_size=3))
    shuffled = [consent, *data.draw(st.permutations([*rest, *again]))]
    expected = walk(course, in_time=True)
    assert len(expected) == 1
    assert walk(shuffled, in_time=False) == expected
