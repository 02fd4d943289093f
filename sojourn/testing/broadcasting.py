"""Broadcasts in virtual time, in their workflow's place: gathered at their moment, then sent to, lane by lane, when that is due."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import Connection, select

from sojourn.broadcasts import standing
from sojourn.broadcasts.gathering import LANES
from sojourn.broadcasts.sending import Broadcasting
from sojourn.broadcasts.standing import FINISHED, State
from sojourn.customers import profiles
from sojourn.customers.computed import profile_facts
from sojourn.customers.history import StoredHistory
from sojourn.customers.segments.lists import StoredLists
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.conditions import Facts, parse
from sojourn.language.moments import zone_named
from sojourn.store.tables import broadcast_recipients
from sojourn.store.tables import profiles as people
from sojourn.travel.stored import StoredJourneys

MOST_SECONDS = 60.0  # real; in which the recipients of a test's shop are written down
AT_ONCE = 0.0  # one page
_NAMESPACE = UUID("0b1f7c52-6d0e-5a8f-9f6d-746573740000")


@dataclass
class _Run:
    """One broadcast on its way; `dues` are those of its lanes once its recipients are written down."""

    begins_at: datetime
    dues: dict[int, datetime] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    due: datetime | None = None


class VirtualBroadcasts:
    """Carries broadcasts when they are due.

    Args:
        journeys: those that stand now, with the shop's store and clock.
        route: routes what waits, as a claim demands it.
    """

    def __init__(self, journeys: Callable[[], StoredJourneys], route: Callable[[], Awaitable[object]]) -> None:
        self._journeys = journeys
        self._route = route
        self._runs: dict[str, _Run] = {}

    @property
    def due(self) -> datetime | None:
        """The moment at which the next one goes on; None where none ever will by itself."""
        return min((run.due for run in self._runs.values() if run.due is not None), default=None)

    async def schedule(self, broadcast: Broadcast) -> str:
        """Have a broadcast sent at its moment, as `sojourn broadcast schedule` does, and return its id.

        Raises:
            NotPossible: it is under way already, was sent at this moment, or its moment has passed.
        """
        journeys = self._journeys()
        id_ = str(uuid5(_NAMESPACE, f"{len(self._runs)}"))  # the same in every run of a test, and so are its sends' keys
        zone, now = zone_named(journeys.registry.shop.zone), journeys.clock.now()
        await journeys.store.write(standing.schedule, broadcast, zone, now, id_)
        begins_at = (await journeys.store.read(standing.look, id_)).begins_at
        self._runs[id_] = _Run(begins_at, due=max(begins_at, now))
        return id_

    def left_out(self, id_: str) -> Mapping[str, str]:
        """Return whom the condition left out as recipients were written down: by profile, why."""
        return self._runs[id_].left_out

    async def changed(self, id_: str) -> None:
        """Hear that one was paused, resumed or stopped."""
        journeys, run = self._journeys(), self._runs[id_]
        state, now = await journeys.store.read(standing.state_of, id_), journeys.clock.now()
        if state is State.SCHEDULED:
            run.due = max(run.begins_at, now)
        elif state in (State.GATHERING, State.RUNNING):
            run.due, run.dues = now, dict.fromkeys(range(LANES), now)
        else:
            run.due = None

    async def go_on(self) -> bool:
        """Let the next one that is due go on as far as this moment allows; False where none is."""
        now = self._journeys().clock.now()
        for id_, run in self._runs.items():
            if run.due is not None and run.due <= now:
                await self._go_on(id_, run, now)
                return True
        return False

    async def _go_on(self, id_: str, run: _Run, now: datetime) -> None:
        broadcasting = Broadcasting(self._journeys())
        state = await broadcasting.journeys.store.read(standing.state_of, id_)
        if state in (State.SCHEDULED, State.GATHERING):
            state, _ = await broadcasting.gather(id_, MOST_SECONDS)
            run.left_out = await broadcasting.journeys.store.read(_left_out, broadcasting.journeys, id_, now)
            run.dues = dict.fromkeys(range(LANES), now)
        for lane in [lane for lane, due in run.dues.items() if due <= now and state is State.RUNNING]:
            await self._route()
            told = await broadcasting.send(id_, lane, AT_ONCE)
            del run.dues[lane]
            if told.next_due is not None:
                run.dues[lane] = told.next_due
        run.due = min(run.dues.values(), default=None)
        if run.due is None and state is State.RUNNING:
            state = await broadcasting.finish(id_)
        if state in FINISHED:
            run.due = None


def _left_out(connection: Connection, journeys: StoredJourneys, id_: str, now: datetime) -> dict[str, str]:
    """Ask the condition once more of everyone who is no recipient, and return its because."""
    registry = journeys.registry
    condition = parse(standing.look(connection, id_).broadcast.to)
    chosen = select(broadcast_recipients.c.profile).where(broadcast_recipients.c.broadcast_id == id_)
    others = select(people.c.id).where(people.c.merged_into.is_(None), people.c.id.not_in(chosen))
    found = {}
    for one in connection.execute(others).scalars().all():
        history = StoredHistory(connection, one)
        person = profiles.load(connection, one)
        calendar = registry.calendar.of(person.zone)
        traits = profile_facts(person.traits, registry.computed, history, now, calendar)
        facts = Facts(now=now, profile=traits, history=history, listed=StoredLists(connection, one), calendar=calendar)
        found[one] = condition.explain(facts, registry.segments).sentence()
    return found


__all__ = ["VirtualBroadcasts"]
