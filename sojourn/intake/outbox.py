"""What routing decided and Temporal must be told: written with the decision, called after it, repeated until answered.

The order of calls to one workflow id is kept; different ones go side by side.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import Connection, Row, bindparam, delete, select, update

from sojourn.clock import TimeScale, monotonic
from sojourn.customers.entry_merging import MERGED
from sojourn.delivery import sending
from sojourn.store.bulk import chunks
from sojourn.store.tables import entries, outbox, sends
from sojourn.travel.registry import Definition
from sojourn.travel.state import MERGED as LEFT
from sojourn.travel.state import Arrived, State

BATCH = 500
MERGED_PEOPLE = "People Merged"  # what the signal of such an ending is called
CALLS_AT_ONCE = 32


_WAITING = (
    select(sends.c.key)
    .where(sends.c.entry_id.in_(bindparam("entries", expanding=True)), sends.c.state.in_(["planned", "held"]))
    .order_by(sends.c.key)
)


class StartCall(BaseModel):
    """Starts an entry's workflow."""

    entry_id: str
    profile_id: str
    version: str
    entered_at: AwareDatetime
    delayed_until: AwareDatetime | None = None
    variants: dict[str, str] = Field(default_factory=dict)
    replace: bool = False
    trace: str | None = None  # W3C traceparent, where tracing is on
    state: State | None = None  # where it goes on; None: at the start
    again: str = ""  # tells a start from an earlier one of the same entry: without it, Temporal takes it for a repeat


class TerminateCall(BaseModel):
    """Ends an entry whose workflow has not begun to run."""

    reason: str


class MergedCall(BaseModel):
    """Ends an entry whose owner turned out to be one person with whoever walks the same journey."""

    because: str
    at: AwareDatetime
    delayed_until: AwareDatetime | None = None


class JourneyRunner(Protocol):
    """Whoever runs journeys: Temporal, or virtual time."""

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        """Start an entry, `delay` (real time) from now; return its run id. A repeat returns the same."""
        ...

    async def signal(self, workflow_id: str, arrived: Arrived) -> bool:
        """Tell a running entry of an event; False where it has closed."""
        ...

    async def terminate(self, workflow_id: str, run_id: str | None, reason: str) -> bool:
        """End an entry that has not begun to run; False where it has closed."""
        ...


def pending(connection: Connection, limit: int = BATCH) -> Sequence[Row[Any]]:
    """Return the oldest calls not yet answered, in order, each with its entry's run id."""
    query = select(outbox, entries.c.run_id).outerjoin(entries, entries.c.id == outbox.c.entry_id).order_by(outbox.c.seq).limit(limit)
    return connection.execute(query).all()


def answered(
    connection: Connection, seqs: Sequence[int], run_ids: Mapping[str, str], merged: Sequence[str] = (), now: datetime | None = None
) -> None:
    """Forget calls that were answered, keep the run ids that came of them, and withdraw what merged entries had planned.

    Args:
        connection: of a writing transaction.
        seqs: of the calls.
        run_ids: by entry.
        merged: entries that ended because their owner is one person with another.
        now: the shop's moment.
    """
    if merged and now is not None:
        _withdraw(connection, merged, now)
    if run_ids:
        statement = update(entries).where(entries.c.id == bindparam("entry")).values(run_id=bindparam("run"))
        connection.execute(statement, [{"entry": entry, "run": run} for entry, run in run_ids.items()])
    if seqs:
        connection.execute(delete(outbox).where(outbox.c.seq == bindparam("done")), [{"done": seq} for seq in seqs])


def _withdraw(connection: Connection, merged: Sequence[str], now: datetime) -> None:
    for some in chunks(merged):
        for key in connection.execute(_WAITING, {"entries": some}).scalars().all():
            sending.withdraw(connection, key, "exit: the person is on this journey already, by an entry that goes on", now)


class Outcome(BaseModel):
    """What a round of calls came to."""

    done: list[int] = Field(default_factory=list)
    run_ids: dict[str, str] = Field(default_factory=dict)
    closed: list[str] = Field(default_factory=list)  # entries whose workflow was found closed
    merged: list[str] = Field(default_factory=list)  # entries that were told that another one goes on
    failed: list[str] = Field(default_factory=list)  # what went wrong, by class name


async def call_all(
    rows: Sequence[Row[Any]],
    runner: JourneyRunner,
    definition: Callable[[str], Definition],
    now: datetime,
    scale: TimeScale,
    seconds: float = math.inf,
    may: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Make the calls: in order for each workflow id, side by side otherwise.

    A call that fails stops its workflow id's later ones; they stay for the next round, as do those
    that `seconds` were not enough for: what is answered must be marked soon, or a router that dies
    while the server is slow begins the same round again and again. `may` is asked before each call:
    who was asleep and no longer has the role makes no more.
    """
    outcome = Outcome()
    deadline = monotonic() + seconds
    groups: dict[str, list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(row.workflow_id, []).append(row)
    gate = asyncio.Semaphore(CALLS_AT_ONCE)

    async def run(group: list[Row[Any]]) -> None:
        async with gate:
            for row in group:
                if (outcome.done and monotonic() >= deadline) or not may():  # some are made, however slow the machine is
                    return
                try:
                    await _call(row, runner, definition, now, scale, outcome)
                except Exception as error:
                    outcome.failed.append(f"{type(error).__name__}: {error}"[:300])
                    return
                outcome.done.append(row.seq)

    await asyncio.gather(*(run(group) for group in groups.values()))
    return outcome


async def _call(
    row: Row[Any], runner: JourneyRunner, definition: Callable[[str], Definition], now: datetime, scale: TimeScale, outcome: Outcome
) -> None:
    if row.kind == "start":
        call = StartCall.model_validate(row.body)
        delay = scale.real_duration(call.delayed_until - now) if call.delayed_until else timedelta()
        outcome.run_ids[row.entry_id] = await runner.start(row.workflow_id, call, definition(call.version), max(delay, timedelta()))
    elif row.kind == "signal":
        if not await runner.signal(row.workflow_id, Arrived.model_validate(row.body)):
            outcome.closed.append(row.entry_id)
    elif row.kind == MERGED:
        merged = MergedCall.model_validate(row.body)
        if merged.delayed_until is not None and now < merged.delayed_until:
            await runner.terminate(row.workflow_id, outcome.run_ids.get(row.entry_id) or row.run_id, f"{MERGED}: {merged.because}")
        else:
            await runner.signal(row.workflow_id, _told(row.entry_id, merged))
        outcome.merged.append(row.entry_id)
    else:
        run_id = outcome.run_ids.get(row.entry_id) or row.run_id
        if not await runner.terminate(row.workflow_id, run_id, TerminateCall.model_validate(row.body).reason):
            outcome.closed.append(row.entry_id)


def _told(entry_id: str, call: MergedCall) -> Arrived:
    return Arrived(id=f"merged:{entry_id}", entry_id=entry_id, event=MERGED_PEOPLE, time=call.at, meets=(LEFT,), because=call.because)
