"""Holds the store's running entries against Temporal's open workflows, and mends what does not fit (`sojourn.intake.fitting`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from sojourn.intake.fitting import Books, Fit
from workflows import names, policies
from workflows.ending import Closed, closed, with_because

PAGE = 200
SETTLED_AFTER = timedelta(minutes=2)  # an entry that ended so long ago leaves no workflow that is about to end by itself
AWAY_PAUSE_S = 1.0
MARGIN = timedelta(minutes=5)  # by which clocks may differ


@dataclass(frozen=True)
class Fitting:
    """Makes entries and workflows fit.

    Args:
        client: Temporal's.
        books: the store's.
        store: the name of the store.
    """

    client: Client
    books: Books
    store: str

    async def before_work(self) -> None:
        """Look at what a restored store forgot, before anything is sent on its word; wait for Temporal where it is away."""
        while True:
            since = await self.books.forgotten_since()
            if since is None:
                return
            try:
                await self._examine(since - MARGIN)
            except RPCError:
                await asyncio.sleep(AWAY_PAUSE_S)

    async def look(self) -> Fit:
        """Hold all against each other, mend what does not fit, and return what was found.

        Raises:
            RPCError: Temporal does not answer.
        """
        fit = Fit()
        walking = await self._workflows(fit)
        await self._broadcasts(fit)
        await self._entries(fit, walking)
        await self.books.keep(fit)
        return fit

    async def _examine(self, since: datetime) -> None:
        """Have be in doubt what Temporal knows of the time that the store forgot: entries that had sent, and are not known."""
        async for page in self._pages(f"StartTime > '{since.isoformat()}' AND {names.JOURNEY.name} IS NOT NULL"):
            ours = {one.entry_id: one for one in page if one.store == self.store}
            known = await self.books.known(list(ours))
            for entry_id, one in ours.items():
                if entry_id not in known and await self._has_sent(one.execution):
                    await self.books.doubt(entry_id)
        await self.books.examined()

    async def _workflows(self, fit: Fit) -> set[str]:
        """End open workflows without an entry that runs; return the entries that have one."""
        walking: set[str] = set()
        async for page in self._pages(f"ExecutionStatus = 'Running' AND {names.JOURNEY.name} IS NOT NULL"):
            known = await self.books.known([one.entry_id for one in page])
            for one in page:
                row = known.get(one.entry_id)
                if row is None and one.store != self.store:
                    fit.strangers += 1
                    continue
                fit.open += 1
                if row is None:
                    await self._end_orphan(one, fit)
                elif row.state == "running":
                    walking.add(one.entry_id)
                elif not row.waits and row.ended_at is not None and self.books.ago(row.ended_at) > SETTLED_AFTER:
                    because = f"its entry had ended as {row.outcome}"
                    fit.over += await self._terminate(one.execution, because)
                    fit.say(f"workflow {one.execution.id}: {because}")
        return walking

    async def _broadcasts(self, fit: Fit) -> None:
        """End open workflows of broadcasts that the store does not know, or that are over."""
        async for page in self._pages(f"ExecutionStatus = 'Running' AND WorkflowType = '{names.BROADCAST}'"):
            known = await self.books.broadcasts([_broadcast_of(one) for one in page])
            for one in page:
                row = known.get(_broadcast_of(one))
                if row is None and one.store != self.store:
                    fit.strangers += 1
                    continue
                if row is None:
                    because = "the store knows nothing of its broadcast, which may have gone out to some: it was restored from before it"
                elif row.finished_at is not None and self.books.ago(row.finished_at) > SETTLED_AFTER:
                    because = f"its broadcast had ended as {row.state}"
                else:
                    continue
                fit.broadcasts += await self._terminate(one.execution, because)
                fit.say(f"workflow {one.execution.id}: {because}")

    async def _end_orphan(self, one: _Open, fit: Fit) -> None:
        because = "the store knows nothing of its entry: it was restored from before it, or another one has been put in its place"
        if await self._has_sent(one.execution):
            await self.books.doubt(one.entry_id)
        fit.orphans += await self._terminate(one.execution, because)
        meanwhile = (await self.books.known([one.entry_id])).get(one.entry_id)
        if meanwhile is not None and meanwhile.state == "running" and not meanwhile.waits:
            await self.books.begin_anew(one.entry_id)  # its event came again just now
        fit.say(f"workflow {one.execution.id}: {because}")

    async def _entries(self, fit: Fit, walking: set[str]) -> None:
        """Begin anew, or end, running entries without an open workflow."""
        after = ""
        while rows := await self.books.running(after):
            after = rows[-1].id
            fit.running += len(rows)
            for row in rows:
                if row.id in walking:
                    continue
                found = await self._standing(row.workflow_id, row.run_id, row.id)
                if isinstance(found, Closed):
                    ending = await with_because(self.client, found)
                    fit.closed += await self.books.end(ending)
                elif found is None:
                    goes_on, because = await self.books.begin_anew(row.id)
                    fit.anew += goes_on
                    fit.lost += not goes_on
                    fit.say(f"entry {row.id}: {because}")

    async def _standing(self, workflow_id: str, run_id: str | None, entry_id: str) -> Closed | _Open | None:
        """Return the workflow of an entry, open or closed; None where Temporal knows of none."""
        for run in dict.fromkeys((None, run_id)):  # the latest is most often its own
            try:
                handle = self.client.get_workflow_handle(workflow_id, run_id=run)
                found = await handle.describe(rpc_timeout=policies.RPC_TIMEOUT)
            except RPCError as error:
                if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
                    raise
                continue
            one = await _open(found)
            if one.entry_id == entry_id and found.status is not WorkflowExecutionStatus.CONTINUED_AS_NEW:
                return await closed(found) or one
        return None

    async def _has_sent(self, execution: WorkflowExecution) -> bool:
        """Tell whether a workflow came to a send: its history alone says what the store forgot."""
        handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            async for event in handle.fetch_history_events(rpc_timeout=policies.RPC_TIMEOUT):
                if event.workflow_execution_started_event_attributes.continued_execution_run_id:
                    return True  # a long history was left behind
                scheduled = event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
                if scheduled and event.activity_task_scheduled_event_attributes.activity_type.name == names.SEND:
                    return True
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return True  # it was forgotten meanwhile: nobody knows
        return False

    async def _terminate(self, execution: WorkflowExecution, because: str) -> int:
        handle = self.client.get_workflow_handle(execution.id, run_id=execution.run_id)
        try:
            await handle.terminate(reason=because, rpc_timeout=policies.RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return 0  # it has closed
        return 1

    async def _pages(self, query: str) -> AsyncIterator[list[_Open]]:
        page: list[_Open] = []
        async for execution in self.client.list_workflows(query, page_size=PAGE, rpc_timeout=policies.RPC_TIMEOUT):
            page.append(await _open(execution))
            if len(page) >= PAGE:
                yield page
                page = []
        if page:
            yield page


@dataclass(frozen=True)
class _Open:
    """A workflow, and whose it is."""

    execution: WorkflowExecution
    entry_id: str
    store: str


def _broadcast_of(one: _Open) -> str:
    return one.execution.id.rpartition(":")[2]


async def _open(execution: WorkflowExecution) -> _Open:
    entry_id = await execution.memo_value(names.MEMO_ENTRY, default="", type_hint=str)
    return _Open(execution, entry_id, await execution.memo_value(names.MEMO_STORE, default="", type_hint=str))
