"""Walks cases on Temporal's time-skipping test server: a case a line on standard input, what came of it a line on standard output.

A process of its own, because temporalio may abort when an interpreter that owned a server exits (temporal.md, 10).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from temporalio import activity
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions
from two_worlds import Case, Walked

from sojourn.clock import TimeScale
from sojourn.travel.listening import Happened
from sojourn.travel.simulation import Person, Simulation
from sojourn.travel.state import Advance, Progress
from workflows import names, policies
from workflows.messages import JourneyInput, JourneyResult, Standing
from workflows.runtime import make_worker

# The default sandbox, through which only the limit that a case sets can be seen.
SANDBOX = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows.policies"))
RUNNERS = {"plain": UnsandboxedWorkflowRunner(), "sandboxed": SANDBOX}
USUAL_LIMIT = policies.MAX_HISTORY_EVENTS


class Walk:
    """One entry on the server."""

    def __init__(self, case: Case, scale: TimeScale) -> None:
        self.simulation: Simulation = case.simulation()
        self.person: Person = case.person(self.simulation)
        self.person.history.append(self.person.trigger)
        self.scale = scale
        self.entry_id = str(uuid4())
        self.handle: WorkflowHandle[object, JourneyResult] | None = None


class Durable:
    """The server, its workers, and what walks on it."""

    def __init__(self, env: WorkflowEnvironment) -> None:
        self.env = env
        self.client: Client = env.client
        self.walks: dict[str, Walk] = {}

    @activity.defn(name=names.DECIDE)
    async def decide(self, ask: Advance) -> Progress:
        return await self._advance(ask)

    @activity.defn(name=names.SEND)
    async def send(self, ask: Advance) -> Progress:
        return await self._advance(ask)

    async def _advance(self, ask: Advance) -> Progress:
        walk = self.walks[ask.entry_id]
        return walk.simulation.advance(walk.person, ask, walk.scale.to_shop(await self.env.get_current_time()))

    async def run(self, case: Case) -> dict[str, Walked]:
        """Walk a case on both runners at once."""
        policies.MAX_HISTORY_EVENTS = case.max_history or USUAL_LIMIT
        origin = (await self.env.get_current_time()).astimezone(UTC)
        scale = TimeScale(scale=1.0, real_origin=origin, shop_origin=case.start)
        walks = {runner: Walk(case, scale) for runner in RUNNERS}
        for runner, walk in walks.items():
            self.walks[walk.entry_id] = walk
            journey = walk.simulation.program.journey
            start = JourneyInput(
                entry_id=walk.entry_id, profile_id="simulated", entered_at=case.start,
                definition=journey.model_dump(mode="json", by_alias=True, exclude_defaults=True), time_scale=scale,
            )  # fmt: skip
            walk.handle = await self.client.start_workflow(
                journey.name, start, id=f"journey:{walk.entry_id}", task_queue=runner, result_type=JourneyResult,
                memo={names.MEMO_ENTRY: walk.entry_id},
            )  # fmt: skip
        for event in case.events():
            ahead = scale.to_real(event.time) - await self.env.get_current_time()
            if ahead > timedelta():
                await self.env.sleep(ahead)
            for walk in walks.values():
                await self._tell(walk, event, 2 if case.repeated else 1)
        return {runner: await self._result(walk) for runner, walk in walks.items()}

    async def _tell(self, walk: Walk, event: Happened, times: int) -> None:
        assert walk.handle is not None
        arrived = walk.simulation.hears(walk.person, event)
        if arrived is None:
            return
        arrived = arrived.model_copy(update={"entry_id": walk.entry_id})
        for _ in range(times):
            try:
                await walk.handle.signal(event.name, arrived)
            except RPCError as error:
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    async def _result(self, walk: Walk) -> Walked:
        assert walk.handle is not None
        result = await walk.handle.result()
        standing: Standing = await walk.handle.query(names.PROGRESS, result_type=Standing)
        assert standing.outcome == result.outcome
        runs = 1
        run_id = (await walk.handle.describe()).run_id
        runs += run_id != walk.handle.first_execution_run_id
        return Walked(outcome=result.outcome, trail=standing.path, sent=walk.person.sent, runs=runs)


async def main() -> None:
    beside = str(Path(sys.executable).parent)
    server = shutil.which("temporal-test-server") or shutil.which("temporal-test-server", path=beside)
    env = await WorkflowEnvironment.start_time_skipping(test_server_existing_path=server, data_converter=pydantic_data_converter)
    async with env:
        wanted = AddSearchAttributesRequest(namespace=env.client.namespace)
        for key in names.SEARCH_ATTRIBUTES:
            wanted.search_attributes[key.name] = int(key.indexed_value_type)
        await env.client.operator_service.add_search_attributes(wanted)
        durable = Durable(env)
        activities = [durable.decide, durable.send]
        workers = [make_worker(env.client, activities, runner=runner, task_queue=queue) for queue, runner in RUNNERS.items()]
        async with workers[0], workers[1]:
            print(json.dumps({"ready": datetime.now(UTC).isoformat()}), flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                try:
                    walked = await durable.run(Case.model_validate_json(line))
                    answer = {runner: each.model_dump(mode="json") for runner, each in walked.items()}
                except Exception:
                    answer = {"error": traceback.format_exc()}
                print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
