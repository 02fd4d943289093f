"""A journey as something to walk: where each step stands, and what comes after it.

A cursor names a step by its way down the definition: `0`, `3.then.1`, `4.b0.0` (the first step of a
`wait_for`'s first branch), `5.c1.0` (of a `choose`'s second line), `6.short.0` (of a split's arm).
It is what a trail, a ledger row and a workflow's state name a step by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sojourn.language.model import (
    Call,
    Choose,
    End,
    Enter,
    If,
    Journey,
    Score,
    Send,
    Set,
    Split,
    Step,
    Wait,
    WaitFor,
    WaitUntil,
    verb_of,
)
from sojourn.language.outline import HEARD_AS, send_id
from sojourn.travel.state import CONSENT_WITHDRAWN, LEAVE, MERGED, MERGED_AWAY, WITHDRAWN

PURE = (Score, If, Choose, Split)
EFFECTS = (Send, Set, Enter, Call)
FAILED = "failed"  # what the branch of a call's failure is called in a cursor
ENGAGEMENT = HEARD_AS
KINDS = {name: kind for kind, name in ENGAGEMENT.items()}


@dataclass(frozen=True)
class Listener:
    """Something a running entry listens for.

    `handle` is what an arriving event is said to meet: `leave/0`, `2/reset` or `4/b0`.
    """

    handle: str
    event: str
    condition: str | None = None
    send_id: str | None = None  # engagement with this send of the entry only


def blocks(step: Step) -> dict[str, tuple[Step, ...]]:
    """Return a step's branches by the name they have in a cursor."""
    match step:
        case If():
            return {"then": step.then, "else": step.else_}
        case WaitFor():
            return {f"b{i}": branch.then for i, branch in enumerate(step.branches)} | {"else": step.else_}
        case Choose():
            return {f"c{i}": choice.then for i, choice in enumerate(step.choose)}
        case Call() if step.on_failure:
            return {FAILED: step.on_failure}
        case Split():
            return {arm: step.arms.get(arm, ()) for arm in step.split}
    return {}


def branch_name(step: Step, block: str) -> str:
    """Return a branch in the author's words: what came, what held, the arm's name, `then` or `else`."""
    match step:
        case WaitFor() if block != "else":
            return step.branches[int(block[1:])].on
        case Choose():
            return step.choose[int(block[1:])].if_ or "otherwise"
    return block


class Program:
    """A journey's steps by cursor."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.steps: dict[str, Step] = {}
        self.labels: dict[str, str] = {}
        self._after: dict[str, str | None] = {}
        self._acting: dict[str, frozenset[type]] = {}
        self._index(journey.steps, "", None)
        self._keeps = any(isinstance(step, Call) and step.keep is not None for step in self.steps.values())

    def _index(self, steps: tuple[Step, ...], prefix: str, after: str | None) -> None:
        for i, step in enumerate(steps):
            cursor = f"{prefix}{i}"
            following = f"{prefix}{i + 1}" if i + 1 < len(steps) else after
            self.steps[cursor] = step
            self.labels[cursor] = label(step)
            self._after[cursor] = following
            for name, block in blocks(step).items():
                self._index(block, f"{cursor}.{name}.", following)

    def start(self) -> str:
        """Return the first step's cursor."""
        return "0"

    def after(self, cursor: str) -> str | None:
        """Return what comes after a step and all its branches; None is the journey's end."""
        return self._after[cursor]

    def into(self, cursor: str, block: str) -> str | None:
        """Return the first step of a branch, or what comes after where the branch is empty."""
        first = f"{cursor}.{block}.0"
        return first if first in self.steps else self._after[cursor]

    def sends(self) -> Iterator[tuple[str, Send]]:
        """Return every send with its cursor, in the order of the definition."""
        return ((cursor, step) for cursor, step in self.steps.items() if isinstance(step, Send))

    def may_act(self, cursor: str) -> bool:
        """Tell whether judging from a cursor can lead to a send, a set, an enter or a call before the next wait or end."""
        return bool(self._effects(cursor))

    def may_call(self, cursor: str) -> bool:
        """Tell whether judging from a cursor can lead to a call, which is tried again in a rhythm of its own."""
        return Call in self._effects(cursor)

    def _effects(self, cursor: str) -> frozenset[type]:
        """Return the kinds of effect that judging from a cursor can lead to."""
        if cursor not in self._acting:
            step = self.steps[cursor]
            if isinstance(step, EFFECTS):
                self._acting[cursor] = frozenset({type(step)})
            elif isinstance(step, PURE):
                ways = {self.into(cursor, name) for name in blocks(step)}
                ways.add(self._after[cursor])  # a score, a choose none of whose lines hold
                self._acting[cursor] = frozenset().union(*(self._effects(way) for way in ways if way is not None))
            else:
                self._acting[cursor] = frozenset()
        return self._acting[cursor]

    def keeps_answers(self) -> bool:
        """Tell whether the journey keeps answers of calls, so that conditions can ask them."""
        return self._keeps

    def heading(self, cursor: str | None) -> str:
        """Return the send that a cursor leads up to, by its id; `end` where there is none."""
        found = cursor is None
        for place, step in self.steps.items():
            found = found or place == cursor
            if found and cursor is not None and isinstance(step, Send):
                return send_id(step)
        return "end"

    def outcome_of(self, handle: str) -> str:
        """Return the outcome of leaving by a handle."""
        said = {WITHDRAWN: CONSENT_WITHDRAWN, MERGED: MERGED_AWAY}.get(handle)
        return said if said is not None else self.journey.leave[int(handle.removeprefix(LEAVE))].as_

    def listeners(self) -> list[Listener]:
        """Return all that a running entry of this journey may have to hear of."""
        found = [Listener(f"{LEAVE}{i}", leave.on, leave.if_) for i, leave in enumerate(self.journey.leave)]
        for cursor, step in self.steps.items():
            if isinstance(step, Wait) and step.reset_on:
                found.append(Listener(f"{cursor}/reset", step.reset_on))
            if isinstance(step, WaitFor):
                for i, branch in enumerate(step.branches):
                    send, _, kind = branch.on.rpartition(".")
                    if send and kind in ENGAGEMENT:
                        found.append(Listener(f"{cursor}/b{i}", ENGAGEMENT[kind], branch.if_, send_id=send))
                    else:
                        found.append(Listener(f"{cursor}/b{i}", branch.on, branch.if_))
        return found


def label(step: Step) -> str:
    """Return a step in the author's words, such as `wait 1h`; what Temporal UI shows."""
    text = getattr(step, "label", None)
    if text:
        return str(text)
    match step:
        case Wait(wait=duration):
            return f"wait {duration}"
        case WaitUntil(wait_until=moment):
            return f"wait until {moment}"
        case WaitFor():
            names = " or ".join(branch.on for branch in step.branches)
            return f"wait for {names}, up to {step.up_to}"
        case If(if_=condition):
            return f"if {condition}"
        case Choose():
            return "choose"
        case Split():
            return "split " + "/".join(step.split)
        case Send():
            return f"send {step.send}" + (f" as {step.id}" if step.id and step.id != step.send else "")
        case Set():
            return "set " + ", ".join(step.set)
        case Score(score=model):
            return f"score {model}"
        case Enter(enter=journey):
            return f"enter {journey}"
        case End(end=outcome):
            return f"end {outcome}"
        case Call(call=url):
            return f"call {url}"
    return str(verb_of(step))
