"""Journeys in virtual time, in Temporal's place: started, told and ended by the same calls, woken when the clock says so."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from sojourn.clock import Clock
from sojourn.intake.endings import Ending
from sojourn.intake.outbox import StartCall
from sojourn.travel.registry import Definition
from sojourn.travel.state import Arrived, State
from sojourn.travel.virtual import Advancer, VirtualEntry

FAILED = "failed"


@dataclass
class _Run:
    """One entry; until its delay is over it hears, but does nothing."""

    entry: VirtualEntry
    begins: datetime


@dataclass
class VirtualRunner:
    """Runs entries when they are due; a `sojourn.intake.outbox.JourneyRunner`.

    Args:
        clock: the shop's.
        advance: judges steps and makes effects.
    """

    clock: Clock
    advance: Advancer
    states: dict[str, State] = field(default_factory=dict)  # of every entry that ever ran, by its id
    _runs: dict[str, _Run] = field(default_factory=dict)  # the latest by workflow id
    _due: list[tuple[datetime, int, _Run]] = field(default_factory=list)
    _turn: count[int] = field(default_factory=count)
    _endings: list[Ending] = field(default_factory=list)

    # -- what the router calls -------------------------------------------------------------------

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        """Start an entry after a delay; return its run id, which is its entry's. A repeat returns the same."""
        if call.entry_id in self.states:
            return call.entry_id
        known = self._runs.get(workflow_id)
        if known is not None:
            known.entry.stop()
        program = definition.program
        state = State(entry_id=call.entry_id, cursor=program.start(), entered_at=call.entered_at)
        self.states[call.entry_id] = state
        run = _Run(VirtualEntry(program, state, self.clock, self.advance), self.clock.now() + delay)
        self._runs[workflow_id] = run
        self._push(run, run.begins)
        return call.entry_id

    async def signal(self, workflow_id: str, arrived: Arrived) -> bool:
        """Tell a running entry of an event; False where it has ended."""
        run = self._runs.get(workflow_id)
        if run is None or run.entry.outcome is not None:
            return False
        if run.entry.state.hear(arrived):
            self._push(run, max(self.clock.now(), run.begins))
        return True

    async def terminate(self, workflow_id: str, run_id: str | None, reason: str) -> bool:
        """End an entry that has not begun to run; False where it has ended."""
        run = self._runs.get(workflow_id)
        if run is None or run.entry.outcome is not None or run.entry.state.entry_id != run_id:
            return False
        run.entry.stop()
        return True

    # -- what the clock's holder calls -----------------------------------------------------------

    @property
    def due(self) -> datetime | None:
        """The moment at which the next entry goes on; None where none ever will by itself."""
        while self._due and self._due[0][2].entry.outcome is not None:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def wake(self) -> bool:
        """Let the next entry that is due go on; False where none is.

        Raises:
            Exception: whatever stopped its walk; the entry has failed.
        """
        due = self.due
        if due is None or due > self.clock.now():
            return False
        run = heapq.heappop(self._due)[2]
        entry, state = run.entry, run.entry.state
        try:
            entry.run()
        except Exception as error:
            entry.stop()
            self._endings.append(Ending(state.entry_id, FAILED, type(error).__name__))
            raise
        if entry.outcome is not None:
            self._endings.append(Ending(state.entry_id, entry.outcome, state.trail[-1].because))
        elif entry.due is not None:
            self._push(run, entry.due)
        return True

    def take_endings(self) -> list[Ending]:
        """Return what has ended since the last time."""
        taken, self._endings = self._endings, []
        return taken

    def close(self) -> None:
        """Abandon every walk."""
        for run in self._runs.values():
            run.entry.stop()

    def _push(self, run: _Run, due: datetime) -> None:
        heapq.heappush(self._due, (due, next(self._turn), run))
