"""Two people on one journey turn out to be one while both workflows sleep, and router and worker are killed meanwhile (P24)."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from mail_sink import Mails, mail_sink
from stack import ROOT, Stack, running, until
from temporalio.client import Client

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

JOURNEY = """
journey: {name}
owner: tests@shop.example
purpose: marketing
description: A cart that was left, and one mail about it.
enter: {{on: Product Added, key: event.cart_id, again_after: 7d}}
goal: {{on: Order Completed, within: 7d, value: event.revenue}}
steps:
{sleeps}
  - send: {content}
    id: reminder
  - wait: 3s
  - end: done
examples:
  - {{name: left, events: {{20s: Time Is Up}}, expect: [send {content}, done]}}
"""
# Asleep before its first task, where it is terminated; and asleep in a later wait, where it is told by a signal.
DELAYED = "  - wait: 90s"
WAITING = """
  - wait: 1s
  - if: did("Product Added")
    then:
      - wait_for: Time Is Up
        up_to: 1h
        then: []
"""
JOURNEYS = {"delayed": (DELAYED, "first"), "waiting": (WAITING, "second")}
PEOPLE = 4  # of each moment; each walks both journeys twice

OUTCOMES = (
    "select i.value, e.journey, e.outcome, e.goal_value from entries e "
    "join identifiers i on i.profile_id = e.profile_id and i.kind = 'user_id'"
)
UNDER_WAY = "select count(*) from entries where run_id is not null"
LATER_WAIT = "select count(distinct e.id) from decisions d join entries e on e.id = d.entry_id where e.journey = 'waiting'"
TOLD = "select count(*) from entries where outcome = 'merged'"
NOT_ANSWERED = "select count(*) from outbox where kind = 'merged'"


@pytest.fixture
def mails() -> Iterator[tuple[Mails, str]]:
    with mail_sink() as sink:
        yield sink


class Group:
    """Some people who fill one cart twice: once as who they are, and once as a visitor of whom nobody knows that yet."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        self.names = [f"{name}-{number}" for number in range(PEOPLE)]

    def fill_carts(self) -> None:
        """Let half of them be known first, and half be a visitor first."""
        put = datetime.now(UTC) - timedelta(seconds=4)
        for number, who in enumerate(self.names):
            known, visitor = {"userId": who}, {"anonymousId": f"visitor-{who}"}
            for later, bearer in enumerate([known, visitor] if number % 2 else [visitor, known]):
                at = {"timestamp": (put + timedelta(seconds=later)).isoformat()}
                traits = {"email": f"{next(iter(bearer.values()))}@x.example"}
                self.send({"type": "identify", **bearer, "traits": traits, "context": CONSENT, **at})
                self.send({"type": "track", **bearer, "event": "Product Added", "properties": {"cart_id": f"cart-{who}"}, **at})

    def meet(self) -> None:
        """Have it turn out who the visitors are, by what a site sends at a log-in."""
        self.send(*({"type": "identify", "userId": who, "anonymousId": f"visitor-{who}"} for who in self.names))

    def track(self, event: str, **properties: Any) -> None:
        self.send(*({"type": "track", "userId": who, "event": event, "properties": properties} for who in self.names))

    def send(self, *calls: dict[str, Any]) -> None:
        with self.stack.http as http:
            assert http.post("/v1/batch", json={"batch": list(calls)}).status_code == 200


CONSENT = {"consent": {"categoryPreferences": {"marketing": True}}}


class Moments:
    """At which router and worker are killed while people meet; each proves that it struck then."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def before_it_is_heard(self, meet: Callable[[], None]) -> None:
        """Nobody is there to hear of it."""
        self.kill("router", "worker")
        meet()
        assert self.count(TOLD) == 0

    def while_temporal_is_told(self, meet: Callable[[], None]) -> None:
        """It is decided in the store, and Temporal has not answered."""
        temporal = self.stack.pid_of("temporal")
        before = self.count(TOLD)
        os.kill(temporal, signal.SIGSTOP)
        try:
            meet()
            until(lambda: self.count(TOLD) == before + 2 * PEOPLE, 30, "the merges")
            time.sleep(0.3)  # some calls are on their way
            assert self.count(NOT_ANSWERED) == 2 * PEOPLE
            self.kill("router")
        finally:
            os.kill(temporal, signal.SIGCONT)

    def before_workflows_hear_of_it(self, meet: Callable[[], None]) -> None:
        """Temporal keeps the signals for a worker that is gone."""
        before = self.count(TOLD)
        worker = psutil.Process(self.stack.pid_of("worker"))
        worker.suspend()
        meet()
        until(lambda: self.count(TOLD) == before + 2 * PEOPLE and self.count(NOT_ANSWERED) == 0, 30, "Temporal's answers")
        worker.kill()

    def as_soon_as_it_is_told(self, meet: Callable[[], None]) -> None:
        """Both die in the middle of what follows."""
        before = self.count(TOLD)
        meet()
        until(lambda: self.count(TOLD) > before, 30, "the first merge")
        self.kill("router", "worker")

    def kill(self, *roles: str) -> None:
        processes = [psutil.Process(self.stack.pid_of(role)) for role in roles]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, 10)

    def count(self, query: str) -> int:
        return int(self.stack.rows(query)[0][0])


MOMENTS = (
    Moments.before_it_is_heard,
    Moments.while_temporal_is_told,
    Moments.before_workflows_hear_of_it,
    Moments.as_soon_as_it_is_told,
)


def test_people_who_meet_in_mid_journey_are_mailed_once_whenever_router_and_worker_are_killed(
    mails: tuple[Mails, str], tmp_path: Path
) -> None:
    got, url = mails
    with running(tmp_path / "var", "--smtp-url", url, "--journeys-dir", str(folder(tmp_path))) as stack:
        moments, groups = Moments(stack), {moment: Group(stack, moment.__name__) for moment in MOMENTS}
        people = [who for group in groups.values() for who in group.names]
        for group in groups.values():
            group.fill_carts()
        until(lambda: moments.count(UNDER_WAY) == 4 * len(people), 40, "two entries on each journey for each")
        until(lambda: moments.count(LATER_WAIT) == 2 * len(people), 20, "that the later wait has begun")
        for number, (moment, group) in enumerate(groups.items(), 1):
            moment(moments, group.meet)
            until(lambda n=number: moments.count(TOLD) == 2 * PEOPLE * n and moments.count(NOT_ANSWERED) == 0, 60, moment.__name__)
            until(lambda: stack.runs("router") and stack.runs("worker"), 30, "both roles")
            assert got.got == [], "the machine is too slow for this test: someone was mailed before all had met"
        for group in groups.values():
            group.track("Time Is Up")
        until(lambda: stack.rows("select count(*) from entries where outcome = 'done'") == [(2 * len(people),)], 120, "the ends")
        for group in groups.values():
            group.track("Order Completed", revenue=60)
        until(lambda: moments.count("select count(*) from entries where goal_at is not null") >= 2 * len(people), 30, "the goals")
        until(lambda: open_workflows(stack) == 0, 30, "the end of all workflows")

        entries = Counter(stack.rows(OUTCOMES))
        assert entries == {(who, name, *end): 1 for who in people for name in JOURNEYS for end in [("done", 60), ("merged", None)]}
        assert Counter(mailed(got.got, people)) == {(who, subject): 1 for who in people for subject in ("The first", "The second")}
        left = "select s.state, count(*) from sends s join entries e on e.id = s.entry_id where e.outcome = 'merged' group by s.state"
        assert {state for state, _ in stack.rows(left)} <= {"suppressed"}
        assert stack.rows("select count(*) from sends where state = 'accepted'") == [(2 * len(people),)]


def mailed(got: Sequence[tuple[str, str]], people: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give the mails, each under the name of whom it reached, whatever address that was."""
    for address, subject in got:
        who = address.partition("@")[0].removeprefix("visitor-")
        assert who in people
        yield who, subject


def open_workflows(stack: Stack) -> int:
    async def count() -> int:
        client = await Client.connect(stack.temporal)
        return (await client.count_workflows("ExecutionStatus = 'Running'")).count

    return asyncio.run(count())


def folder(tmp_path: Path) -> Path:
    journeys = tmp_path / "journeys"
    shutil.copytree(ROOT / "tests/real/journeys_faults", journeys)
    (journeys / "faults.yaml").unlink()
    for name, (sleeps, content) in JOURNEYS.items():
        (journeys / f"{name}.yaml").write_text(JOURNEY.format(name=name, sleeps=sleeps, content=content))
    return journeys
