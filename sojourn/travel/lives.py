"""Made-up lives: people with a past, what they do during a journey, and what they do about its messages.

Every number is a stated guess, not a measurement; what a simulation shows is how a journey behaves
when people behave like this. The same seed gives the same lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import exp, log
from operator import attrgetter
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sojourn.errors import NotFound
from sojourn.language.conditions import EventFact
from sojourn.language.model import Call
from sojourn.prediction import Models
from sojourn.travel.examples import START, enters, given, put
from sojourn.travel.facts_asked import Value, Values, asked_by
from sojourn.travel.listening import Happened
from sojourn.travel.program import ENGAGEMENT
from sojourn.travel.simulation import ENTRY_ID, Person, Simulation
from sojourn.travel.tally import Tally

TRIES = 500  # lives drawn until the journey's filter lets one in
TRIGGERS = 4  # triggers drawn for each of them
ARRIVALS = timedelta(days=7)  # people enter at any moment of a week
SHORTEST_AGO = timedelta(minutes=5)
SHORTEST_AGO_SECONDS = SHORTEST_AGO.total_seconds()
LONGEST_AGO = timedelta(days=400)
LOG_OF_AGES = log(LONGEST_AGO / SHORTEST_AGO)  # as likely within an hour to a day as within a fortnight to a year
TYPICAL_NUMBER = 50.0  # the median of a number that nothing is compared to
SPREAD = 0.8  # of the logarithm of a number
OTHER_WORD = 0.4  # the chance of a word that nothing is compared to
MINUTES_TO_DELIVER = 1
HOURS_TO_REACT = 6.0  # the mean time from a message to what is done about it


@dataclass(frozen=True)
class Habits:
    """How made-up people behave.

    Attributes:
        happens: the chance of each event that the journey listens for, within `within`; again with the same chance.
        chances: the same for some events by name.
        within: the time after entry in which such events happen, the earlier the likelier.
        past: the chance of each event in a person's past, again and again.
        opened: of a message being opened, and so for the others.
        declined: of a topic of the shop's being declined.
        failed: of a call failing for good.
    """

    happens: float = 0.15
    chances: Mapping[str, float] = field(default_factory=dict)
    within: timedelta = timedelta(days=14)
    past: float = 0.5
    delivered: float = 0.98
    opened: float = 0.35
    clicked: float = 0.08
    complained: float = 0.001
    declined: float = 0.05
    failed: float = 0.02


class Lives:
    """Draws lives for one journey.

    Args:
        simulation: the journey.
        models: who gives scores.
        habits: how people behave.
        facts: what holds for everyone, as in an example's `given`.
        zone: everyone's.
        seed: the same gives the same lives.
        topics: what people choose from.
        beside: conditions that contents ask.
    """

    def __init__(
        self, simulation: Simulation, models: Models, habits: Habits, facts: Mapping[str, Any], zone: ZoneInfo, seed: int,
        *, topics: Iterable[str] = (), beside: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.simulation = simulation
        self.habits = habits
        self._random = Random(seed)  # noqa: S311 - lives, not secrets
        self._facts, self._zone = facts, zone
        program = simulation.program
        self._trigger = program.journey.enter.on
        self._asked = asked_by(program, simulation.segments, models, beside)
        self._of_person = _without(self._asked.profile, "profile", facts)
        self._of_trigger = _without(self._asked.trigger, "event", facts)
        self._topics = tuple(topics)
        self._calls = [step for step in program.steps.values() if isinstance(step, Call)]
        heard = [listener for listener in program.listeners() if listener.send_id is None]
        self._heard = {each.event: habits.chances.get(each.event, habits.happens) for each in heard}
        self._heeded = {send: sorted(kinds) for send, kinds in self._asked.engagement.items()}

    def live(self, tally: Tally) -> None:
        """Draw a life, walk it through the journey, and count it."""
        person = self.person()
        tally.add(person, self.simulation.live(person, self.timeline(person), self.respond))

    def person(self) -> Person:
        """Return someone whom the journey lets in.

        Raises:
            NotFound: nobody of many is let in.
        """
        for _ in range(TRIES):
            person = self._anyone()
            for _ in range(TRIGGERS):
                if enters(self.simulation, person):
                    return person
                self._draw_trigger(person)
        raise NotFound(f"of {TRIES} made-up people the journey's filter lets none in; say what it asks for, such as --given event.price=50")

    def _anyone(self) -> Person:
        random = self._random
        start = START + ARRIVALS * random.random()
        person = given(self._trigger, self._facts, start, self._zone)
        start = person.trigger.time
        person.subject = f"{random.getrandbits(64):x}"
        self._draw(self._of_person, person.profile)
        self._draw_trigger(person)
        if "history" not in self._facts:
            for name, values in self._asked.events.items():
                while random.random() < self.habits.past:
                    ago = timedelta(seconds=SHORTEST_AGO_SECONDS * exp(random.random() * LOG_OF_AGES))
                    person.history.append(EventFact(name, start - ago, self._draw(values, {}) if values else {}))
            person.history.sort(key=attrgetter("time"))
        for step in self._calls:
            self._draw_answer(step, person)
        person.post.topics = {topic: False for topic in self._topics if random.random() < self.habits.declined}
        return person

    def _draw_answer(self, step: Call, person: Person) -> None:
        name = step.keep or step.call
        if not any(fact.startswith(f"call.{name}") for fact in self._facts):
            failed = self._random.random() < self.habits.failed
            person.calls[name] = {"failed": True} if failed else self._draw(self._asked.calls.get(name, {}), {})

    def _draw_trigger(self, person: Person) -> None:
        properties = dict(person.trigger.properties)
        self._draw(self._of_trigger, properties)
        person.trigger = EventFact(self._trigger, person.trigger.time, properties)

    def timeline(self, person: Person) -> Iterator[Happened]:
        """Draw what someone does after the entry, messages aside."""
        random, number = self._random, 0
        for name, chance in self._heard.items():
            while random.random() < chance:
                number += 1
                time = person.trigger.time + self.habits.within * (random.random() ** 2)
                yield Happened(f"event-{number}", name, ENTRY_ID, time, self._draw(self._asked.events[name], {}))

    def respond(self, send: str, now: datetime) -> Iterator[Happened]:
        """Draw what someone does about a message; only what the journey heeds."""
        random = self._random
        delivered = random.random() < self.habits.delivered
        for kind in self._heeded.get(send, ()):
            after = timedelta(minutes=MINUTES_TO_DELIVER)
            if kind in ("delivered", "bounced"):
                happens = delivered is (kind == "delivered")
            else:
                happens = delivered and random.random() < getattr(self.habits, kind)
                after += timedelta(hours=random.expovariate(1 / HOURS_TO_REACT)) if happens else timedelta()
            if happens:
                yield Happened(f"{send}.{kind}", ENGAGEMENT[kind], ENTRY_ID, now + after, {}, ENTRY_ID, send)

    def _draw(self, asked: Values, into: dict[str, Any]) -> dict[str, Any]:
        for path, against in asked.items():
            put(into, path, self._value(against))
        return into

    def _value(self, against: list[Value]) -> Value:
        random = self._random
        like = random.choice(against) if against else TYPICAL_NUMBER
        if isinstance(like, bool):
            return random.random() < 0.5
        if isinstance(like, str):
            return "something else" if random.random() < OTHER_WORD else like
        return round((like or 1) * random.lognormvariate(0, SPREAD), 2)


def _without(asked: Values, root: str, facts: Mapping[str, Any]) -> Values:
    """Return what is asked but for what holds for everyone."""
    return {path: against for path, against in asked.items() if f"{root}.{path}" not in facts}
