"""Records histories of the shipped journeys from real runs on Temporal's development server: every example is a path.

    python tests/record_histories.py      adds to tests/histories what is not there yet
    python tests/record_histories.py --out DIR [--journey NAME] [--example TEXT] [--no-delay]

A history is named by journey, version of the definition and example. Old ones stay: entries begun under
them are still on their way, and today's code must replay them. A process of its own, since it owns a
server and a worker (temporal.md, 10).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from temporalio import activity

from sojourn.clock import TimeScale
from sojourn.embedded import answers, free_port, temporal_part
from sojourn.intake.outbox import StartCall
from sojourn.intake.routing import Entry, Quit, Tell, concern, workflow_id
from sojourn.language.conditions import EventFact
from sojourn.language.durations import parse_duration
from sojourn.language.loader import load
from sojourn.language.model import Example, Wait
from sojourn.language.moments import zone_named
from sojourn.prediction import Models
from sojourn.travel.examples import person_of
from sojourn.travel.judge import assignments
from sojourn.travel.listening import Happened
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.simulation import Person, Simulation, asking
from sojourn.travel.state import Advance, Progress
from workflows import names
from workflows.client import JourneyCalls
from workflows.runtime import connect, ensure_search_attributes, make_worker

ROOT = Path(__file__).parents[1]
HISTORIES = ROOT / "tests" / "histories"
HOUR = 0.1  # seconds that an hour of the shop takes at first
SETTLE = 0.05  # seconds until a sent message's activity is over
TRIES = 4  # a path that a busy machine made come out otherwise is walked again, at half the speed


def file_name(definition: Definition, example: Example) -> str:
    """Return what an example's history is called."""
    slug = re.sub(r"[^a-z0-9]+", "-", example.name.lower()).strip("-")
    return f"{definition.journey.name}.{definition.version[:8]}.{slug}.json"


def without_origin(history: str) -> str:
    """Return a history on one line, that does not say on which machine it was made."""
    return re.sub(r'"(identity|workerName)":\s*"[^"]*"', r'"\1": "recorder"', json.dumps(json.loads(history), separators=(",", ":")))


@dataclass
class Walk:
    """One entry on the server."""

    simulation: Simulation
    person: Person
    scale: TimeScale


class Recorder:
    """Walks examples on a server, and keeps their histories."""

    def __init__(self, calls: JourneyCalls, registry: Registry, models: Models, *, delay: bool, hour: float) -> None:
        self.calls, self.registry, self.models, self.delay, self.hour = calls, registry, models, delay, hour
        self.walks: dict[str, Walk] = {}

    @activity.defn(name=names.DECIDE)
    async def decide(self, ask: Advance) -> Progress:
        return await self._advance(ask)

    @activity.defn(name=names.SEND)
    async def send(self, ask: Advance) -> Progress:
        return await self._advance(ask)

    async def _advance(self, ask: Advance) -> Progress:
        walk = self.walks[ask.entry_id]
        return walk.simulation.advance(walk.person, ask, walk.scale.to_shop(datetime.now(UTC)))

    async def record(self, definition: Definition, example: Example, out: Path) -> None:
        """Walk an example until it comes out as it says, and write its history."""
        for attempt in range(TRIES):
            happened, history = await self._walk(definition, example, self.hour * 2**attempt)
            if happened == example.expect:
                (out / file_name(definition, example)).write_text(without_origin(history) + "\n", encoding="utf-8")
                return
        raise AssertionError(f"{definition.journey.name}: {example.name}: expected {example.expect}, happened {happened}")

    async def _walk(self, definition: Definition, example: Example, hour: float) -> tuple[tuple[str, ...], str]:
        simulation = Simulation(definition.program, self.registry.segments, asking(self.models))
        person, timeline = person_of(definition.program, example, zone_named(self.registry.shop.zone))
        person.history.append(person.trigger)
        scale = TimeScale(scale=3600 / hour, real_origin=datetime.now(UTC), shop_origin=person.trigger.time)
        entry = self._entry(definition, person)
        self.walks[entry.id] = Walk(simulation, person, scale)
        call = StartCall(
            entry_id=entry.id, profile_id=entry.profile_id, version=entry.version, entered_at=entry.started_at,
            delayed_until=entry.delayed_until, variants=assignments(definition.program, entry.profile_id),
        )  # fmt: skip
        calls = replace(self.calls, scale=scale)
        delay = scale.real_duration(entry.delayed_until - entry.started_at) if entry.delayed_until else timedelta()
        await calls.start(entry.workflow_id, call, definition, delay)
        outcome: str | None = None
        for event in timeline:
            await asyncio.sleep(max(0.0, (scale.to_real(event.time) - datetime.now(UTC)).total_seconds()))
            while event.send_id is not None and event.send_id not in person.engaged:
                await asyncio.sleep(SETTLE)  # nobody follows a message that has not been sent
            await asyncio.sleep(SETTLE if event.send_id is not None else 0)
            quit_ = await self._tell(calls, entry, replace(event, send_entry_id=entry.id if event.send_id else None))
            outcome = quit_.outcome if quit_ is not None and quit_.dormant else outcome
        handle = self.calls.client.get_workflow_handle(entry.workflow_id)
        if outcome is None:
            outcome = (await handle.result())["outcome"]
        return (*(f"send {content}" for content in person.sent), outcome), (await handle.fetch_history()).to_json()

    def _entry(self, definition: Definition, person: Person) -> Entry:
        first = definition.journey.steps[0]
        profile, start = str(uuid4()), person.trigger.time
        delayed = start + parse_duration(first.wait) if self.delay and isinstance(first, Wait) else None
        workflow = workflow_id(definition.journey.name, profile, "")
        return Entry(str(uuid4()), definition.journey.name, definition.version, profile, "", workflow, start, delayed, running=True)

    async def _tell(self, calls: JourneyCalls, entry: Entry, event: Happened) -> Quit | None:
        walk = self.walks[entry.id]
        walk.simulation.hears(walk.person, event)
        fact = EventFact(event.name, event.time, event.properties)
        found = concern(event, self.registry, [entry], lambda condition, _: walk.simulation.holds(condition, walk.person, fact))
        quit_ = None
        for decision in found:
            if isinstance(decision, Quit) and decision.dormant:
                await calls.terminate(entry.workflow_id, None, decision.outcome)
            elif isinstance(decision, Quit | Tell):
                await calls.signal(entry.workflow_id, decision.arrived)
            quit_ = decision if isinstance(decision, Quit) else quit_
        return quit_


async def run(address: str, options: argparse.Namespace) -> None:
    """Record what is asked for."""
    client = await connect(address, "default")
    await ensure_search_attributes(client)
    journeys = ROOT / "journeys"
    registry = Registry(load(journeys))
    recorder = Recorder(JourneyCalls(client), registry, Models.load(journeys), delay=not options.no_delay, hour=options.hour)
    wanted = [
        (definition, example)
        for name, definition in registry.live.items()
        for example in definition.journey.examples
        if options.journey in (None, name) and (options.example or "") in example.name
    ]
    missing = [each for each in wanted if not (options.out / file_name(*each)).exists()]
    async with make_worker(client, [recorder.decide, recorder.send]):
        await asyncio.gather(*(recorder.record(*each, options.out) for each in missing))
    print(f"recorded {len(missing)} histories; {len(wanted) - len(missing)} were there")


def main() -> int:
    """Start a server, record, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HISTORIES)
    parser.add_argument("--journey")
    parser.add_argument("--example")
    parser.add_argument("--no-delay", action="store_true", help="start at once, with the first wait as a timer")
    parser.add_argument("--hour", type=float, default=HOUR, help="seconds that an hour of the shop takes at first")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        part = temporal_part(Path(folder), port, free_port(), "default", None)
        server = subprocess.Popen(part.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while not answers("127.0.0.1", port):
                assert server.poll() is None, "Temporal's development server did not start"
            asyncio.run(run(f"127.0.0.1:{port}", options))
        except BaseException:
            traceback.print_exc()
            return 1
        finally:
            server.terminate()
            server.wait(10)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
