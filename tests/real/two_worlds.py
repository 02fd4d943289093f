"""A case that both Worlds walk: a journey, a person, a timeline. Shared by the test and the process that owns Temporal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel

from sojourn.language.conditions import Facts, parse
from sojourn.language.model import Journey
from sojourn.language.moments import zone_named
from sojourn.travel.examples import given
from sojourn.travel.listening import Happened
from sojourn.travel.program import Program
from sojourn.travel.simulation import Person, Simulation, happening
from sojourn.travel.state import Trail

SEGMENTS = {"big": parse("event.n >= 3 or count('B') >= 2".replace("'", '"')), "busy": parse('count("A", within="6h") >= 2')}


class Case(BaseModel):
    """What is walked."""

    journey: dict[str, Any]
    start: AwareDatetime
    zone: str = "UTC"
    given: dict[str, Any] = {}
    timeline: list[tuple[float, str, dict[str, Any]]] = []  # minutes after entry, name, properties
    repeated: bool = False  # deliver every signal twice
    max_history: int | None = None  # continue as new at this many events

    def simulation(self) -> Simulation:
        return Simulation(Program(Journey.model_validate(self.journey)), SEGMENTS, _score)

    def person(self, simulation: Simulation) -> Person:
        return given(simulation.program.journey.enter.on, self.given, self.start, zone_named(self.zone))

    def events(self) -> list[Happened]:
        return [
            happening(name, properties, self.start, timedelta(minutes=minutes), i)
            for i, (minutes, name, properties) in enumerate(sorted(self.timeline, key=lambda event: event[0]))
        ]


class Walked(BaseModel):
    """What came of it."""

    outcome: str
    trail: list[Trail]
    sent: list[str]
    runs: int = 1

    def steps(self) -> list[tuple[str, str, str | None, str]]:
        return [(line.cursor, line.did, line.took, line.because) for line in self.trail]

    def moments(self) -> list[datetime]:
        return [line.at for line in self.trail]


def walk_virtually(case: Case) -> Walked:
    simulation = case.simulation()
    person = case.person(simulation)
    state = simulation.live(person, case.events())
    return Walked(outcome=state.outcome or "", trail=state.trail, sent=person.sent)


def _score(model: str, facts: Facts) -> tuple[float, str]:
    return 0.5, "as every time"
