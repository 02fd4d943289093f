"""The peer: Temporal workflows written by hand for one shape each, with activities that do nothing but answer.

    python -m bench.raw ADDRESS     runs their worker

They follow what design measured as the best that is written by hand: an unsandboxed runner, one
local activity for profile, decision, score and rendering, one regular activity that sends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.servers import tell
from workflows import policies
from workflows.runtime import connect

QUEUE = "raw"
OUTCOME = SearchAttributeKey.for_keyword("SojournOutcome")
LIMIT = timedelta(seconds=10)


@dataclass
class Begin:
    """What a hand-written journey is started with."""

    profile_id: str
    dwell: float
    price: float = 45.0


@activity.defn
async def decide(profile_id: str) -> dict[str, Any]:
    """Stand for profile, decision, score and rendering."""
    return {"arm": "reminder", "score": 0.31, "send_key": profile_id}


@activity.defn
async def send(send_key: str) -> str:
    """Stand for the provider; the reader clicks when this is told."""
    tell("sent", send_key)
    return "accepted"


class _Clicked:
    clicked = False

    async def _decide_and_send(self, begin: Begin) -> None:
        decided = await workflow.execute_local_activity(decide, begin.profile_id, start_to_close_timeout=LIMIT)
        await workflow.execute_activity(send, decided["send_key"], start_to_close_timeout=LIMIT)


@workflow.defn
class TimerFirst(_Clicked):
    """Wait, decide and send, wait for the click, say how it ended: 1 local + send."""

    @workflow.run
    async def run(self, begin: Begin) -> str:
        """Walk."""
        await workflow.sleep(begin.dwell)
        await self._decide_and_send(begin)
        timer = asyncio.create_task(workflow.sleep(60))
        await workflow.wait_condition(lambda: self.clicked or timer.done())
        timer.cancel()
        workflow.upsert_search_attributes([OUTCOME.value_set("clicked")])
        return _done("clicked" if self.clicked else "silent")

    @workflow.signal
    def click(self, event_id: str) -> None:
        """Hear of the click."""
        self.clicked = True


@workflow.defn
class StartDelay(_Clicked):
    """The same, its first wait a start delay, and nothing said in search attributes."""

    @workflow.run
    async def run(self, begin: Begin) -> str:
        """Walk."""
        await self._decide_and_send(begin)
        timer = asyncio.create_task(workflow.sleep(60))
        await workflow.wait_condition(lambda: self.clicked or timer.done())
        return _done("clicked" if self.clicked else "silent")

    @workflow.signal
    def click(self, event_id: str) -> None:
        """Hear of the click."""
        self.clicked = True


@workflow.defn
class SendOnly:
    """Start, send, complete."""

    @workflow.run
    async def run(self, begin: Begin) -> str:
        """Walk."""
        await workflow.execute_activity(send, begin.profile_id, start_to_close_timeout=LIMIT)
        return _done("sent")


def _done(outcome: str) -> str:
    if not workflow.unsafe.is_replaying():
        tell("done", workflow.info().workflow_id)
    return outcome


def make_worker(client: Client) -> Worker:
    """Return the worker, with the options of Sojourn's own."""
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[TimerFirst, StartDelay, SendOnly],
        activities=[decide, send],
        workflow_runner=UnsandboxedWorkflowRunner(),
        sticky_queue_schedule_to_start_timeout=policies.STICKY_SCHEDULE_TO_START,
        max_cached_workflows=policies.MAX_CACHED_WORKFLOWS,
        max_concurrent_workflow_tasks=policies.MAX_CONCURRENT_TASKS,
        max_concurrent_activities=policies.MAX_CONCURRENT_SENDS,
        max_concurrent_local_activities=policies.MAX_CONCURRENT_DECISIONS,
    )


async def _main(address: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with make_worker(await connect(address, "default")):
        tell("ready")
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
    os._exit(0)  # the SDK's core may abort at interpreter exit after all work is done
