"""A store, or Temporal, is put back to an earlier moment under real servers: nobody is mailed twice, and nothing stands still."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from mail_sink import Mails, mail_sink
from stack import ROOT, Stack, running, until
from temporalio.client import Client

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

JOURNEY = """
journey: pair
owner: tests@shop.example
purpose: marketing
description: Two mails, and a long wait between them.
enter: {on: Cart Started}
leave: [{on: Order Completed, as: purchased}]
steps:
  - send: first
  - wait: %s
  - send: second
  - wait: 1h
  - end: done
examples:
  - {name: both, expect: [send first, send second, done]}
"""


@pytest.fixture
def mails() -> Iterator[tuple[Mails, str]]:
    with mail_sink() as sink:
        yield sink


@pytest.fixture
def journeys(tmp_path: Path) -> Callable[[str], Path]:
    def make(wait: str) -> Path:
        folder = tmp_path / "journeys"
        shutil.copytree(ROOT / "tests/real/journeys_faults", folder)
        (folder / "faults.yaml").unlink()
        (folder / "pair.yaml").write_text(JOURNEY % wait)
        return folder

    return make


BROADCAST = """
broadcast: news
description: News for all who began a cart.
to: did("Cart Started")
content: first
at: 2099-01-05 09:00
"""


def begin(stack: Stack, people: Sequence[str], *, timestamps: bool = True) -> list[dict[str, Any]]:
    """Let people in by events of fixed message ids; return the events, to be sent again."""
    at = {"timestamp": datetime.now(UTC).isoformat()} if timestamps else {}
    batch: list[dict[str, Any]] = []
    for who in people:
        batch.append({"type": "identify", "messageId": f"i-{who}", "userId": who, "traits": {"email": f"{who}@x.example"}, **at})
        consent = {"consent": {"marketing": True}}
        batch.append({"type": "track", "messageId": f"s-{who}", "userId": who, "event": "Subscribed", "properties": consent, **at})
        batch.append({"type": "track", "messageId": f"c-{who}", "userId": who, "event": "Cart Started", "context": consent, **at})
    again(stack, batch)
    return batch


def again(stack: Stack, batch: Sequence[dict[str, Any]]) -> None:
    with stack.http as http:
        assert http.post("/v1/batch", json={"batch": list(batch)}).status_code == 200


def health(stack: Stack) -> dict[str, Any]:
    answer = httpx.get(f"{stack.url}/api/health", headers={"authorization": f"Bearer {stack.admin_token}"}, timeout=10)
    found: dict[str, Any] = answer.json()
    return found


def sojourn(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "worker", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def schedule(stack: Stack, folder: Path) -> None:
    """Have a broadcast wait for its moment."""
    (folder / "broadcasts").mkdir(exist_ok=True)
    (folder / "broadcasts/news.yaml").write_text(BROADCAST)
    sojourn("broadcast", "schedule", "news", "--yes", "--journeys", str(folder), "--data-dir", str(stack.data_dir))


def open_workflows(stack: Stack) -> int:
    async def count() -> int:
        client = await Client.connect(stack.temporal)
        return (await client.count_workflows("ExecutionStatus = 'Running'")).count

    return asyncio.run(count())


def states(stack: Stack, people: Sequence[str]) -> Counter[str]:
    query = "select i.value, s.state from sends s join identifiers i on i.profile_id = s.profile_id where i.kind = 'user_id'"
    return Counter(state for who, state in stack.rows(query) if who in people)


@pytest.mark.parametrize("timestamps", [True, pytest.param(False, marks=pytest.mark.exhaustive)])
def test_a_store_older_than_temporal_mails_nobody_twice_and_leaves_no_workflow_behind(
    timestamps: bool, mails: tuple[Mails, str], journeys: Callable[[str], Path], tmp_path: Path
) -> None:
    got, url = mails
    data, flags = tmp_path / "var", ("--smtp-url", url, "--journeys-dir", str(journeys("1h")))
    old, new = [f"old{n}" for n in range(3)], [f"new{n}" for n in range(5)]
    with running(data, *flags) as stack:
        begin(stack, old)
        until(lambda: got.to(old) == 3, 60, "the first mails")
        until(lambda: states(stack, old) == {"accepted": 3}, 10, "their settlement")
        sojourn("db", "backup", str(tmp_path / "b.db"), "--data-dir", str(data))
        sent_again = begin(stack, new, timestamps=timestamps)
        until(lambda: got.to(new) == 5, 60, "the later mails")
    sojourn("db", "restore", str(tmp_path / "b.db"), "--replace", "--data-dir", str(data))
    for path in (data / "logs").glob("*.log"):
        path.unlink()
    with running(data, *flags) as stack:
        until(lambda: open_workflows(stack) == 3, 60, "the end of the orphans")
        part = until(lambda: (part := health(stack)["parts"]["workflows"])["state"] == "late" and part, 20, "health to say so")
        assert "5 workflows whose entry the store does not know were ended" in part["detail"]
        assert health(stack)["status"] == "degraded"
        until(lambda: "entries and workflows did not fit: 5 workflows" in " ".join(stack.said.split()), 30, "`up` to say so")
        again(stack, sent_again)
        until(lambda: states(stack, new) == {"unknown": 5}, 60, "that the sends are in doubt")
        assert stack.rows("select count(*) from entries where state = 'running'") == [(8,)], "the journeys go on"
        because = {reason for (reason,) in stack.rows("select reason from sends where state = 'unknown'")}
        assert all("restored" in reason for reason in because)
        begin(stack, ["fresh"])
        until(lambda: got.to(["fresh"]) == 1, 30, "a mail of what is new")
        lines = (data / "logs" / "worker.log").read_text().splitlines()
    assert Counter(got.got) == {(f"{who}@x.example", subject): 1 for (address, subject) in got.got for who in [address.partition("@")[0]]}
    assert got.to(old) == 3
    assert got.to(new) == 5
    assert len(lines) < 60, lines[-5:]


def test_a_store_newer_than_temporal_begins_its_entries_anew_where_they_were(
    mails: tuple[Mails, str], journeys: Callable[[str], Path], tmp_path: Path
) -> None:
    got, url = mails
    data, flags = tmp_path / "var", ("--smtp-url", url, "--journeys-dir", str(journeys("15s")))
    old, new = ["old0", "old1"], ["new0", "new1", "new2"]
    with running(data, *flags) as stack:
        begin(stack, old)
        until(lambda: got.to(old) == 4, 60, "both mails of those")
    kept = {path.name: path.read_bytes() for path in data.glob("temporal.db*")}
    assert kept
    with running(data, *flags) as stack:
        begin(stack, new)
        until(lambda: got.to(new) == 3, 60, "their first mails")
        until(lambda: states(stack, new) == {"accepted": 3}, 10, "their settlement")
        purchase = {"type": "track", "messageId": "bought", "userId": "old0", "event": "Order Completed"}
        again(stack, [purchase])
        until(lambda: stack.rows("select count(*) from entries where outcome = 'purchased'") == [(1,)], 20, "a purchase")
    for path in data.glob("temporal.db*"):
        path.unlink()
    for name, content in kept.items():
        (data / name).write_bytes(content)
    with running(data, *flags) as stack:
        until(lambda: got.to(new) == 6, 90, "their second mails")
        part = health(stack)["parts"]["workflows"]
        assert part["state"] == "late"
        assert "3 entries had no workflow and were begun anew" in part["detail"]
        until(lambda: states(stack, new) == {"accepted": 6}, 10, "their settlement")
        assert stack.rows("select count(*) from entries where state = 'running'") == [(4,)]
    assert set(Counter(got.got).values()) == {1}
    assert len(got.got) == 10


@pytest.mark.exhaustive
def test_after_a_restore_a_broadcast_is_over_where_either_the_store_or_temporal_knows_nothing_of_its_going_on(
    mails: tuple[Mails, str], journeys: Callable[[str], Path], tmp_path: Path
) -> None:
    got, url = mails
    folder = journeys("1h")
    data, flags = tmp_path / "var", ("--smtp-url", url, "--journeys-dir", str(folder))
    with running(data, *flags) as stack:
        begin(stack, ["ann"])
        until(lambda: got.to(["ann"]) == 1, 60, "the first mail")
        schedule(stack, folder)
        until(lambda: open_workflows(stack) == 2, 20, "a journey and a broadcast")
        sojourn("db", "backup", str(tmp_path / "b.db"), "--data-dir", str(data))
        sojourn("broadcast", "stop", "news", "--because", "another is better", "--data-dir", str(data))
        until(lambda: open_workflows(stack) == 1, 20, "its end")
        schedule(stack, folder)
        until(lambda: open_workflows(stack) == 2, 20, "another broadcast")
    sojourn("db", "restore", str(tmp_path / "b.db"), "--replace", "--data-dir", str(data))
    with running(data, *flags) as stack:
        part = until(lambda: (part := health(stack)["parts"]["workflows"])["state"] == "late" and part, 30, "health to say so")
        assert "1 workflows of broadcasts that the store does not know, or that were over, were ended" in part["detail"]
        assert "workflow broadcast:news:" in part["detail"]
        until(lambda: open_workflows(stack) == 1, 20, "its end")
        until(lambda: stack.rows("select state from broadcasts") == [("stopped",)], 20, "that the first was stopped, as Temporal knows")
        assert "restored from before" in stack.rows("select because from broadcasts")[0][0]
    assert len(got.got) == 1


@pytest.mark.exhaustive
def test_two_stores_on_one_temporal_end_none_of_each_others_journeys(
    mails: tuple[Mails, str], journeys: Callable[[str], Path], tmp_path: Path
) -> None:
    got, url = mails
    folder = journeys("1h")
    flags = ("--smtp-url", url, "--journeys-dir", str(folder))
    with running(tmp_path / "one", *flags) as stack:
        begin(stack, ["ann", "bob"])
        until(lambda: got.to(["ann", "bob"]) == 2, 60, "the first mails")
        schedule(stack, folder)
        until(lambda: open_workflows(stack) == 3, 10, "two journeys and a broadcast")
        with running(tmp_path / "two", *flags, "--temporal-address", stack.temporal) as other:
            part = until(lambda: (part := health(other)["parts"]["workflows"])["state"] == "late" and part, 30, "health to say so")
            assert "3 open workflows are of another store" in part["detail"]
            assert open_workflows(stack) == 3
        assert stack.rows("select count(*) from entries where state = 'running'") == [(2,)]
