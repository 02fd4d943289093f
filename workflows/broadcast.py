"""A broadcast as a durable workflow: it waits for its moment, has recipients gathered, and has its lanes sent to.

People are not in its history: an activity sends to a lane for a while and says when it is to go on. A million
recipients are some hundreds of activities, and the history continues as new.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from workflows import names, policies
    from workflows.history import has_grown
    from workflows.messages import BroadcastAsk, BroadcastInput, BroadcastResult, BroadcastTold

SCHEDULED, PAUSED = "scheduled", "paused"
FINISHED = ("stopped", "done")


@workflow.defn(name=names.BROADCAST)
class BroadcastWorkflow:
    """Carries one broadcast from its moment to its end."""

    @workflow.init
    def __init__(self, begin: BroadcastInput) -> None:
        self.input = begin
        self.changes = 0  # that it heard of
        self.sent = begin.sent

    @workflow.run
    async def run(self, begin: BroadcastInput) -> BroadcastResult:
        """Send, and return how many recipients were dealt with."""
        scale = begin.scale()

        async def pause(until: datetime | None) -> None:
            """Wait until a moment of the shop's, or until something changed; without a moment, until something changed."""
            heard = self.changes
            limit = None if until is None else max(scale.to_real(until) - workflow.now() + policies.TIMER_SLACK, timedelta())
            try:
                await workflow.wait_condition(lambda: self.changes != heard, timeout=limit)
            except TimeoutError:
                return

        if not begin.gathered:
            await pause(begin.begins_at)
            while (told := await self._ask(names.GATHER)).state not in FINISHED and not told.done:
                if told.state == PAUSED:
                    await pause(None)
                elif told.state == SCHEDULED:  # something changed before its moment
                    await pause(begin.begins_at)
        begin = begin.model_copy(update={"gathered": True})
        while True:
            if has_grown():
                workflow.continue_as_new(begin.model_copy(update={"sent": self.sent}))
            lanes = await asyncio.gather(*(self._ask(names.SEND_LANE, lane) for lane in range(begin.lanes)))
            self.sent += sum(told.sent for told in lanes)
            self._tell(lanes[0].state)
            if any(told.state in FINISHED for told in lanes):
                return BroadcastResult(state=lanes[0].state, dealt_with=self.sent)
            if any(told.state == PAUSED for told in lanes):
                await pause(None)
                continue
            dues = [told.next_due for told in lanes if told.next_due is not None]
            if not dues:
                told = await self._ask(names.FINISH)
                if told.state in FINISHED:
                    self._tell(told.state)
                    return BroadcastResult(state=told.state, dealt_with=self.sent)
                continue  # it was paused at the last moment
            await pause(min(dues))

    @workflow.signal(name=names.CHANGED)
    def changed(self, serial: int) -> None:
        """Hear that it was paused, resumed or stopped; which it is stands in the store."""
        self.changes += 1

    async def _ask(self, activity: str, lane: int = 0) -> BroadcastTold:
        told: BroadcastTold = await workflow.execute_activity(
            activity,
            BroadcastAsk(broadcast_id=self.input.broadcast_id, lane=lane),
            result_type=BroadcastTold,
            start_to_close_timeout=policies.BROADCAST_ATTEMPT,
            heartbeat_timeout=policies.BROADCAST_HEARTBEAT,
            retry_policy=policies.BROADCAST_RETRY,
            summary=activity if activity != names.SEND_LANE else f"lane {lane + 1} of {self.input.lanes}",
        )
        return told

    def _tell(self, state: str) -> None:
        workflow.set_current_details(f"- **{state}** — {self.sent:,} recipients dealt with")
