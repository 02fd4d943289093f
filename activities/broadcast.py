"""The activities of a broadcast: gather recipients, send to a lane for a while, finish."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import activity

from activities.heartbeat import heartbeat
from sojourn.broadcasts.sending import Broadcasting
from sojourn.broadcasts.standing import State
from workflows.messages import BroadcastAsk, BroadcastTold

WHILE_SECONDS = 20.0  # how long one activity sends before it says how far it is


@dataclass(frozen=True)
class BroadcastActivities:
    """Carries broadcasts for Temporal."""

    broadcasting: Broadcasting

    @activity.defn(name="gather_recipients")
    async def gather(self, ask: BroadcastAsk) -> BroadcastTold:
        """Write recipients down for a while."""
        async with heartbeat():
            state, done = await self.broadcasting.gather(ask.broadcast_id, WHILE_SECONDS)
        return BroadcastTold(state=state, done=done)

    @activity.defn(name="send_lane")
    async def send(self, ask: BroadcastAsk) -> BroadcastTold:
        """Send to a lane's recipients for a while."""
        async with heartbeat():
            lane = await self.broadcasting.send(ask.broadcast_id, ask.lane, WHILE_SECONDS)
        return BroadcastTold(state=lane.state, sent=lane.sent, next_due=lane.next_due)

    @activity.defn(name="finish_broadcast")
    async def finish(self, ask: BroadcastAsk) -> BroadcastTold:
        """Note that nothing is left to be sent."""
        state: State = await self.broadcasting.finish(ask.broadcast_id)
        return BroadcastTold(state=state)
