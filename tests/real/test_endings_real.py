"""The router finds a workflow closed before its worker has told how it ended: the true outcome stands in the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from stack import KEYS, ROOT, Stack, free_port, until
from temporalio.client import Client, WorkflowExecutionStatus

from sojourn.embedded import LOCAL, answers, temporal_part
from sojourn.launch import PYTHON

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

JOURNEY = """
journey: glance
owner: tests@shop.example
purpose: transactional
description: Someone looks around for a moment, and no message is sent.
enter: {on: Cart Started}
steps:
  - wait: 1s
  - wait_for: Product Viewed
    up_to: 1s
    then:
      - end: came_back
    else:
      - end: looking_around
examples:
  - {name: nothing, expect: [looking_around]}
"""
ENDING = "select state, outcome, because, ended_by from entries"
LATE = (sys.executable, "-P", str(Path(__file__).with_name("late_endings.py")))


@contextmanager
def process(*command: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A Temporal server, a folder with one journey, and the settings of a Sojourn on them."""
    journeys, port = tmp_path / "journeys", free_port()
    shutil.copytree(ROOT / "tests/real/journeys_faults", journeys)
    (journeys / "faults.yaml").unlink()
    (journeys / "glance.yaml").write_text(JOURNEY)
    temporal = temporal_part(tmp_path, port, free_port(), "default", None)
    with process(*temporal.command, environment={}):
        until(lambda: answers(LOCAL, port), 60, "Temporal")
        yield KEYS | {
            "SOJOURN_DATA_DIR": str(tmp_path / "var"),
            "SOJOURN_JOURNEYS_DIR": str(journeys),
            "SOJOURN_TEMPORAL_ADDRESS": f"{LOCAL}:{port}",
            "SOJOURN_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }


@contextmanager
def roles(house: dict[str, str], *command: str) -> Iterator[Stack]:
    """Run all three roles in one process."""
    port = house["SOJOURN_PORT"]
    with process(*command, environment=house) as running:
        until(lambda: answers(LOCAL, int(port)), 60, "the API")
        data = Path(house["SOJOURN_DATA_DIR"])
        yield Stack(running, data, f"http://{LOCAL}:{port}", KEYS["SOJOURN_WRITE_KEY"], KEYS["SOJOURN_ADMIN_TOKEN"])


def track(stack: Stack, event: str) -> None:
    with stack.http as http:
        assert http.post("/v1/track", json={"userId": "ann", "event": event}).status_code == 200


def status(house: dict[str, str], stack: Stack) -> WorkflowExecutionStatus | None:
    async def ask() -> WorkflowExecutionStatus | None:
        client = await Client.connect(house["SOJOURN_TEMPORAL_ADDRESS"])
        return (await client.get_workflow_handle(stack.rows("select workflow_id from entries")[0][0]).describe()).status

    return asyncio.run(ask())


def router_finds_it_closed(house: dict[str, str], stack: Stack) -> None:
    """Let someone walk to the end, of which the worker says nothing, and have a later event of theirs find nobody there."""
    track(stack, "Cart Started")
    until(lambda: stack.rows("select 1 from entries where run_id is not null"), 30, "the workflow")
    until(lambda: status(house, stack) is WorkflowExecutionStatus.COMPLETED, 30, "its end")
    assert stack.rows(ENDING) == [("running", None, None, None)]
    track(stack, "Product Viewed")  # what it waited for, a moment too late
    until(lambda: ended(stack), 30, "the router's guess")
    assert stack.rows(ENDING) == [("ended", "closed", "its workflow had closed", "guess")]


def ended(stack: Stack, *outcome: str) -> Sequence[tuple[Any, ...]]:
    return [row for row in stack.rows(ENDING) if row[0] == "ended" and (not outcome or row[1] in outcome)]


def test_what_a_worker_tells_late_replaces_that_its_workflow_was_found_closed(house: dict[str, str], tmp_path: Path) -> None:
    may_tell = tmp_path / "may_tell"
    with roles(house, *LATE, str(may_tell)) as stack:
        router_finds_it_closed(house, stack)
        may_tell.touch()
        until(lambda: ended(stack, "looking_around"), 30, "the true outcome")
        assert stack.rows(ENDING) == [("ended", "looking_around", "", "worker")]


def test_what_a_worker_never_told_is_put_right_from_the_workflows_record(house: dict[str, str], tmp_path: Path) -> None:
    with roles(house, *LATE, str(tmp_path / "never")) as stack:
        router_finds_it_closed(house, stack)
    with roles(house, *PYTHON, "all") as stack:
        until(lambda: ended(stack, "looking_around"), 60, "the true outcome")
        assert stack.rows(ENDING) == [("ended", "looking_around", "", None)]
        until(lambda: states(stack) == {"ok"}, 30, "health to hear of all roles from the one process that they are")


def states(stack: Stack) -> set[str]:
    parts = httpx.get(f"{stack.url}/api/health", headers={"authorization": f"Bearer {stack.admin_token}"}, timeout=10).json()["parts"]
    return {parts[role]["state"] for role in ("router", "worker")}
