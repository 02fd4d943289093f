"""Runs the examples that stand beside a definition, in virtual time, and says which branches none of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sojourn.language.conditions import UTC_CALENDAR, Calendar, Condition, EventFact, parse
from sojourn.language.conditions.expression import Expression
from sojourn.language.durations import format_duration, parse_duration
from sojourn.language.model import Call, Choose, Example, Happening, If, WaitFor
from sojourn.language.moments import zone_named
from sojourn.travel.listening import Happened
from sojourn.travel.program import Program, blocks, branch_name
from sojourn.travel.simulation import UTC_ZONE, Person, Score, Simulation, happening
from sojourn.travel.state import LEAVE, State, Trail

START = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)  # a Monday morning
NOT_ENTERED = "not entered"


@dataclass(frozen=True)
class Ran:
    """What came of one example."""

    journey: str
    example: str
    expected: tuple[str, ...]
    happened: tuple[str, ...]
    trail: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether what happened is what was expected."""
        return self.expected == self.happened


@dataclass
class Coverage:
    """The branches of a journey and those that its examples took."""

    journey: str
    branches: dict[str, str] = field(default_factory=dict)  # key to words
    taken: set[str] = field(default_factory=set)

    @property
    def missed(self) -> list[str]:
        """The branches that no example takes, in words."""
        return [words for key, words in self.branches.items() if key not in self.taken]


def run_examples(
    program: Program,
    segments: Mapping[str, Condition],
    score: Score,
    zone: ZoneInfo = UTC_ZONE,
    computed: Mapping[str, Expression] | None = None,
    calendar: Calendar = UTC_CALENDAR,
) -> tuple[list[Ran], Coverage]:
    """Run every example of a journey.

    Args:
        program: the journey.
        segments: every segment's condition.
        score: asks a model that an example gives no score for.
        zone: the time zone of people whose example gives none.
        computed: the computed traits.
        calendar: how conditions read moments.
    """
    simulation = Simulation(program, segments, score, computed=computed or {}, calendar=calendar)
    coverage = Coverage(program.journey.name, branches_of(program))
    ran = []
    for example in program.journey.examples:
        person, timeline = person_of(program, example, zone)
        if not enters(simulation, person):
            ran.append(Ran(program.journey.name, example.name, example.expect, (NOT_ENTERED,), ()))
            continue
        state = simulation.live(person, timeline)
        coverage.taken |= taken_by(state)
        happened = (*(f"send {content}" for content in person.sent), state.outcome or "")
        trail = tuple(_told(line, state.entered_at) for line in state.trail)
        ran.append(Ran(program.journey.name, example.name, example.expect, happened, trail))
    return ran, coverage


def person_of(program: Program, example: Example, zone: ZoneInfo) -> tuple[Person, list[Happened]]:
    """Return an example's person and timeline."""
    person = given(program.journey.enter.on, example.given, START, zone)
    return person, _timeline(example, person.trigger.time)


def given(trigger: str, facts: Mapping[str, Any], start: datetime, zone: ZoneInfo) -> Person:
    """Return a person as an example's `given` describes one.

    Args:
        trigger: the event that begins the entry.
        facts: `profile.x`, `event.x`, `score.x`, `segment.x`, `call.x`, `zone`, `now`, and `history`, a list of `{event, ago, properties}`.
        start: when the entry begins, where `now` does not say so.
        zone: the person's, where `zone` does not say so.
    """
    zone = zone_named(str(facts["zone"])) if "zone" in facts else zone
    if "now" in facts:
        start = datetime.fromisoformat(str(facts["now"]))
        start = start if start.tzinfo else start.replace(tzinfo=zone)
    known: dict[str, dict[str, Any]] = {"event": {}, "profile": {}, "score": {}, "segment": {}, "call": {}}
    for name, value in facts.items():
        root, _, rest = name.partition(".")
        if root in known:
            put(known[root], rest, value)
    past = [
        EventFact(str(h["event"]), start - parse_duration(str(h["ago"])), dict(h.get("properties", {}))) for h in facts.get("history", ())
    ]
    return Person(
        trigger=EventFact(trigger, start, known["event"]),
        profile=known["profile"],
        scores={model: float(value) for model, value in known["score"].items()},
        segments={segment: bool(value) for segment, value in known["segment"].items()},
        history=sorted(past, key=lambda event: event.time),
        calls=known["call"],
        zone=zone,
    )


def _timeline(example: Example, start: datetime) -> list[Happened]:
    timeline: list[Happened] = []
    for after, events in example.events.items():
        for event in (events,) if isinstance(events, str | Happening) else events:
            name, properties = (event, {}) if isinstance(event, str) else (event.event, event.properties)
            timeline.append(happening(name, properties, start, parse_duration(after), len(timeline)))
    return sorted(timeline, key=lambda event: event.time)


def enters(simulation: Simulation, person: Person) -> bool:
    """Tell whether the journey's filter lets a person in."""
    condition = simulation.program.journey.enter.if_
    if condition is None:
        return True
    person.history.append(person.trigger)
    facts = person.facts(person.trigger.time, {}, computed=simulation.computed, calendar=simulation.calendar)
    holds = parse(condition).holds(facts, simulation.segments)
    person.history.pop()
    return holds


def _told(line: Trail, start: datetime) -> str:
    because = f" ({line.because})" if line.because else ""
    return f"after {format_duration(line.at - start)}: {line.did}{because}"


def put(into: dict[str, Any], path: str, value: Any) -> None:
    """Write a value under a dotted path; nothing where a part of the way holds a plain value."""
    *parents, last = path.split(".")
    for parent in parents:
        into = into.setdefault(parent, {})
        if not isinstance(into, dict):
            return
    into[last] = value


def branches_of(program: Program) -> dict[str, str]:
    """Every branch by key, in words; a split's arms are left out, for no example can choose one."""
    found = {f"{LEAVE}{i}": f"leave on {leave.on} as {leave.as_}" for i, leave in enumerate(program.journey.leave)}
    for cursor, step in program.steps.items():
        if isinstance(step, If | WaitFor | Choose | Call):
            for name in blocks(step):
                found[f"{cursor}/{name}"] = f"{program.labels[cursor]} → {branch_name(step, name)}"
    return found


def taken_by(state: State) -> set[str]:
    """Return the branches that a walk took, by key."""
    taken = {f"{line.cursor}/{line.took}" for line in state.trail if line.took}
    left = next((h for a in state.arrived for h in a.meets if h.startswith(LEAVE)), None)
    return taken | {left} if left else taken
