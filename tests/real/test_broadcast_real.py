"""A broadcast on the real development server: scheduled and paused by its commands, its worker killed, everyone sent to once."""

from __future__ import annotations

import asyncio
import csv
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stack import ROOT, Stack, running, until
from temporalio.client import Client

from sojourn.launch import PYTHON
from sojourn.store.types import from_micros
from sojourn.timekeeping import read_clock

pytestmark = pytest.mark.real

PEOPLE = 1_800
HEEDED_S = 2.0
BROADCAST = """
broadcast: news
description: News for all.
to: profile.plan == "gold"
content: news
at: {at}
throttle: 3600 per minute
"""
CONTENT = """---
subject: News for {{ profile.first_name | default("you") }}
---
<mjml><mj-body><mj-section><mj-column><mj-text>News. {{ shop.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a>
</mj-text></mj-column></mj-section></mj-body></mjml>
"""
SHOP = """
name: Shop
sender: {name: Shop, address: hello@shop.example}
postal_address: Here 1
consent: {marketing: {required: false}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "journeys"
    (folder / "content").mkdir(parents=True)
    (folder / "broadcasts").mkdir()
    (folder / "shop.yaml").write_text(SHOP)
    (folder / "content/news.mjml").write_text(CONTENT)
    (folder / "broadcasts/news.yaml").write_text(BROADCAST.format(at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M")))
    return folder


@pytest.fixture
def stack(tmp_path: Path, folder: Path) -> Iterator[Stack]:
    with running(tmp_path / "var", environment={"SOJOURN_JOURNEYS_DIR": str(folder)}) as stack:
        yield stack


def command(stack: Stack, folder: Path, *words: str) -> str:
    """Run a command as a person would, and return what it said."""
    environment = os.environ | {"SOJOURN_JOURNEYS_DIR": str(folder), "SOJOURN_DATA_DIR": str(stack.data_dir)}
    done = subprocess.run([*PYTHON, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_broadcast_is_paused_at_once_survives_its_workers_death_and_reaches_everyone_once(
    stack: Stack, folder: Path, tmp_path: Path
) -> None:
    people = tmp_path / "people.csv"
    with people.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "email", "first_name", "plan"])
        rows.writerows([f"u{i}", f"u{i}@customer.example", "Ada", "gold" if i % 3 else "tin"] for i in range(PEOPLE))
    command(stack, folder, "import", "profiles", str(people))
    wanted = {f"u{i}@customer.example" for i in range(PEOPLE) if i % 3}
    said = command(stack, folder, "broadcast", "schedule", "news", "--yes", "--journeys", str(folder))
    assert f"to {len(wanted):,} of {PEOPLE:,} people" in said

    until(lambda: accepted(stack) > 50, what="the first messages")
    command(stack, folder, "broadcast", "pause", "news", "--because", "a wrong price")
    time.sleep(HEEDED_S)
    at_pause = accepted(stack)
    assert at_pause < len(wanted), "it was over before it could be paused"
    time.sleep(2)  # nothing more goes out: only time can show it
    assert accepted(stack) == at_pause
    command(stack, folder, "broadcast", "resume", "news")
    until(lambda: accepted(stack) > at_pause + 50, what="more messages")
    stack.kill("worker")
    until(lambda: stack.rows("select state from broadcasts") == [("done",)], 120, "the end of the broadcast")

    got = Counter(re.search(r"<?([^<>]+@customer\.example)", mail["To"])[1] for mail in stack.mails())  # type: ignore[index]
    assert set(got.values()) == {1}
    assert set(got) == wanted
    assert stack.rows("select state, count(*) from broadcast_recipients group by state") == [("accepted", len(wanted))]
    assert "done" in command(stack, folder, "broadcast", "show", "news")
    assert asyncio.run(history_length(stack)) < 500


@pytest.mark.exhaustive
def test_resumed_before_its_moment_a_broadcast_still_waits_for_it(tmp_path: Path, folder: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("id,email,plan\nada,ada@customer.example,gold\n")
    with running(tmp_path / "fast", "--time-scale", "60", environment={"SOJOURN_JOURNEYS_DIR": str(folder)}) as stack:
        command(stack, folder, "import", "profiles", str(people))
        now = read_clock(stack.data_dir).now()
        at = (now + timedelta(minutes=40)).replace(second=0, microsecond=0)  # 40 s of ours, for three commands
        (folder / "broadcasts/news.yaml").write_text(BROADCAST.format(at=at.strftime("%Y-%m-%d %H:%M")))
        command(stack, folder, "broadcast", "schedule", "news", "--yes", "--journeys", str(folder))
        command(stack, folder, "broadcast", "pause", "news", "--because", "a wrong price")
        command(stack, folder, "broadcast", "resume", "news")
        until(lambda: accepted(stack) == 1, 90, "the message")
        sent, state = stack.rows("select claimed_at, state from sends")[0]
        assert state == "accepted"
        assert from_micros(sent) >= at


def accepted(stack: Stack) -> int:
    return int(stack.rows("select count(*) from sends where state = 'accepted'")[0][0])


async def history_length(stack: Stack) -> int:
    client = await Client.connect(stack.temporal)
    found = [one async for one in client.list_workflows("WorkflowType = 'Broadcast'")]
    assert len(found) == 1
    handle = client.get_workflow_handle(found[0].id)
    return len([event async for event in handle.fetch_history_events()])
