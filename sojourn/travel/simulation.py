"""A made-up life: facts in hand, a timeline of events, and a journey walked through them in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from sojourn.clock import VirtualClock
from sojourn.customers.computed import profile_facts
from sojourn.delivery.gate import Verdict
from sojourn.language.conditions import UTC_CALENDAR, Calendar, Condition, EventFact, Explanation, Facts, ListHistory, parse
from sojourn.language.conditions.expression import Expression
from sojourn.language.model import Call, Send, Set, Step
from sojourn.language.moments import Hours
from sojourn.language.outline import send_id
from sojourn.prediction import Models
from sojourn.travel.judge import judge
from sojourn.travel.listening import Happened, meet
from sojourn.travel.program import EFFECTS, ENGAGEMENT, FAILED, KINDS, Listener, Program
from sojourn.travel.simulated_messages import Post, SimulatedMessages
from sojourn.travel.state import Advance, Arrived, Progress, State, Trail
from sojourn.travel.virtual import VirtualEntry

ENTRY_ID = "simulated"
UTC_ZONE = ZoneInfo("UTC")
Score = Callable[[str, Facts], tuple[float, str]]
"""Asks a model about facts in hand."""

ALLOWED = Verdict("allow")
_NOTHING_COMPUTED: Mapping[str, Expression] = {}


@dataclass
class Person:
    """The facts of one simulated person; they grow as the timeline passes.

    Attributes:
        trigger: the event that begins the entry.
        profile: traits.
        scores: given scores by model; a model not in it is asked.
        segments: given membership.
        history: events so far, oldest first.
        calls: what calls are answered, by the name that it is kept under, else by the address; `{"failed": true}` for one that fails.
        zone: time zone.
        subject: whom a split sticks to.
        post: their messages, where the simulation judges those.
    """

    trigger: EventFact
    profile: dict[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    segments: Mapping[str, bool] = field(default_factory=dict)
    history: list[EventFact] = field(default_factory=list)
    engaged: dict[str, frozenset[str]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    calls: dict[str, Any] = field(default_factory=dict)
    zone: ZoneInfo = UTC_ZONE
    subject: str = "simulated"
    post: Post = field(default_factory=Post)

    def facts(
        self,
        now: datetime,
        scores: Mapping[str, float],
        event: EventFact | None = None,
        computed: Mapping[str, Expression] = _NOTHING_COMPUTED,
        calendar: Calendar = UTC_CALENDAR,
    ) -> Facts:
        """Return the facts at a moment; a trait that is given stands before one that is computed."""
        history, calendar = ListHistory(self.history), calendar.in_zone(self.zone)
        asked = {name: its for name, its in computed.items() if name not in self.profile}
        return Facts(
            now=now,
            event=event or self.trigger,
            profile=profile_facts(self.profile, asked, history, now, calendar),
            calendar=calendar,
            scores=scores,
            engaged=self.engaged,
            history=history,
            segments=self.segments,
            calls={name: answer for name, answer in self.calls.items() if not _fails(answer)},
        )


def _fails(answer: Any) -> bool:
    return isinstance(answer, Mapping) and answer.get("failed") is True


Respond = Callable[[str, datetime], Iterable[Happened]]
"""Gives what a person does about a send: its id and its moment in, engagement out."""


def asking(models: Models) -> Score:
    """Return a way to ask models about facts in hand."""

    def score(model: str, facts: Facts) -> tuple[float, str]:
        found = models.score(model, facts.profile, facts.history, facts.now, facts.calendar)
        return found.value, found.because

    return score


class Simulation:
    """Walks one journey for made-up people.

    Nobody lacks consent. Without `messages` of the gate it knows `send_between` alone, and no cap is reached.

    Args:
        program: the journey.
        segments: every segment's condition.
        score: asks a model that a person has no given score for.
        computed: the computed traits.
        calendar: how conditions read moments; each person's own zone counts.
        because: whether the trail says why a condition held; without, many lives pass sooner.
        messages: judges messages by the shop's rules, and chooses their sections.
    """

    def __init__(
        self,
        program: Program,
        segments: Mapping[str, Condition],
        score: Score,
        *,
        computed: Mapping[str, Expression] = _NOTHING_COMPUTED,
        calendar: Calendar = UTC_CALENDAR,
        because: bool = True,
        messages: SimulatedMessages | None = None,
    ) -> None:
        self.messages = messages
        self.computed = computed
        self.calendar = calendar
        self.because = because
        self.program = program
        self.segments = segments
        self.score = score
        self.listeners: dict[str, list[Listener]] = {}
        for listener in program.listeners():
            self.listeners.setdefault(listener.event, []).append(listener)
        between = program.journey.send_between
        self._hours = Hours.parse(between) if between is not None else None

    def advance(self, person: Person, ask: Advance, now: datetime) -> Progress:
        """Judge the steps from a cursor on and take the first effect as done."""
        facts = person.facts(now, ask.scores, computed=self.computed, calendar=self.calendar)

        def score(model: str) -> tuple[float, str]:
            return (person.scores[model], "given") if model in person.scores else self.score(model, facts)

        judged = judge(
            self.program, ask.cursor, facts, score,
            subject=person.subject, zone=person.zone, segments=self.segments, because=self.because,
        )  # fmt: skip
        trail, cursor, until, sent = judged.trail, judged.cursor, judged.until, None
        step = self.program.steps[cursor] if cursor is not None and until is None else None
        if cursor is not None and isinstance(step, EFFECTS):
            verdict = self._gate(person, step, cursor, now) if isinstance(step, Send) else ALLOWED
            if verdict.until is not None:
                until = verdict.until
                trail = (*trail, Trail(cursor=cursor, did=f"hold {self.program.labels[cursor]}", because=verdict.reason, at=now))
            else:
                sent = self._act(person, step, replace(facts, scores=judged.scores)) if verdict.allowed else None
                failed = isinstance(step, Call) and _fails(person.calls.get(step.keep or step.call))
                took = FAILED if failed and self.program.into(cursor, FAILED) != self.program.after(cursor) else None
                because = "" if verdict.allowed else f"not sent: {verdict.reason}"
                trail = (*trail, Trail(cursor=cursor, did=self.program.labels[cursor], because=because, took=took, at=now))
                cursor = self.program.into(cursor, FAILED) if failed else self.program.after(cursor)
        return Progress(trail=trail, cursor=cursor, until=until, scores=dict(judged.scores), sent=sent)

    def _gate(self, person: Person, step: Send, cursor: str, now: datetime) -> Verdict:
        if self.messages is not None:
            return self.messages.judge(person.post, step, cursor, person.subject, person.zone, now)
        until = None if self._hours is None else self._hours.opens(now, person.zone)
        return ALLOWED if until is None else Verdict("hold", f"outside of send_between {self._hours}", until)

    def _act(self, person: Person, step: Step, facts: Facts) -> str | None:
        if isinstance(step, Set):
            person.profile.update(step.set)
        if not isinstance(step, Send):
            return None
        if self.messages is not None:
            self.messages.show(person.post, step.send, facts)
        sent = send_id(step)
        person.sent.append(step.send)
        person.engaged[sent] = person.engaged.get(sent, frozenset()) | {"delivered"}
        return sent

    def holds(self, condition: str, person: Person, event: EventFact) -> Explanation:
        """Ask a condition about a person at an event's moment."""
        return parse(condition).explain(person.facts(event.time, {}, event, self.computed, self.calendar), self.segments)

    def hears(self, person: Person, event: Happened) -> Arrived | None:
        """Write an event into a person's facts, and return it as it arrives at the entry, if it does."""
        fact = EventFact(event.name, event.time, event.properties)
        person.history.append(fact)
        if event.send_id is not None:
            kind = KINDS[event.name]
            person.engaged[event.send_id] = person.engaged.get(event.send_id, frozenset()) | {kind}
        listeners = self.listeners.get(event.name, ())
        return meet(listeners, ENTRY_ID, person.trigger.time, event, lambda condition, _: self.holds(condition, person, fact))

    def live(self, person: Person, timeline: Iterable[Happened], respond: Respond | None = None) -> State:
        """Walk the whole journey.

        Args:
            person: whose facts it is walked with; they are changed.
            timeline: what happens after the entry.
            respond: what the person does about each send; it is added to the timeline.

        Returns:
            The last state, with trail and outcome.
        """
        clock = VirtualClock(person.trigger.time)
        state = State(entry_id=ENTRY_ID, cursor=self.program.start(), entered_at=clock.now())
        place = count()  # of two events of one moment the first to be known comes first
        ahead = [(event.time, next(place), event) for event in timeline]
        heapify(ahead)

        async def advance(ask: Advance) -> Progress:
            progress = self.advance(person, ask, clock.now())
            if respond is not None and progress.sent is not None:
                for event in respond(progress.sent, clock.now()):
                    heappush(ahead, (event.time, next(place), event))
            return progress

        entry = VirtualEntry(self.program, state, clock, advance)
        person.history.append(person.trigger)
        entry.run()
        while (due := entry.due) is not None:
            if not ahead or due <= ahead[0][0]:
                clock.move_to(due)
                entry.run()
                continue
            event = heappop(ahead)[2]
            clock.move_to(event.time)
            arrived = self.hears(person, event)
            if arrived is not None:
                entry.hear(arrived)
        return state


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
