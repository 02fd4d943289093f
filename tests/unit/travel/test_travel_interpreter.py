"""The interpreter in virtual time: waits, resets, branches, leaving, holds."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.clock import VirtualClock
from sojourn.language.conditions import EventFact
from sojourn.language.model import Journey
from sojourn.travel.program import Program
from sojourn.travel.simulation import Person, Simulation, happening
from sojourn.travel.state import MAX_ARRIVED, Advance, Arrived, Progress, State
from sojourn.travel.virtual import VirtualEntry

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
LEAVE = [{"on": "Gone", "as": "gone"}]


def program(*steps: dict[str, Any], **more: Any) -> Program:
    return Program(Journey.model_validate({"journey": "j", "description": "x", "enter": {"on": "T"}, "steps": list(steps)} | more))


def live(walked: Program, *timeline: tuple[float, str], person: Person | None = None) -> State:
    """Walk a journey; the timeline is in hours after entry."""
    events = [happening(name, {}, START, timedelta(hours=hours), i) for i, (hours, name) in enumerate(timeline)]
    person = person or Person(EventFact("T", START, {}))
    return Simulation(walked, {}, lambda model, facts: (0.5, "")).live(person, events)


def hours(state: State) -> list[float]:
    return [(line.at - START) / timedelta(hours=1) for line in state.trail]


def test_steps_are_walked_in_order_and_the_last_completes_the_journey() -> None:
    state = live(program({"wait": "1h"}, {"score": "m"}, {"send": "hello"}, {"wait": "2h"}))
    assert [line.did for line in state.trail] == ["wait 1h", "score m = 0.50", "send hello", "wait 2h", "end completed"]
    assert hours(state) == [1, 1, 1, 3, 3]
    assert state.outcome == "completed"


@given(st.lists(st.integers(1, 200), max_size=6))
def test_a_wait_ends_its_duration_after_the_last_reset_that_came_in_time(minutes: Sequence[int]) -> None:
    until = 60
    for minute in sorted(minutes):
        if minute < until:
            until = minute + 60
    state = live(program({"wait": "1h", "reset_on": "A"}), *((minute / 60, "A") for minute in minutes))
    assert hours(state)[0] == pytest.approx(until / 60)


@given(st.lists(st.tuples(st.integers(1, 500), st.sampled_from(["A", "B"])), max_size=6, unique_by=lambda event: event[0]))
def test_of_several_branches_the_first_to_come_is_taken(raw: list[tuple[int, str]]) -> None:
    walked = program({"wait_for": [{"on": "A", "then": [{"end": "a"}]}, {"on": "B", "then": [{"end": "b"}]}], "up_to": "5h"})
    in_time = sorted(event for event in raw if event[0] < 300)
    expected = in_time[0][1].lower() if in_time else "completed"
    assert live(walked, *((minute / 60, name) for minute, name in raw)).outcome == expected


def test_what_came_before_counts_on_arrival_unless_the_step_says_since_arrival() -> None:
    def outcome(since: str) -> str | None:
        wait = {"wait_for": "A", "up_to": "1h", "since": since, "then": [{"end": "came"}]}
        return live(program({"wait": "2h"}, wait, {"end": "missed"}), (1, "A")).outcome

    assert (outcome("entry"), outcome("arrival")) == ("came", "missed")


STOPS = {
    "a wait": {"wait": "5h"},
    "a wait_for": {"wait_for": "A", "up_to": "5h"},
    "a wait_for that the same event would end": {"wait_for": "Gone", "up_to": "5h", "then": [{"end": "branch"}]},
    "a wait that the same event resets": {"wait": "5h", "reset_on": "Gone"},
    "a wait_until": {"wait_until": "18:00"},
}


@pytest.mark.parametrize("stop", STOPS)
def test_leaving_beats(stop: str) -> None:
    state = live(program(STOPS[stop], {"send": "never"}, leave=LEAVE), (1, "Gone"))
    assert (state.outcome, hours(state)[-1]) == ("gone", 1)
    assert "send never" not in [line.did for line in state.trail]


def test_leaving_ends_a_send_that_waits_for_its_hours() -> None:
    state = live(program({"send": "hello"}, leave=LEAVE, send_between="12:00-14:00"), (1, "Gone"))
    assert [line.did for line in state.trail] == ["hold send hello", "end gone"]


def test_a_held_send_goes_out_when_its_hours_begin() -> None:
    state = live(program({"send": "hello"}, {"end": "sent"}, send_between="12:00-14:00"))
    assert [(line.did, at) for line, at in zip(state.trail, hours(state), strict=True)] == [
        ("hold send hello", 0), ("send hello", 2), ("end sent", 2),
    ]  # fmt: skip


@pytest.mark.parametrize("after", [[], [{"end": "done"}]], ids=["as the last step", "before the end"])
def test_a_wait_until_is_waited_for(after: list[dict[str, Any]]) -> None:
    assert hours(live(program({"wait_until": "18:00"}, *after)))[-1] == 8


def test_an_event_from_before_the_entry_is_not_heard() -> None:
    assert live(program({"wait": "1h"}, {"end": "stayed"}, leave=LEAVE), (-1, "Gone")).outcome == "stayed"


def test_engagement_with_another_send_is_not_heard() -> None:
    walked = program({"send": "one"}, {"send": "two"}, {"wait_for": "two.clicked", "up_to": "5h", "then": [{"end": "clicked"}]})
    assert live(walked, (1, "one.clicked")).outcome == "completed"
    assert live(walked, (1, "two.clicked")).outcome == "clicked"


# -- what is heard -----------------------------------------------------------------------------


def arrived(number: int, *meets: str, entry: str = "e") -> Arrived:
    return Arrived(id=f"event-{number}", entry_id=entry, event="A", time=START, meets=meets)


def entry() -> State:
    return State(entry_id="e", cursor="0", entered_at=START)


def test_an_event_is_heard_once_and_only_by_the_entry_it_is_for() -> None:
    state = entry()
    assert state.hear(arrived(1, "0/reset"))
    assert not state.hear(arrived(1, "0/reset"))
    assert not state.hear(arrived(2, "0/reset", entry="earlier"))
    assert len(state.arrived) == 1


def test_too_many_events_are_dropped_but_never_one_that_ends_the_entry() -> None:
    state = entry()
    for number in range(MAX_ARRIVED):
        assert state.hear(arrived(number, "0/reset"))
    assert not state.hear(arrived(MAX_ARRIVED, "0/reset"))
    assert state.hear(arrived(MAX_ARRIVED + 1, "0/reset", "leave/0"))


# -- virtual time ------------------------------------------------------------------------------


async def _nothing(ask: Advance) -> Progress:
    raise AssertionError("no step here is judged")


def test_a_virtual_entry_goes_on_only_when_its_moment_has_come_or_an_event_wakes_it() -> None:
    clock = VirtualClock(START)
    walk = VirtualEntry(program({"wait": "1h"}, {"wait_for": "A", "up_to": "1d"}), entry(), clock, _nothing)
    walk.run()
    assert walk.due == START + timedelta(hours=1)
    clock.move_to(START + timedelta(minutes=59))
    walk.run()
    assert walk.state.cursor == "0"
    clock.move_to(START + timedelta(hours=1))
    walk.run()
    assert walk.due == START + timedelta(hours=25)
    walk.hear(arrived(1, "1/b0"))
    assert (walk.outcome, walk.due) == ("completed", None)


@given(st.integers(0, 3))
def test_a_walk_taken_up_again_from_its_state_goes_on_as_if_it_had_not_stopped(stop: int) -> None:
    walked = program({"wait": "1h", "reset_on": "A"}, {"wait_for": "B", "up_to": "5h"}, {"wait": "1d"}, leave=LEAVE)

    def walk(*, interrupted: bool) -> State:
        clock, state = VirtualClock(START), entry()
        virtual = VirtualEntry(walked, state, clock, _nothing)
        virtual.run()
        timeline = [(0.5, ("0/reset",)), (1.2, ("0/reset",)), (4.0, ("1/b0",)), (5.0, ("0/reset",))]
        for number, (hour, meets) in enumerate(timeline):
            moment = START + timedelta(hours=hour)
            while virtual.due is not None and virtual.due <= moment:
                clock.move_to(virtual.due)
                virtual.run()
            clock.move_to(moment)
            virtual.hear(arrived(number, *meets).model_copy(update={"time": moment}))
            if interrupted and number == stop:
                virtual = VirtualEntry(walked, State.model_validate_json(virtual.state.model_dump_json()), clock, _nothing)
                virtual.run()
        while virtual.due is not None:
            clock.move_to(virtual.due)
            virtual.run()
        return virtual.state

    assert walk(interrupted=True).trail == walk(interrupted=False).trail
