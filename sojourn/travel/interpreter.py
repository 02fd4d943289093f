"""Walks an entry along its journey, in any World.

It knows waits, branches of waits, leaving and ending. Everything that needs facts of the outside
(scores, conditions, the gate) is one call, `World.advance`, and comes back as a Progress.
"""

from __future__ import annotations

from datetime import datetime

from sojourn.language.durations import parse_duration
from sojourn.language.model import End, Wait, WaitFor
from sojourn.travel.program import Program
from sojourn.travel.state import LEAVE, Advance, Arrived, State, Trail, held_at
from sojourn.travel.world import World

COMPLETED = "completed"


async def travel(program: Program, state: State, world: World) -> str:
    """Walk from the state's cursor to the end and return the outcome.

    `state` is kept true at every pause, so that the walk can be taken up again from it.
    """
    while True:
        if _left(program, state, world):
            break
        if state.pause_until is not None:  # before the end is looked at: a `wait_until` may be the last step
            await _pause(state, world, "until " + state.pause_until.strftime("%Y-%m-%d %H:%M UTC"))
            continue
        if state.cursor is None:
            _end(state, world, COMPLETED, "after the last step")
            break
        step = program.steps[state.cursor]
        if isinstance(step, End):
            _end(state, world, step.end, "")
            break
        if isinstance(step, Wait):
            await _wait(program, step, state, world)
        elif isinstance(step, WaitFor):
            await _wait_for(program, step, state, world)
        else:
            await _advance(program, state, world)
    world.tell(state)
    return state.outcome or COMPLETED


async def _advance(program: Program, state: State, world: World) -> None:
    assert state.cursor is not None
    ask = Advance(entry_id=state.entry_id, cursor=state.cursor, scores=state.scores)
    state.heard_before = len(state.arrived)
    progress = await world.advance(ask, acts=program.may_act(state.cursor), summary=program.labels[state.cursor])
    state.trail.extend(progress.trail)
    state.scores.update(progress.scores)
    state.cursor = progress.cursor
    state.pause_until = progress.until
    state.pause_from = None
    if progress.sent is not None:
        state.last_send = progress.sent
    world.tell(state)


async def _pause(state: State, world: World, summary: str) -> None:
    """Pause as a Progress asked, then go on at the same cursor; sooner where what held its send is gone."""
    assert state.pause_until is not None
    handle = held_at(state.cursor or "")

    def let_go() -> bool:
        return any(handle in arrived.meets for arrived in state.arrived[state.heard_before :])

    if world.now() < state.pause_until and not let_go():
        world.tell(state)
        await world.pause(state.pause_until, lambda: _leaving(state) is not None or let_go(), summary)
    if _leaving(state) is None:
        state.pause_until = None


async def _wait(program: Program, step: Wait, state: State, world: World) -> None:
    assert state.cursor is not None
    began = _begin_wait(state, world)
    duration = parse_duration(step.wait)
    handle = f"{state.cursor}/reset"
    while True:
        until = max([began, *(arrived.time for arrived in state.arrived if handle in arrived.meets)]) + duration
        if world.now() >= until:
            break
        heard = len(state.arrived)
        world.tell(state)
        await world.pause(
            until,
            lambda heard=heard: _leaving(state) is not None or any(handle in a.meets for a in state.arrived[heard:]),  # type: ignore[misc]
            program.labels[state.cursor],
        )
        if _leaving(state) is not None:
            return
    _go(program, state, world, program.labels[state.cursor], "")


async def _wait_for(program: Program, step: WaitFor, state: State, world: World) -> None:
    assert state.cursor is not None
    until = _begin_wait(state, world) + parse_duration(step.up_to)
    first = state.heard_before if step.since == "arrival" else 0
    handles = {f"{state.cursor}/b{i}": i for i in range(len(step.branches))}

    def met() -> tuple[int, Arrived] | None:
        for arrived in state.arrived[first:]:
            for handle in arrived.meets:
                if handle in handles:
                    return handles[handle], arrived
        return None

    if met() is None and world.now() < until:
        world.tell(state)
        await world.pause(until, lambda: _leaving(state) is not None or met() is not None, program.labels[state.cursor])
    if _leaving(state) is not None:
        return
    found = met()
    if found is None:
        _go(program, state, world, program.labels[state.cursor], f"not within {step.up_to}", "else")
    else:
        branch, arrived = found
        did = f"{step.branches[branch].on} came"
        _go(program, state, world, did, arrived.because or arrived.event, f"b{branch}")


def _begin_wait(state: State, world: World) -> datetime:
    if state.pause_from is None:
        first = state.cursor == "0" and not state.trail
        state.pause_from = state.entered_at if first else world.now()
        state.heard_before = 0 if first else len(state.arrived)
    return state.pause_from


def _go(program: Program, state: State, world: World, did: str, because: str, took: str | None = None) -> None:
    assert state.cursor is not None
    state.trail.append(Trail(cursor=state.cursor, did=did, because=because, took=took, at=world.now()))
    state.cursor = program.into(state.cursor, took) if took else program.after(state.cursor)
    state.pause_from = None


def _leaving(state: State) -> tuple[str, Arrived] | None:
    for arrived in state.arrived:
        for handle in arrived.meets:
            if handle.startswith(LEAVE):
                return handle, arrived
    return None


def _left(program: Program, state: State, world: World) -> bool:
    found = _leaving(state)
    if found is None:
        return False
    handle, arrived = found
    _end(state, world, program.outcome_of(handle), arrived.because or f"{arrived.event} came")
    return True


def _end(state: State, world: World, outcome: str, because: str) -> None:
    state.outcome = outcome
    state.trail.append(Trail(cursor=state.cursor or "", did=f"end {outcome}", because=because, at=world.now()))
