"""Checks of a journey's examples, before anything runs them: what they give, let happen and expect must exist."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sojourn.language.durations import parse_duration
from sojourn.language.finding import Findings, Known
from sojourn.language.model import Example, Happening, Journey
from sojourn.language.moments import zone_named
from sojourn.language.outline import COMPLETED, ENGAGEMENTS, Way, always_ends, calls, engagement, outcomes, scores, sends
from sojourn.language.problems import listed, nearest, shown, unknown

WHOLE = ("history", "now", "zone")  # given by themselves; of the others one thing
GIVEN = ("score", "segment", "event", "profile", "call", *WHOLE)
_SEND = "send "


def check_examples(journey: Journey, known: Known, found: Findings) -> None:
    """Check all examples of a journey."""
    check = _Examples(journey, known, found)
    seen: dict[str, int] = {}
    for i, example in enumerate(journey.examples):
        if example.name in seen:
            found.add(("examples", i, "name"), f"a second example of this name; the first is number {seen[example.name] + 1}")
        seen.setdefault(example.name, i)
        check.example(example, ("examples", i))


class _Examples:
    def __init__(self, journey: Journey, known: Known, found: Findings) -> None:
        self._known, self._found = known, found
        self._sends = sends(journey)
        self._contents = {send.send for send in self._sends.values()}
        self._scores = scores(journey)
        self._calls = calls(journey)
        ends = any(always_ends(step) for step in journey.steps)
        self._outcomes = [*outcomes(journey), *([] if ends else [COMPLETED])]

    def example(self, example: Example, way: Way) -> None:
        for name, value in example.given.items():
            self._given(name, (*way, "given", name))
            wrong = _wrong(name, value)
            if wrong is not None:
                self._found.add((*way, "given", name), wrong)
        before: tuple[timedelta, str] | None = None
        for text, happenings in example.events.items():
            place = (*way, "events", text)
            try:
                moment = parse_duration(text)
            except ValueError as error:
                self._found.add(place, str(error), at_key=True)
                continue
            if before is not None and moment <= before[0]:
                late = f"`{text}` does not come after `{before[1]}`; write the timeline in order, and what happens together as a list"
                self._found.add(place, late, at_key=True)
            before = (moment, text)
            for j, happening in enumerate(happenings if isinstance(happenings, tuple) else (happenings,)):
                self._event(happening, (*place, j) if isinstance(happenings, tuple) else place)
        for j, expected in enumerate(example.expect):
            self._expected(expected, (*way, "expect", j), last=j + 1 == len(example.expect))

    def _given(self, name: str, way: Way) -> None:
        kind, _, rest = name.partition(".")
        if kind not in GIVEN or bool(rest) == (kind in WHOLE):
            hint = nearest(kind, GIVEN)
            shape = "score.<model>, segment.<name>, event.<property>, profile.<trait>, call.<name>, history, now or zone"
            self._found.add(way, f"{shown(name)} cannot be given{hint or ';'} {'Write' if hint else 'write'} {shape}", at_key=True)
        elif kind == "score" and rest not in self._scores:
            self._found.add(way, unknown("score", rest, self._scores) + " (of this journey)", at_key=True)
        elif kind == "call" and rest.partition(".")[0] not in self._calls:
            self._found.add(way, unknown("call", rest.partition(".")[0], self._calls) + " (whose answer this journey keeps)", at_key=True)
        elif kind == "segment" and self._known.segments is not None and rest not in self._known.segments:
            self._found.add(way, unknown("segment", rest, self._known.segments), at_key=True)

    def _event(self, happening: str | Happening, way: Way) -> None:
        name = happening.event if isinstance(happening, Happening) else happening
        place = (*way, "event") if isinstance(happening, Happening) else way
        engaged = engagement(name)
        if engaged is not None and " " not in name and engaged[0] not in self._sends:
            self._found.add(place, unknown("send", engaged[0], self._sends))
        head, dot, kind = name.rpartition(".")
        if dot and head in self._sends and kind not in ENGAGEMENTS:
            self._found.add(place, f"{shown(kind)} is nothing a send can have done; it can be {listed(ENGAGEMENTS)}")

    def _expected(self, expected: str, way: Way, last: bool) -> None:
        if expected.startswith(_SEND):
            content = expected.removeprefix(_SEND).strip()
            if content not in self._contents:
                self._found.add(way, unknown("send", content, self._contents) + " (by its content's name)")
        elif expected not in self._outcomes:
            hint = nearest(expected, [*self._outcomes, *(_SEND + content for content in self._contents)])
            there = f"; the outcomes of this journey are {listed(self._outcomes)}"
            self._found.add(way, f"unknown outcome {shown(expected)}{hint or there}")
        elif not last:
            self._found.add(way, f"`{expected}` is how it ends, so it comes last; nothing can follow")


def _wrong(name: str, value: Any) -> str | None:
    """Return what is wrong with the value of something given."""
    kind = name.partition(".")[0]
    if kind == "score" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"{shown(value)} is not a score; write a number such as 0.3"
    if kind == "segment" and not isinstance(value, bool):
        return f"{shown(value)} is not a membership; write true or false"
    try:
        if name == "zone":
            zone_named(str(value))
        elif name == "now":
            datetime.fromisoformat(str(value))
        elif name == "history":
            for past in value if isinstance(value, list) else [None]:
                _check_past(past)
    except ValueError as error:
        return f"{shown(value)} is not a moment; write one such as 2026-01-05T09:00" if name == "now" else str(error)
    return None


def _check_past(past: Any) -> None:
    shape = "write the history as a list of {event: Order Completed, ago: 3d, properties: {…}}"
    if not isinstance(past, dict) or not isinstance(past.get("event"), str) or not isinstance(past.get("ago"), str):
        raise ValueError(shape)
    if set(past) - {"event", "ago", "properties"} or not isinstance(past.get("properties", {}), dict):
        raise ValueError(shape)
    parse_duration(past["ago"])
