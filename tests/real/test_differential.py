"""The same trail from both Worlds: virtual time on one side, the real workflow on Temporal's time-skipping server on the other.

The durable side runs every case twice at once: as in production, and in the SDK's sandbox.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from two_worlds import Case, Walked, walk_virtually

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

HERE = Path(__file__).parent
# The server's clock goes on while it works; moments of the two sides are never further apart than that.
SLACK = timedelta(seconds=20)
FRIDAY = datetime(2026, 3, 27, 10, tzinfo=UTC)  # the last before summer time begins in Europe
CLICKED = "s0.clicked"


class Durable:
    """The process that owns Temporal's server and workers."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "durable_world.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        assert "ready" in self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # the SDK's own warnings go the same way
                found: dict[str, Any] = json.loads(line)
                return found
        raise AssertionError("the process that owns Temporal's server has ended")

    def walk(self, case: Case) -> dict[str, Walked]:
        assert self.process.stdin is not None
        self.process.stdin.write(case.model_dump_json() + "\n")
        self.process.stdin.flush()
        answer = self._read()
        assert "error" not in answer, answer["error"]
        return {runner: Walked.model_validate(each) for runner, each in answer.items()}

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def durable() -> Iterator[Durable]:
    owner = Durable()
    yield owner
    owner.close()


def hold(durable: Durable, case: Case) -> Walked:
    """Hold both Worlds to the same trail, and return it."""
    virtual = walk_virtually(case)
    for runner, walked in durable.walk(case).items():
        assert walked.steps() == virtual.steps(), runner
        assert walked.outcome == virtual.outcome, runner
        assert walked.sent == virtual.sent, runner
        for real, made_up, step in zip(walked.moments(), virtual.moments(), virtual.steps(), strict=True):
            assert abs(real - made_up) < SLACK, (runner, step)
        if case.max_history is not None:
            assert walked.runs > 1, f"{runner}: it never continued as new"
    return virtual


# -- generated ---------------------------------------------------------------------------------
# Waits are whole hours and events come at minutes of their own, so that no two things happen at one moment.

EVENTS = ("A", "B", "C")
hours = st.integers(1, 30).map(lambda n: f"{n}h")
properties = st.fixed_dictionaries({}, optional={"n": st.integers(0, 5)})


@st.composite
def conditions(draw: st.DrawFn, sends: list[str]) -> str:
    simple = [
        "event.n >= 2", 'did("A")', 'count("B") >= 2', 'did("C", within="12h")', "score.m >= 0.5", 'profile.plan == "gold"',
        "segment.big", "segment.busy", 'call.good.tier == "gold"', "call.bad",
        *(f"{send}.{kind}" for send in sends for kind in ("clicked", "opened")),
    ]  # fmt: skip
    one, other = draw(st.sampled_from(simple)), draw(st.sampled_from(simple))
    return draw(st.sampled_from([one, f"not {one}", f"{one} and {other}", f"{one} or not {other}"]))


@st.composite
def journeys(draw: st.DrawFn) -> dict[str, Any]:
    sends: list[str] = []

    def block(depth: int, least: int = 0) -> list[dict[str, Any]]:
        return [step(depth) for _ in range(draw(st.integers(least, 3)))]

    def branch(names: list[str]) -> dict[str, Any]:
        on = draw(st.sampled_from(names))
        return {"on": on} | ({"if": "event.n >= 2"} if on in EVENTS and draw(st.booleans()) else {})

    def step(depth: int) -> dict[str, Any]:
        plain = ["wait", "reset", "until", "score", "send", "set", "call", "enter", "end"]
        verb = draw(st.sampled_from(plain if depth == 0 else [*plain[:-2], "wait_for", "wait_for", "branches", "if", "choose", "split"]))
        names = [*EVENTS, *(f"{send}.clicked" for send in sends)]
        match verb:
            case "wait":
                return {"wait": draw(hours)}
            case "reset":
                return {"wait": draw(hours), "reset_on": draw(st.sampled_from(EVENTS))}
            case "until":
                limit = {"up_to": draw(hours)} if draw(st.booleans()) else {}
                return {"wait_until": draw(st.sampled_from(["09:00", "02:00", "mon-fri 10:00", "tue 09:00"]))} | limit
            case "score":
                return {"score": "m"}
            case "send":
                sends.append(f"s{len(sends)}")
                return {"send": f"content_{len(sends)}", "id": sends[-1]}
            case "set":
                return {"set": {"plan": draw(st.sampled_from(["gold", "none"]))}}
            case "call":
                called = {"call": "https://api.shop.example/hook", "keep": draw(st.sampled_from(["good", "bad"]))}
                return called | ({"on_failure": block(depth - 1)} if depth else {})
            case "enter":
                return {"enter": "other"}
            case "end":
                return {"end": draw(st.sampled_from(["won", "lost"]))}
            case "if":
                return {"if": draw(conditions(sends)), "then": block(depth - 1), "else": block(depth - 1)}
            case "choose":
                lines = [{"if": draw(conditions(sends)), "then": block(depth - 1)} for _ in range(draw(st.integers(1, 2)))]
                return {"choose": [*lines, *([{"then": block(depth - 1)}] if draw(st.booleans()) else [])]}
            case "split":
                return {"split": {"a": 50, "b": 50}, "arms": {"a": block(depth - 1)}}
        wait = {"up_to": draw(hours), "since": draw(st.sampled_from(["entry", "arrival"])), "else": block(depth - 1)}
        if verb == "wait_for":
            single = branch(names)
            return {"wait_for": single.pop("on"), **single, **wait, "then": block(depth - 1)}
        many = [branch(names) | {"then": block(depth - 1)} for _ in range(draw(st.integers(1, 3)))]
        return {"wait_for": many, **wait}

    leave = draw(st.sampled_from([[], [{"on": "C", "as": "left"}], [{"on": "B", "as": "left", "if": "event.n >= 2"}]]))
    found = {"journey": "made_up", "description": "Generated.", "enter": {"on": "T"}, "leave": leave, "steps": block(2, least=1)}
    return found | ({"send_between": "09:00-17:00"} if draw(st.booleans()) else {})


CALLS = {"call.good": st.just({"tier": "gold"}), "call.bad": st.just({"failed": True})}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    names = st.sampled_from([*EVENTS, "A", "B", "s0.clicked", "s1.clicked", "s0.opened"])
    raw = draw(st.lists(st.tuples(st.integers(0, 60), names, properties), max_size=6))
    timeline = [(60 * hour + 7 + 8 * i, name, given) for i, (hour, name, given) in enumerate(raw)]
    return Case(
        journey=draw(journeys()),
        start=draw(st.sampled_from([FRIDAY, datetime(2026, 10, 24, 3, tzinfo=UTC), datetime(2026, 6, 3, 20, tzinfo=UTC)])),
        zone=draw(st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"])),
        given=draw(st.fixed_dictionaries({}, optional={"event.n": st.integers(0, 5), "score.m": st.sampled_from([0.2, 0.9]), **CALLS})),
        timeline=timeline,
        repeated=draw(st.booleans()),
    )


@settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_any_journey_leaves_the_same_trail_in_virtual_time_and_on_temporal(durable: Durable, case: Case) -> None:
    hold(durable, case)


# -- pinned ------------------------------------------------------------------------------------


def journey(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"journey": "pinned", "description": "Written by hand.", "enter": {"on": "T"}, "steps": list(steps)} | more


SEND = {"send": "hello", "id": "s0"}
CHAIN = [{"wait_for": "A", "up_to": "2h", "since": "arrival"}, {"wait": "1h", "reset_on": "B"}]
PINNED: dict[str, tuple[Case, str]] = {
    "a call that fails takes its branch, and one that is answered is asked": (
        Case(
            journey=journey(
                {"call": "https://api.shop.example/a", "keep": "bad", "on_failure": [{"send": "sorry", "id": "s0"}]},
                {"wait": "1h"}, {"call": "https://api.shop.example/b", "keep": "good"},
                {"if": 'call.good.tier == "gold" and not call.bad', "then": [{"end": "gold"}]}, {"end": "plain"},
            ),
            start=FRIDAY, given={"call.good.tier": "gold", "call.bad.failed": True},
        ), "gold",
    ),
    "a wait is started afresh by each reset": (
        Case(
            journey=journey({"wait": "1h", "reset_on": "A"}, {"wait_for": "B", "up_to": "3h", "then": [{"end": "b"}]}, {"end": "none"}),
            start=FRIDAY, timeline=[(50, "A", {}), (101, "A", {}), (162, "B", {})],
        ), "b",
    ),
    "of several branches the first to come is taken": (
        Case(
            journey=journey(SEND, {
                "wait_for": [{"on": "A", "if": "event.n >= 2", "then": [{"end": "a"}]}, {"on": CLICKED, "then": [{"end": "c"}]},
                             {"on": "B", "then": [{"end": "b"}]}],
                "up_to": "1d",
            }),
            start=FRIDAY, timeline=[(30, "A", {"n": 1}), (61, CLICKED, {}), (92, "B", {})],
        ), "c",
    ),
    "what came earlier in the entry counts on arrival": (
        Case(
            journey=journey({"wait": "2h"}, {"wait_for": "A", "up_to": "1h", "then": [{"end": "came"}]}, {"end": "missed"}),
            start=FRIDAY, timeline=[(30, "A", {})],
        ), "came",
    ),
    "with since: arrival only what comes from then on counts": (
        Case(
            journey=journey({"wait": "2h"}, {"wait_for": "A", "up_to": "1h", "since": "arrival", "then": [{"end": "came"}]},
                            {"end": "missed"}),
            start=FRIDAY, timeline=[(30, "A", {})],
        ), "missed",
    ),
    "leaving during a hold of the send hours sends nothing": (
        Case(
            journey=journey(SEND, {"end": "sent"}, leave=[{"on": "C", "as": "left"}], send_between="12:00-14:00"),
            start=FRIDAY, timeline=[(30, "C", {})],
        ), "left",
    ),
    "a held send goes out when the hours begin": (
        Case(journey=journey(SEND, {"end": "sent"}, send_between="12:00-14:00"), start=FRIDAY), "sent",
    ),
    "a local moment is met across the change to summer time": (
        Case(
            journey=journey({"wait": "1d"}, {"wait_until": "sun 02:30"}, SEND, {"wait_until": "mon 09:00"}, {"end": "met"}),
            start=FRIDAY, zone="Europe/Berlin",
        ), "met",
    ),
    "a wait_until as the last step is waited for, and can be left": (
        Case(
            journey=journey({"wait_until": "mon 09:00"}, leave=[{"on": "C", "as": "left"}]), start=FRIDAY, timeline=[(61, "C", {})],
        ), "left",
    ),
    "leaving beats a branch that the same event would take": (
        Case(
            journey=journey({"wait_for": "C", "up_to": "5h", "then": [{"end": "branch"}]}, leave=[{"on": "C", "as": "left"}]),
            start=FRIDAY, timeline=[(61, "C", {})],
        ), "left",
    ),
    "signals that come twice are heard once": (
        Case(
            journey=journey({"wait_for": "A", "up_to": "1d"},
                            {"wait_for": "A", "up_to": "5h", "since": "arrival", "then": [{"end": "twice"}]}, {"end": "once"}),
            start=FRIDAY, timeline=[(61, "A", {})], repeated=True,
        ), "once",
    ),
    "a journey that continues as new goes on as if it had not": (
        Case(
            journey=journey(SEND, *CHAIN, *CHAIN, {"wait_for": CLICKED, "up_to": "1d", "then": [{"end": "clicked"}]}, {"end": "silent"}),
            start=FRIDAY, max_history=14,
            timeline=[(27, "A", {}), (49, "B", {}), (71, "B", {}), (93, "Z", {}), (155, "A", {}), (187, "B", {}), (300, CLICKED, {})],
        ), "clicked",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PINNED)
def test_pinned(durable: Durable, name: str) -> None:
    case, outcome = PINNED[name]
    assert hold(durable, case).outcome == outcome


def test_the_two_sides_would_be_told_apart(durable: Durable) -> None:
    """A negative control: the same comparison fails where one side walks another definition."""
    case = Case(journey=journey({"wait": "1h"}, {"end": "one"}), start=FRIDAY)
    other = case.model_copy(update={"journey": journey({"wait": "2h"}, {"end": "one"})})
    virtual = walk_virtually(other)
    assert all(walked.steps() != virtual.steps() for walked in durable.walk(case).values())
