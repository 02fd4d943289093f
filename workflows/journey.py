"""A journey as a durable workflow: the interpreter of sojourn.travel in Temporal's world.

One class serves every journey: its workflow type is the journey's name, its signals bear the names
of the events that reach it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from sojourn.travel.interpreter import travel
    from sojourn.travel.program import label
    from sojourn.travel.state import Advance, Arrived, Progress, State
    from workflows import names, policies
    from workflows.history import has_grown
    from workflows.messages import JourneyInput, JourneyResult, Standing


class _ContinueAsNew(Exception):
    """Leaves the walk so that it can be taken up with a fresh history."""


@workflow.defn(dynamic=True)
class JourneyWorkflow:
    """Walks one entry; its state is all there is, and travels through continue-as-new."""

    @workflow.init
    def __init__(self, args: Sequence[RawValue]) -> None:
        self.input = workflow.payload_converter().from_payload(args[0].payload, JourneyInput)
        self.program = self.input.program()
        start = State(entry_id=self.input.entry_id, cursor=self.program.start(), entered_at=self.input.entered_at)
        self.state = self.input.state or start
        self.step = self.state.last_send or self.program.heading(self.program.start())

    @workflow.run
    async def run(self, args: Sequence[RawValue]) -> JourneyResult:
        """Walk to the end; return the outcome."""
        try:
            outcome = await travel(self.program, self.state, _DurableWorld(self))
        except _ContinueAsNew:
            workflow.continue_as_new(self.input.model_copy(update={"state": self.state}))
        workflow.upsert_search_attributes([names.OUTCOME.value_set(outcome)])
        return JourneyResult(outcome=outcome, because=self.state.trail[-1].because)

    @workflow.signal(dynamic=True)
    def hear(self, name: str, args: Sequence[RawValue]) -> None:
        """Keep an event that the router matched with this journey; one that came before is dropped."""
        self.state.hear(workflow.payload_converter().from_payload(args[0].payload, Arrived))

    @workflow.query(name=names.PROGRESS)
    def progress(self) -> Standing:
        """Tell where the entry stands."""
        state = self.state
        step = label(self.program.steps[state.cursor]) if state.cursor and state.outcome is None else "end"
        return Standing(
            cursor=state.cursor,
            step=step,
            scores=state.scores,
            trail=[line.did for line in state.trail],
            path=state.trail,
            outcome=state.outcome,
        )

    def tell(self) -> None:
        """Show the path walked in Temporal UI; the search attribute changes only with the send it is about."""
        workflow.set_current_details(_path(self.state))
        step = self.state.last_send
        if step is not None and step != self.step:
            self.step = step
            workflow.upsert_search_attributes([names.STEP.value_set(step)])


class _DurableWorld:
    """Temporal's timers, signals and activities as a World."""

    def __init__(self, journey: JourneyWorkflow) -> None:
        self.journey = journey
        self.scale = journey.input.scale()
        self._losing_timer: asyncio.Task[None] | None = None

    def now(self) -> datetime:
        return self.scale.to_shop(workflow.now())

    async def pause(self, until: datetime, wake: Callable[[], bool], summary: str) -> None:
        real = self.scale.to_real(until) - workflow.now() + policies.TIMER_SLACK
        self._cancel_losing_timer()
        timer = asyncio.create_task(workflow.sleep(max(real, timedelta()), summary=summary))
        await workflow.wait_condition(lambda: wake() or timer.done() or has_grown())
        if timer.done():
            return
        self._losing_timer = timer
        if has_grown() and not wake():
            raise _ContinueAsNew

    def _cancel_losing_timer(self) -> None:
        """Cancel a timer that an event overtook, once the journey goes on; one that ends needs no event for it."""
        if self._losing_timer is not None:
            self._losing_timer.cancel()
            self._losing_timer = None

    async def advance(self, ask: Advance, *, acts: bool, summary: str) -> Progress:
        self._cancel_losing_timer()
        ask = ask.model_copy(update={"trace": self.journey.input.trace})
        if not acts:
            progress: Progress = await workflow.execute_local_activity(
                names.DECIDE,
                ask,
                result_type=Progress,
                start_to_close_timeout=policies.DECIDE_ATTEMPT,
                retry_policy=policies.DECIDE_RETRY,
                summary=summary,
            )
            return progress
        progress = await workflow.execute_activity(
            names.SEND,
            ask,
            result_type=Progress,
            start_to_close_timeout=policies.SEND_ATTEMPT,
            heartbeat_timeout=policies.SEND_HEARTBEAT,
            retry_policy=policies.CALL_RETRY if self.journey.program.may_call(ask.cursor) else policies.SEND_RETRY,
            summary=summary,
        )
        return progress

    def tell(self, state: State) -> None:
        self.journey.tell()


def _path(state: State) -> str:
    lines = [f"- **{line.did}** — {line.because}" if line.because else f"- **{line.did}**" for line in state.trail]
    return "\n".join(lines) or "- at the start"
