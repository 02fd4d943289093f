"""P7: entries in flight survive a deployment. Stored histories of every shipped journey replay on today's code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sojourn.language.definitions import version
from sojourn.language.loader import load

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]
HISTORIES = ROOT / "tests" / "histories"
FEWEST = 20  # fewer stored paths than this would prove little


def run(*arguments: str) -> str:
    """Run a script in a process of its own (temporal.md, 10)."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=170)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def replayed(*arguments: str) -> dict[str, str]:
    lines = run(str(ROOT / "tests" / "real" / "replay_histories.py"), str(HISTORIES), *arguments).splitlines()
    found: dict[str, str] = json.loads(next(line for line in lines if line.startswith("{")))
    return found


def history(path: Path) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["events"]
    return events


def kinds(path: Path) -> list[str]:
    return [event["eventType"].removeprefix("EVENT_TYPE_") for event in history(path)]


def test_every_stored_history_replays() -> None:
    found = replayed()
    assert len(found) >= FEWEST
    assert {name: problem for name, problem in found.items() if problem} == {}


@pytest.mark.parametrize("how", ["reorder", "interpreter"])
def test_a_reordered_step_and_a_changed_interpreter_fail(how: str) -> None:
    """The negative control: what ran any step at all cannot be replayed on broken code."""
    found = replayed("--break", how)
    walked = {name for name in found if "ACTIVITY_TASK_SCHEDULED" in kinds(HISTORIES / name)}
    assert len(walked) >= FEWEST // 2
    assert {name for name in walked if "Nondeterminism" not in found[name]} == set()


def test_every_example_of_every_shipped_journey_has_a_history_of_its_version() -> None:
    stored = [path.name.split(".") for path in HISTORIES.glob("*.*.*.json")]
    for name, journey in load(ROOT / "journeys").journeys.items():
        count = sum(1 for parts in stored if parts[0] == name and parts[1] == version(journey)[:8])
        assert count == len(journey.examples), f"{name} has changed: run python tests/record_histories.py and commit what it adds"


def test_no_history_says_where_it_was_made() -> None:
    for path in HISTORIES.glob("*.*.*.json"):
        said = [value for event in history(path) for part in event.values() if isinstance(part, dict) for value in [part.get("identity")]]
        assert {value for value in said if value} <= {"recorder"}, path.name


def record(folder: Path, example: str, *arguments: str) -> list[str]:
    chosen = ("--journey", "cart_abandonment", "--example", example)
    run(str(ROOT / "tests" / "record_histories.py"), "--out", str(folder), *chosen, *arguments)
    (path,) = folder.glob("*.json")
    return kinds(path)


def test_a_purchase_in_the_first_hour_costs_two_events_at_most_four(tmp_path: Path) -> None:
    assert len(record(tmp_path, "bought within the hour")) <= 4


@pytest.mark.parametrize(("start", "most"), [([], 17), (["--no-delay"], 24)], ids=["with a start delay", "with a timer"])
def test_a_cart_with_one_mail_and_a_click_costs_few_events(tmp_path: Path, start: list[str], most: int) -> None:
    # Slow enough that no stall of a busy machine lasts into the shop's evening, where the mail would be held.
    found = record(tmp_path, "follows the reminder", "--hour", "2", *start)
    assert "ACTIVITY_TASK_COMPLETED" in found
    assert "WORKFLOW_EXECUTION_SIGNALED" in found
    assert len(found) <= most, found
