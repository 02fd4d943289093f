"""Simulated journeys a second, one core: `python -m bench.simulate [--people N] [--profile JOURNEY]`.

For each shipped journey the median of five runs, made-up lives included; one line of JSON each.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from sojourn.language.conditions import parse
from sojourn.language.loader import load
from sojourn.language.moments import zone_named
from sojourn.prediction import Models
from sojourn.travel.lives import Habits, Lives
from sojourn.travel.program import Program
from sojourn.travel.simulation import Simulation, asking
from sojourn.travel.tally import Tally

FOLDER = Path(__file__).parents[1] / "journeys"
RUNS = 5


def lives_of(name: str, seed: int) -> Lives:
    """Return lives for one of the shipped journeys."""
    found = load(FOLDER)
    models = Models.load(FOLDER)
    segments = {segment.name: parse(segment.members) for segment in found.segments.values()}
    simulation = Simulation(Program(found.journeys[name]), segments, asking(models), because=False)
    return Lives(simulation, models, Habits(), {}, zone_named(found.shop.zone), seed)


def walk(lives: Lives, people: int) -> None:
    """Walk so many people through the journey."""
    tally = Tally()
    for _ in range(people):
        lives.live(tally)


def measure(name: str, people: int) -> dict[str, object]:
    """Return the median rate of one journey, by wall clock and by the processor's time (what a core of one's own gives)."""
    wall, cpu = [], []
    for seed in range(RUNS):
        lives = lives_of(name, seed)
        began, busy = perf_counter(), process_time()
        walk(lives, people)
        wall.append(people / (perf_counter() - began))
        cpu.append(people / (process_time() - busy))
    rate, rate_cpu = round(median(wall)), round(median(cpu))
    return {"bench": "simulate", "journey": name, "people": people, "runs": RUNS, "journeys_per_s": rate, "journeys_per_cpu_s": rate_cpu}


def main() -> None:
    """Measure, or profile one journey."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--profile", metavar="JOURNEY")
    options = parser.parse_args()
    if options.profile:
        lives = lives_of(options.profile, 1)
        walk(lives, 100)
        profile = cProfile.Profile()
        profile.runcall(walk, lives, options.people)
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
        return
    for name in ("cart_abandonment", "onboarding", "reengagement"):
        print(json.dumps(measure(name, options.people)))


if __name__ == "__main__":
    main()
