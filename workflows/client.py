"""The adapter by which journeys are started, signalled and terminated, and broadcasts told of changes.

Each call carries a request id of its own (the entry's, the event's), so that a call repeated after a
crash is recognised by the server and changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from textwrap import shorten
from typing import Any
from uuid import UUID, uuid5

from temporalio.api.common.v1 import Payload, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.converter import encode_search_attributes
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from sojourn.broadcasts.gathering import LANES
from sojourn.broadcasts.standing import Standing
from sojourn.clock import REAL_TIME, TimeScale, monotonic
from sojourn.intake.outbox import StartCall
from sojourn.travel.program import Program
from sojourn.travel.registry import Definition
from sojourn.travel.state import Arrived
from workflows import names, policies
from workflows.messages import BroadcastInput, BroadcastResult, JourneyInput

_REQUESTS = UUID("0b8e7b0e-52ab-5d0a-8f56-7265717565ff")
SUMMARY_LIMIT = 200  # characters; Temporal keeps 400 bytes
CONFLICT_TRIES = 10
CONFLICT_PAUSE = 0.2  # seconds; an entry that was told to leave may need a moment to close
ASLEEP = 1.5  # seconds between two tries; less than the caller's lease is good for


@dataclass(frozen=True)
class JourneyCalls:
    """Starts, signals and terminates journeys on one Temporal server."""

    client: Client
    scale: TimeScale = REAL_TIME
    store: str = ""  # whose journeys these are: no other store ends them

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        """Start an entry's workflow and return its run id; a repeat returns the same.

        Args:
            workflow_id: `journey:<name>:<profile>[:<key>]`.
            call: the entry.
            definition: the journey it stays on.
            delay: real time before its first task.
        """
        program = definition.program
        begin = JourneyInput(
            entry_id=call.entry_id,
            profile_id=call.profile_id,
            entered_at=call.entered_at,
            definition=definition.body,
            trace=call.trace,
            time_scale=self.scale if self.scale != REAL_TIME else None,
            state=call.state,
        )
        variants, replace = call.variants, call.replace
        converter = self.client.data_converter
        attributes = TypedSearchAttributes(
            [
                SearchAttributePair(names.JOURNEY, program.journey.name),
                SearchAttributePair(names.PROFILE, begin.profile_id),
                SearchAttributePair(names.STEP, program.heading(program.start())),
                *([SearchAttributePair(names.VARIANT, [f"{send}={arm}" for send, arm in sorted(variants.items())])] if variants else []),
            ]
        )
        request = StartWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name=program.journey.name),
            task_queue=TaskQueue(name=names.TASK_QUEUE),
            identity=self.client.identity,
            request_id=str(uuid5(_REQUESTS, f"{begin.entry_id}{call.again}")) if call.again else begin.entry_id,
            workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        )
        request.input.payloads.extend(await converter.encode([begin]))
        request.workflow_task_timeout.FromTimedelta(policies.TASK_TIMEOUT)
        request.memo.fields[names.MEMO_ENTRY].CopyFrom(await self._payload(begin.entry_id))
        if self.store:
            request.memo.fields[names.MEMO_STORE].CopyFrom(await self._payload(self.store))
        request.user_metadata.summary.CopyFrom(await self._payload(_summary(program)))
        encode_search_attributes(attributes, request.search_attributes)
        if delay > timedelta():
            request.workflow_start_delay.FromTimedelta(delay)
        awake = monotonic()
        for attempt in range(CONFLICT_TRIES):
            if monotonic() - awake > ASLEEP:  # another router may have made this call, and later ones
                raise TimeoutError("this router was asleep between two tries of a start; the call is made again if it still waits")
            awake = monotonic()
            last = replace or attempt == CONFLICT_TRIES - 1
            request.workflow_id_conflict_policy = (
                WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
                if last
                else WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL
            )
            try:
                answer = await self.client.workflow_service.start_workflow_execution(request, retry=True, timeout=policies.RPC_TIMEOUT)
            except RPCError as error:
                if error.status is not RPCStatusCode.ALREADY_EXISTS or last:
                    raise
                await asyncio.sleep(CONFLICT_PAUSE)
            else:
                return answer.run_id
        raise AssertionError("the last try either answers or raises")

    async def signal(self, workflow_id: str, arrived: Arrived) -> bool:
        """Tell a running entry of an event; False where it has closed."""
        request = SignalWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name=arrived.event,
            identity=self.client.identity,
            request_id=str(uuid5(_REQUESTS, f"{len(workflow_id)}:{workflow_id}{arrived.id}")),
        )
        request.input.payloads.extend(await self.client.data_converter.encode([arrived]))
        return await self._found(self.client.workflow_service.signal_workflow_execution(request, retry=True, timeout=policies.RPC_TIMEOUT))

    async def terminate(self, workflow_id: str, run_id: str | None, reason: str) -> bool:
        """End an entry that has not begun to run; False where it has closed.

        It costs two events of history in all; a cancel would wake the worker and cost seven.
        """
        request = TerminateWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            identity=self.client.identity,
            first_execution_run_id=run_id or "",
            reason=reason,
        )
        return await self._found(
            self.client.workflow_service.terminate_workflow_execution(request, retry=True, timeout=policies.RPC_TIMEOUT)
        )

    async def _found(self, call: Any) -> bool:
        try:
            await call
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return False
        return True

    async def _payload(self, value: Any) -> Payload:
        return (await self.client.data_converter.encode([value]))[0]


@dataclass(frozen=True)
class BroadcastCalls:
    """Starts broadcasts on one Temporal server, and tells them that something changed."""

    client: Client
    scale: TimeScale = REAL_TIME
    store: str = ""  # whose broadcasts these are

    async def tell(self, standing: Standing, serial: int) -> str | None:
        """Start a broadcast's workflow where it has none, and have it look anew; return how it ended where it has closed.

        Args:
            standing: the broadcast.
            serial: the number of the change that it is told of.
        """
        begin = BroadcastInput(
            broadcast_id=standing.id,
            name=standing.name,
            begins_at=standing.begins_at,
            lanes=LANES,
            time_scale=self.scale if self.scale != REAL_TIME else None,
        )
        workflow_id = f"{names.BROADCAST_ID}{standing.name}:{standing.id}"
        try:
            await self.client.start_workflow(
                names.BROADCAST,
                begin,
                id=workflow_id,
                task_queue=names.TASK_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                task_timeout=policies.TASK_TIMEOUT,
                rpc_timeout=policies.RPC_TIMEOUT,
                start_signal=names.CHANGED,
                start_signal_args=[serial],
                memo={names.MEMO_STORE: self.store} if self.store else None,
                static_summary=shorten(standing.broadcast.description, SUMMARY_LIMIT, placeholder=" …"),
            )
        except WorkflowAlreadyStartedError:
            return await self._end(workflow_id)
        return None

    async def _end(self, workflow_id: str) -> str | None:
        """Return how a workflow ended, `done` or `stopped` where it did so by itself; None where it is open, or forgotten."""
        handle = self.client.get_workflow_handle(workflow_id, result_type=BroadcastResult)
        try:
            status = (await handle.describe(rpc_timeout=policies.RPC_TIMEOUT)).status
            if status is WorkflowExecutionStatus.COMPLETED:
                result: BroadcastResult = await handle.result(rpc_timeout=policies.RPC_TIMEOUT)
                return result.state
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return None
        return None if status in (None, WorkflowExecutionStatus.RUNNING) else status.name.lower()


def _summary(program: Program) -> str:
    return shorten(program.journey.description, SUMMARY_LIMIT, placeholder=" …")
