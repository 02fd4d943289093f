"""How the end of a journey is learned without an event of history: at once from the worker, or later from what has closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from queue import SimpleQueue
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.exceptions import FailureError, is_cancelled_exception
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

with workflow.unsafe.imports_passed_through():
    from sojourn.intake.endings import GUESS, WORKER, Ending
    from workflows import names, policies
    from workflows.messages import JourneyResult

FAILED = "failed"
ENDS_A_JOURNEY = (FailureError, *policies.JOURNEY_BUGS)
_OUTCOMES = {
    WorkflowExecutionStatus.FAILED: FAILED,
    WorkflowExecutionStatus.TERMINATED: "terminated",
    WorkflowExecutionStatus.CANCELED: "cancelled",
    WorkflowExecutionStatus.TIMED_OUT: "timed_out",
}


class EndingObserver(Interceptor):
    """Puts every ending that this worker sees into a queue; what it misses is found among the closed."""

    def __init__(self) -> None:
        self.endings: SimpleQueue[Ending] = SimpleQueue()

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor] | None:
        """Return an interceptor bound to the queue."""
        endings = self.endings

        class Observing(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
                if workflow.info().workflow_type == names.BROADCAST:  # it keeps its own end
                    return await self.next.execute_workflow(input)
                entry_id = workflow.memo_value(names.MEMO_ENTRY, type_hint=str)
                try:
                    result: JourneyResult = await self.next.execute_workflow(input)
                except Exception as error:
                    # Of any other error the server hears nothing: the task is tried again, and may yet come to a true end.
                    if isinstance(error, ENDS_A_JOURNEY) and not is_cancelled_exception(error):
                        self._tell(Ending(entry_id, FAILED, type(error).__name__, WORKER))
                    raise
                self._tell(Ending(entry_id, result.outcome, result.because, WORKER))
                return result

            @staticmethod
            def _tell(ending: Ending) -> None:
                if not workflow.unsafe.is_replaying():
                    endings.put(ending)

        return Observing

    def take(self) -> list[Ending]:
        """Return what has been seen since the last time."""
        found = []
        while not self.endings.empty():
            found.append(self.endings.get_nowait())
        return found


@dataclass(frozen=True)
class Closed:
    """A journey that has closed, as the server's list shows it."""

    ending: Ending
    workflow_id: str
    run_id: str


async def closed_since(client: Client, since: datetime) -> AsyncIterator[Closed]:
    """Return all journeys that closed after a (real) moment, as the server's list shows them."""
    query = f"CloseTime > '{since.isoformat()}' AND {names.JOURNEY.name} IS NOT NULL"
    async for execution in client.list_workflows(query):
        if (found := await closed(execution)) is not None:
            yield found


async def closed(execution: WorkflowExecution) -> Closed | None:
    """Return how a journey closed, as far as the server's list or description says; None where it goes on."""
    status = execution.status
    if status in (None, WorkflowExecutionStatus.RUNNING, WorkflowExecutionStatus.CONTINUED_AS_NEW):
        return None
    entry_id = await execution.memo_value(names.MEMO_ENTRY, default="", type_hint=str)
    outcome = execution.typed_search_attributes.get(names.OUTCOME)
    words = _OUTCOMES.get(status, "completed")
    # An outcome that was set in a task of which the server took no end is none.
    if outcome is not None and status is WorkflowExecutionStatus.COMPLETED:
        ending = Ending(entry_id, outcome, "")
    else:
        ending = Ending(entry_id, words, f"Temporal says {words}", GUESS)
    return Closed(ending, execution.id, execution.run_id)


async def with_because(client: Client, closed: Closed) -> Ending:
    """Return an ending with its because, which only the workflow's result holds."""
    if closed.ending.by is not None:
        return closed.ending
    handle = client.get_workflow_handle(closed.workflow_id, run_id=closed.run_id, result_type=JourneyResult)
    try:
        result = await handle.result(follow_runs=False, rpc_timeout=policies.RPC_TIMEOUT)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # its history was forgotten since the list was made
            raise
        return closed.ending
    return replace(closed.ending, outcome=result.outcome, because=result.because)
