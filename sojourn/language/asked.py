"""Checks of conditions where they stand: that they are understood, and that all they name exists there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sojourn.language.conditions import Condition, ConditionError, listed, parse, segment_cycle, tree
from sojourn.language.conditions.turning import unreckonable
from sojourn.language.finding import Finding, Findings
from sojourn.language.flow import Before
from sojourn.language.model import Journey, Segment
from sojourn.language.outline import Way
from sojourn.language.problems import nearest, shown, unknown

SEGMENT_EVENTS = ("Segment Entered", "Segment Exited")
READERS_DEEDS = ("opened", "clicked", "complained")  # none is done within the moment of sending; a delivery or a refusal may be


@dataclass(frozen=True)
class Asked:
    """Checks the conditions of one journey.

    Args:
        segments: those that exist; None where that is not known.
        everything: what may be sent or scored anywhere in the journey.
        found: takes what is wrong.
    """

    segments: frozenset[str] | None
    everything: Before
    found: Findings

    def step(self, text: str, way: Way, before: Before) -> None:
        """Check a condition of a step, given what came before it."""
        condition = understood(text, way, self.found)
        if condition is None:
            return
        self._segments(condition, way)
        for score in sorted(condition.names.scores - before.scores):
            self._too_early(text, way, f"score.{score}", f"`score: {score}`", score, self.everything.scores, before.scores)
        for call in sorted(condition.names.calls - before.calls):
            kept = f"a `call` with `keep: {call}`"
            self._too_early(text, way, f"call.{call}", kept, call, self.everything.calls, before.calls)
        for send, kind in sorted(condition.names.engagements):
            if kind in READERS_DEEDS and send in before.sends and send not in before.rested:
                late = f"`{send}.{kind}` never holds here: nobody has had time since `{send}` went; put a `wait` or a `wait_for` between"
                self.found.add(way, late, max(text.find(f"{send}."), 0))
        for send in sorted({send for send, _ in condition.names.engagements} - before.sends):
            self._too_early(text, way, f"{send}.", f"a send called `{send}`", send, self.everything.sends, before.sends)

    def head(self, journey: Journey) -> None:
        """Check the conditions of `enter`, `leave` and `goal`."""
        trigger = journey.enter
        if trigger.if_ is not None:
            self.step(trigger.if_, ("enter", "if"), Before())
            if trigger.on in SEGMENT_EVENTS:
                self._segment_event(trigger.if_)
        whenever = self.everything.later()
        for i, leave in enumerate(journey.leave):
            if leave.if_ is not None:
                self.step(leave.if_, ("leave", i, "if"), whenever)
        if journey.goal is not None and journey.goal.if_ is not None:
            self.step(journey.goal.if_, ("goal", "if"), whenever)

    def _segments(self, condition: Condition, way: Way) -> None:
        check_segment_names(condition, way, self.segments, self.found)

    def _too_early(self, text: str, way: Way, written: str, step: str, name: str, anywhere: Iterable[str], before: Iterable[str]) -> None:
        offset = max(text.find(written), 0)
        if name in anywhere:
            self.found.add(way, f"`{written.rstrip('.')}` is used before it is there; no way to this condition passes {step}", offset)
        else:
            hint = nearest(name, before) or f"; no way to this condition passes {step}"
            self.found.add(way, f"unknown {shown(written.rstrip('.'))}{hint}", offset)

    def _segment_event(self, text: str) -> None:
        condition = understood(text, ("enter", "if"), Findings())
        if condition is None or self.segments is None:
            return
        for node in _nodes(condition.tree):
            match node:
                case tree.Comparison(left=tree.EventProperty(path=("segment",)), right=tree.Literal(value=str() as name)):
                    if name not in self.segments:
                        self.found.add(("enter", "if"), unknown("segment", name, self.segments), max(text.find(name), 0))


@lru_cache(maxsize=1024)
def segments_awaited(text: str) -> frozenset[str]:
    """Return the only segments whose events a filter can hold for; empty where it does not say: it may be any.

    `event.segment == "dormant"` says one, alone or as a part of an `and`.
    """
    whole = parse(text).tree
    for part in whole.items if isinstance(whole, tree.And) else (whole,):
        match part:
            case tree.Comparison(operator="==", left=tree.EventProperty(path=("segment",)), right=tree.Literal(value=str() as name)):
                return frozenset({name})
            case tree.Membership(left=tree.EventProperty(path=("segment",)), right=tree.ListOf(items=items), negated=False):
                return frozenset(str(item.value) for item in items if isinstance(item, tree.Literal))
    return frozenset()


def understood(text: str, way: Way, found: Findings) -> Condition | None:
    """Return the condition that a text says; None, with a finding, where it says none."""
    try:
        return parse(text)
    except ConditionError as error:
        found.add(way, str(error), error.position)
    return None


def check_segment_names(condition: Condition, way: Way, known: frozenset[str] | None, found: Findings) -> None:
    """Check that the segments a condition names exist."""
    for name in sorted(condition.names.segments - (known if known is not None else condition.names.segments)):
        found.add(way, unknown("segment", name, known or ()), max(condition.text.find(f"segment.{name}"), 0))


def check_segments(segments: Mapping[str, Segment], known: frozenset[str] | None) -> dict[str, list[Finding]]:
    """Return what is wrong with segments, by name."""
    way: Way = ("members",)
    by_name: dict[str, Findings] = {name: Findings() for name in segments}
    conditions: dict[str, Condition] = {}
    for name, segment in segments.items():
        found = by_name[name]
        if (segment.members is None) is (segment.list_ is None):
            found.add((), "a segment has either `members`, a condition, or `list`, who is kept on it: write one of the two")
        if segment.members is None:
            conditions[name] = listed(name)
            continue
        condition = understood(segment.members, way, found)
        if condition is None:
            continue
        conditions[name] = condition
        check_segment_names(condition, way, known, found)
        names = condition.names
        for words, what in ((names.event_properties, "event."), (names.scores, "score."), (names.calls, "call.")):
            if words:
                text = f"`{what}{min(words)}`: a segment knows traits and history of people, no one event and no score"
                found.add(way, text, max(segment.members.find(what), 0))
        for send, kind in sorted(names.engagements):
            text = (
                f'`{send}.{kind}`: a segment knows no journey\'s messages; ask the history, such as did("Email Link Clicked", within="30d")'
            )
            found.add(way, text, max(segment.members.find(f"{send}.{kind}"), 0))
        for text, instead in unreckonable(condition.tree):
            found.add(way, f"`{text}`: when this changes with the time cannot be reckoned; {instead}")
    cycle = segment_cycle(conditions)
    if cycle is not None:
        by_name[cycle[0]].add(way, "the segment is part of its own definition: " + " → ".join(cycle))
    return {name: found.all for name, found in by_name.items()}


def _nodes(node: tree.Node) -> Iterator[tree.Node]:
    yield node
    for child in tree.children(node):
        yield from _nodes(child)
