"""What the interpreter asks of its World, example by example: the sequence that becomes a workflow's commands.

    python tests/unit/travel/fingerprints.py --write      after a change that is meant to change it

A running entry replays its history against this sequence. Where it changes, entries in flight need the
change to be patched, and the stored histories tell whether it was.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

from sojourn.language.conditions import parse
from sojourn.language.durations import format_duration
from sojourn.language.loader import load
from sojourn.language.moments import zone_named
from sojourn.prediction import Models
from sojourn.travel import simulation
from sojourn.travel.examples import person_of
from sojourn.travel.program import Program
from sojourn.travel.simulation import Simulation, asking
from sojourn.travel.state import Advance, Progress
from sojourn.travel.virtual import VirtualEntry

ROOT = Path(__file__).parents[3]
BASELINE = ROOT / "tests" / "histories" / "fingerprints.json"


def fingerprints() -> dict[str, dict[str, list[str]]]:
    """Return the commands of every example of every shipped journey."""
    folder = ROOT / "journeys"
    found, score = load(folder), asking(Models.load(folder))
    segments = {name: parse(segment.members) for name, segment in found.segments.items()}
    zone = zone_named(found.shop.zone)
    told: dict[str, dict[str, list[str]]] = {}
    for name, journey in sorted(found.journeys.items()):
        program = Program(journey)
        for example in journey.examples:
            person, timeline = person_of(program, example, zone)
            commands = told.setdefault(name, {}).setdefault(example.name, [])
            with patch.object(simulation, "VirtualEntry", _listening(commands)):
                Simulation(program, segments, score).live(person, timeline)
    return told


def _listening(commands: list[str]) -> type[VirtualEntry]:
    class Listening(VirtualEntry):
        async def pause(self, until: datetime, wake: Callable[[], bool], summary: str) -> None:
            commands.append(f"timer {format_duration(until - self.now())}: {summary}")
            await super().pause(until, wake, summary)

        async def advance(self, ask: Advance, *, acts: bool, summary: str) -> Progress:
            commands.append(f"{'send' if acts else 'decide'} at {ask.cursor}: {summary}")
            return await super().advance(ask, acts=acts, summary=summary)

    return Listening


if __name__ == "__main__":
    text = json.dumps(fingerprints(), indent=1, ensure_ascii=False) + "\n"
    if "--write" in sys.argv:
        BASELINE.parent.mkdir(exist_ok=True)
        BASELINE.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
