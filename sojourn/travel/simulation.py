"""A made-up life: facts in hand, a timeline of events, and a journey walked through them in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sojourn.clock import VirtualClock
from sojourn.language.conditions import Condition, EventFact, Explanation, Facts, ListHistory, parse
from sojourn.language.model import Send, Set
from sojourn.travel.judge import judge
from sojourn.travel.listening import Happened, meet
from sojourn.travel.program import EFFECTS, ENGAGEMENT, Listener, Program, label, send_id
from sojourn.travel.state import Advance, Progress, State, Trail
from sojourn.travel.virtual import VirtualEntry

ENTRY_ID = "simulated"
UTC_ZONE = ZoneInfo("UTC")
Score = Callable[[str, Facts], tuple[float, str]]
"""Asks a model about facts in hand."""


@dataclass
class Person:
    """The facts of one simulated person; they grow as the timeline passes.

    Attributes:
        trigger: the event that begins the entry.
        profile: traits.
        scores: given scores by model; a model not in it is asked.
        segments: given membership.
        history: events so far, oldest first.
        zone: time zone.
        subject: whom a split sticks to.
    """

    trigger: EventFact
    profile: dict[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    segments: Mapping[str, bool] = field(default_factory=dict)
    history: list[EventFact] = field(default_factory=list)
    engaged: dict[str, frozenset[str]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    zone: ZoneInfo = UTC_ZONE
    subject: str = "simulated"

    def facts(self, now: datetime, scores: Mapping[str, float], event: EventFact | None = None) -> Facts:
        """Return the facts at a moment."""
        return Facts(
            now=now,
            event=event or self.trigger,
            profile=self.profile,
            scores=scores,
            engaged=self.engaged,
            history=ListHistory(self.history),
            segments=self.segments,
        )


class Simulation:
    """Walks one journey for made-up people.

    Args:
        program: the journey.
        segments: every segment's condition.
        score: asks a model that a person has no given score for.
    """

    def __init__(self, program: Program, segments: Mapping[str, Condition], score: Score) -> None:
        self.program = program
        self.segments = segments
        self.score = score
        self.listeners: Sequence[Listener] = program.listeners()

    def advance(self, person: Person, ask: Advance, now: datetime) -> Progress:
        """Judge the steps from a cursor on and take the first effect as done."""
        facts = person.facts(now, ask.scores)

        def score(model: str) -> tuple[float, str]:
            return (person.scores[model], "given") if model in person.scores else self.score(model, facts)

        judged = judge(
            self.program, ask.cursor, facts, score, subject=person.subject, zone=person.zone, segments=self.segments
        )
        trail, cursor, sent = list(judged.trail), judged.cursor, None
        step = self.program.steps[cursor] if cursor is not None and judged.until is None else None
        if cursor is not None and isinstance(step, EFFECTS):
            if isinstance(step, Send):
                sent = send_id(step)
                person.sent.append(step.send)
                person.engaged[sent] = person.engaged.get(sent, frozenset()) | {"delivered"}
            elif isinstance(step, Set):
                person.profile.update(step.set)
            trail.append(Trail(cursor=cursor, did=label(step), at=now))
            cursor = self.program.after(cursor)
        return Progress(trail=tuple(trail), cursor=cursor, until=judged.until, scores=dict(judged.scores), sent=sent)

    def holds(self, condition: str, person: Person, event: EventFact) -> Explanation:
        """Ask a condition about a person at an event's moment."""
        return parse(condition).explain(person.facts(event.time, {}, event), self.segments)

    def live(self, person: Person, timeline: Sequence[Happened]) -> State:
        """Walk the whole journey.

        Args:
            person: whose facts it is walked with; they are changed.
            timeline: what happens after the entry, oldest first.

        Returns:
            The last state, with trail and outcome.
        """
        clock = VirtualClock(person.trigger.time)
        state = State(entry_id=ENTRY_ID, cursor=self.program.start(), entered_at=clock.now())

        async def advance(ask: Advance) -> Progress:
            return self.advance(person, ask, clock.now())

        entry = VirtualEntry(self.program, state, clock, advance)
        person.history.append(person.trigger)
        entry.run()
        for event in timeline:
            self._pass(entry, clock, event.time)
            clock.move_to(event.time)
            if entry.outcome is not None:
                break
            self.happen(person, event)
            arrived = meet(self.listeners, ENTRY_ID, person.trigger.time, event, lambda c, e: self.holds(c, person, _fact(e)))
            if arrived is not None:
                entry.hear(arrived)
        while entry.due is not None:
            self._pass(entry, clock, entry.due)
        return state

    def happen(self, person: Person, event: Happened) -> None:
        """Write an event into a person's facts."""
        person.history.append(_fact(event))
        if event.send_id is not None:
            kind = next(kind for kind, name in ENGAGEMENT.items() if name == event.name)
            person.engaged[event.send_id] = person.engaged.get(event.send_id, frozenset()) | {kind}

    @staticmethod
    def _pass(entry: VirtualEntry, clock: VirtualClock, until: datetime) -> None:
        while (due := entry.due) is not None and due <= until:
            clock.move_to(due)
            entry.run()


def _fact(event: Happened) -> EventFact:
    return EventFact(event.name, event.time, event.properties)


def happening(name: str, properties: Mapping[str, Any], start: datetime, after: timedelta, number: int) -> Happened:
    """Return an event of a made-up timeline; `reminder.clicked` is engagement with the send `reminder`."""
    send, _, kind = name.rpartition(".")
    engagement = bool(send) and kind in ENGAGEMENT
    return Happened(
        id=f"event-{number}",
        name=ENGAGEMENT[kind] if engagement else name,
        profile_id="simulated",
        time=start + after,
        properties=properties,
        send_entry_id=ENTRY_ID if engagement else None,
        send_id=send if engagement else None,
    )
