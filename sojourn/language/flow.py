"""Walks a journey as a person might: what is reachable, what was sent or scored before, what each step names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from sojourn.language.finding import Findings, Known
from sojourn.language.model import Call, Choose, Enter, If, Journey, Score, Send, Split, Step, Wait, WaitFor, WaitUntil
from sojourn.language.moments import LocalMoment
from sojourn.language.outline import ENGAGEMENTS, Way, always_ends, blocks, passes, send_id
from sojourn.language.problems import listed, shown, unknown
from sojourn.language.words import BEST_TIME, NOT_YET, check_duration, check_event_name, check_send, check_shares


@dataclass(frozen=True)
class Before:
    """What may have happened before a step, on some way to it."""

    sends: frozenset[str] = field(default_factory=frozenset)
    scores: frozenset[str] = field(default_factory=frozenset)
    calls: frozenset[str] = field(default_factory=frozenset)  # whose answers are kept
    rested: frozenset[str] = field(default_factory=frozenset)  # sends after which time has passed

    def __or__(self, other: Before) -> Before:
        return Before(self.sends | other.sends, self.scores | other.scores, self.calls | other.calls, self.rested | other.rested)

    def later(self) -> Before:
        """Return the same after a wait."""
        return replace(self, rested=self.sends)


NAMESPACES = ("segment", "profile", "event", "score", "call")
ADDRESS = re.compile(r"^https://(?P<host>[a-z0-9.-]{1,253})(:\d{1,5})?([/?][!-~]*)?$")
ConditionCheck = Callable[[str, Way, Before], None]


class Flow:
    """One walk through a journey.

    Args:
        known: names that exist beside it.
        found: takes what is wrong.
        condition: called with each condition of a step, its way, and what came before.
    """

    def __init__(self, known: Known, found: Findings, condition: ConditionCheck) -> None:
        self._known, self._found, self._condition = known, found, condition
        self._ids: dict[str, Way] = {}
        self._kept: set[str] = set()

    def check(self, journey: Journey) -> None:
        """Check all steps."""
        self._block(journey.steps, ("steps",), Before())

    def _block(self, steps: tuple[Step, ...], way: Way, before: Before) -> Before | None:
        """Check a block; return what may have happened after it, None where no way leads past it."""
        ended = False
        for i, step in enumerate(steps):
            here = (*way, i)
            if ended:
                self._found.add(here, "no way leads to this step: every way before it ends the journey; remove it, or an `end`")
                ended = False  # said once; what follows is checked as though it could be reached
            before = self._step(step, here, before)
            ended = always_ends(step)
        return None if ended else before

    def _step(self, step: Step, way: Way, before: Before) -> Before:
        self._words(step, way, before)
        match step:
            case Score():
                return before | Before(scores=frozenset({step.score}))
            case Send():
                self._send(step, way)
                return before | Before(sends=frozenset({send_id(step)}))
            case Call():
                # On the way of its failure there is no answer; whoever answers may take an hour.
                before = before.later()
                kept = before | Before(calls=frozenset({step.keep} if step.keep is not None else ()))
                failed = self._block(step.on_failure, (*way, "on_failure"), before)
                return kept if failed is None else kept | failed
        if isinstance(step, WaitUntil | WaitFor) or (isinstance(step, Wait) and passes(step)):
            before = before.later()
        inner = blocks(step, way)
        if not inner:
            return before
        ways = [self._block(block, place, before) for place, block in inner]
        after = [each for each in ways if each is not None]
        if isinstance(step, Choose) and step.choose[-1].if_ is not None:
            after.append(before)
        result = Before()
        for each in after:
            result |= each
        return result if after else before

    def _words(self, step: Step, way: Way, before: Before) -> None:
        match step:
            case Wait():
                check_duration(step.wait, (*way, "wait"), self._found)
                if step.reset_on is not None:
                    check_event_name(step.reset_on, (*way, "reset_on"), self._known.events or (), self._found)
            case WaitUntil():
                self._wait_until(step, way)
            case WaitFor():
                self._wait_for(step, way, before)
            case If():
                self._condition(step.if_, (*way, "if"), before)
            case Choose():
                self._choose(step, way, before)
            case Split():
                self._split(step, way)
            case Score():
                self._name("model", step.score, self._known.models, (*way, "score"))
            case Enter():
                self._name("journey", step.enter, self._known.journeys, (*way, "enter"))
            case Call():
                self._call(step, way)

    def _name(self, kind: str, name: str, known: frozenset[str] | None, way: Way) -> None:
        if known is not None and name not in known:
            self._found.add(way, unknown(kind, name, known))

    def _send(self, step: Send, way: Way) -> None:
        self._name("content", step.send, self._known.contents, (*way, "send"))
        name = send_id(step)
        if name in self._ids:
            self._found.add((*way, "id" if step.id else "send"), f"a second send called `{name}`; give each an `id` of its own")
        self._ids.setdefault(name, way)
        check_send(step, way, self._found)

    def _call(self, step: Call, way: Way) -> None:
        found = ADDRESS.match(step.call)
        if found is None:
            self._found.add((*way, "call"), "`call` needs an address such as https://api.shop.example/loyalty")
        elif self._known.hosts is not None and found["host"] not in self._known.hosts:
            where = " (hosts stand in shop.yaml under `connected`)"
            self._found.add((*way, "call"), unknown("host", found["host"], self._known.hosts) + where)
        check_duration(step.up_to, (*way, "up_to"), self._found)
        if step.keep is None:
            return
        if step.keep in self._kept:
            self._found.add((*way, "keep"), f"a second answer kept as `{step.keep}`; give each a name of its own")
        self._kept.add(step.keep)

    def _wait_until(self, step: WaitUntil, way: Way) -> None:
        if step.wait_until == BEST_TIME:
            self._found.add((*way, "wait_until"), NOT_YET + "`best_time` needs the send-time model; write a time such as 09:00 for now")
            return
        try:
            LocalMoment.parse(step.wait_until)
        except ValueError as error:
            self._found.add((*way, "wait_until"), str(error))
        if step.up_to is not None:
            check_duration(step.up_to, (*way, "up_to"), self._found)

    def _wait_for(self, step: WaitFor, way: Way, before: Before) -> None:
        check_duration(step.up_to, (*way, "up_to"), self._found)
        if isinstance(step.wait_for, str):
            self._awaited(step.wait_for, (*way, "wait_for"), before)
            if step.if_ is not None:
                self._condition(step.if_, (*way, "if"), before)
            return
        if not step.wait_for:
            self._found.add((*way, "wait_for"), "waits for nothing; list what it waits for, each with `on` and `then`")
        if step.if_ is not None or step.then:
            key = "then" if step.then else "if"
            self._found.add((*way, key), f"with a list under `wait_for`, `{key}` belongs into each of its lines", at_key=True)
        for i, branch in enumerate(step.wait_for):
            self._awaited(branch.on, (*way, "wait_for", i, "on"), before)
            if branch.if_ is not None:
                self._condition(branch.if_, (*way, "wait_for", i, "if"), before)

    def _awaited(self, name: str, way: Way, before: Before) -> None:
        send, dot, kind = name.rpartition(".")
        if not dot or " " in name or send in NAMESPACES:  # the name of an event
            check_event_name(name, way, self._known.events or (), self._found)
            return
        meant = send in before.sends or send in self._ids
        if kind in ENGAGEMENTS and send not in before.sends:
            late = f"`{send}` is not sent before this step; only an earlier send can be waited for"
            self._found.add(way, late if send in self._ids else unknown("earlier send", send, before.sends))
        elif kind not in ENGAGEMENTS and (meant or get_close_matches(kind, ENGAGEMENTS, 1, 0.8)):
            self._found.add(way, f"{shown(kind)} is nothing a send can have done; it can be {listed(ENGAGEMENTS)}")

    def _choose(self, step: Choose, way: Way, before: Before) -> None:
        for i, line in enumerate(step.choose):
            if line.if_ is not None:
                self._condition(line.if_, (*way, "choose", i, "if"), before)
            elif i + 1 < len(step.choose):
                self._found.add(
                    (*way, "choose", i + 1), "never reached: the line before it has no `if`, so is always taken; move that one last"
                )
        if all(line.if_ is None for line in step.choose):
            self._found.add((*way, "choose"), "nothing to choose by: no line has an `if`; write the steps without `choose`", at_key=True)

    def _split(self, step: Split, way: Way) -> None:
        check_shares(step.split, (*way, "split"), self._found)
        for arm in step.arms:
            if arm not in step.split:
                self._found.add((*way, "arms", arm), unknown("arm", arm, step.split), at_key=True)
        for arm in step.split.keys() - step.arms.keys() if step.arms else ():
            text = f"`{arm}` has no steps under `arms`, so who falls into it goes straight on; write `{arm}: []` where that is meant"
            self._found.warn((*way, "split", arm), text, at_key=True)
        if not any(step.arms.values()):
            self._found.add((*way, "split"), "no arm has steps; write them under `arms`, by the arm's name", at_key=True)
