"""How the end of a journey is learned without an event of history: at once from the worker, or later from what has closed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from queue import SimpleQueue
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import is_cancelled_exception
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

with workflow.unsafe.imports_passed_through():
    from sojourn.intake.endings import Ending
    from workflows import names
    from workflows.messages import JourneyResult

FAILED = "failed"
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
                    if not (isinstance(error, workflow.ContinueAsNewError) or is_cancelled_exception(error)):
                        self._tell(Ending(entry_id, FAILED, type(error).__name__))
                    raise
                self._tell(Ending(entry_id, result.outcome, result.because))
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


async def closed_since(client: Client, since: datetime) -> AsyncIterator[Ending]:
    """Return the endings of all journeys that closed after a (real) moment, as the server's list shows them."""
    query = f"CloseTime > '{since.isoformat()}' AND {names.JOURNEY.name} IS NOT NULL"
    async for execution in client.list_workflows(query):
        status = execution.status
        if status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
            continue
        entry_id = await execution.memo_value(names.MEMO_ENTRY, default="", type_hint=str)
        outcome = execution.typed_search_attributes.get(names.OUTCOME)
        words = _OUTCOMES.get(status, "completed") if status else "completed"
        yield Ending(entry_id, outcome or words, "" if outcome else f"Temporal says {words}")
