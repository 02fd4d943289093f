"""A journey as a Mermaid flowchart: steps top to bottom, branches labelled, what ends it at any time beside it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from sojourn.language.model import Call, Choose, End, Enter, If, Journey, Score, Send, Set, Split, Step, Wait, WaitFor, WaitUntil
from sojourn.language.outline import COMPLETED, send_id

LINE_WIDTH = 28
_ESCAPES = {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "\\": "#92;", "|": "#124;"}
_SHAPES = {
    "start": ('(["', '"])'), "end": ('(["', '"])'), "wait": ('{{"', '"}}'), "ask": ('{"', '"}'), "send": ('[["', '"]]'), "do": ('["', '"]')
}  # fmt: skip
_COLOURS = {
    "start": "fill:#e7f0ea,stroke:#3d7a55",
    "end": "fill:#eceae6,stroke:#77716a",
    "wait": "fill:#fdf4dc,stroke:#b58a1c",
    "send": "fill:#e4edf8,stroke:#2f67a8",
}
_Open = list[tuple[str, str]]  # ends of ways that lead on: a node, and what the way is labelled


def draw(journey: Journey) -> str:
    """Return the Mermaid text of a journey."""
    return _Drawing().journey(journey)


def escaped(text: str) -> str:
    """Return a text as a Mermaid label in quotes may hold it, broken into lines of a readable width."""
    lines = textwrap.wrap("".join(c for c in text if c.isprintable() or c.isspace()), LINE_WIDTH) or [" "]
    return "<br/>".join("".join(_ESCAPES.get(character, character) for character in line) for line in lines)


@dataclass
class _Drawing:
    lines: list[str] = field(default_factory=lambda: ["flowchart TD"])
    kinds: dict[str, list[str]] = field(default_factory=dict)

    def journey(self, journey: Journey) -> str:
        trigger = journey.enter
        text = trigger.on + (f" if {trigger.if_}" if trigger.if_ else "")
        open_ends = self._block(journey.steps, [(self._node("start", text), "")])
        if open_ends:
            self._join(open_ends, self._node("end", COMPLETED))
        for leave in journey.leave:
            event = self._node("start", f"at any time: {leave.on}" + (f" if {leave.if_}" if leave.if_ else ""))
            self.lines.append(f"  {event} -.-> {self._node('end', leave.as_)}")
        for kind, nodes in self.kinds.items():
            if kind in _COLOURS:
                self.lines += [f"  classDef {kind}_ {_COLOURS[kind]},color:#222", f"  class {','.join(nodes)} {kind}_"]
        return "\n".join(self.lines) + "\n"

    def _node(self, kind: str, text: str) -> str:
        name = f"n{sum(map(len, self.kinds.values()))}"
        before, after = _SHAPES[kind]
        self.lines.append(f"  {name}{before}{escaped(text)}{after}")
        self.kinds.setdefault(kind, []).append(name)
        return name

    def _join(self, ways: _Open, node: str) -> None:
        for origin, label in ways:
            self.lines.append(f"  {origin} -->" + (f'|"{escaped(label)}"| ' if label else " ") + node)

    def _block(self, steps: tuple[Step, ...], ways: _Open) -> _Open:
        for step in steps:
            kind, text = _words(step)
            node = self._node(kind, text)
            self._join(ways, node)
            ways = self._onward(step, node)
        return ways

    def _onward(self, step: Step, node: str) -> _Open:
        match step:
            case End():
                return []
            case If():
                return self._block(step.then, [(node, "yes")]) + self._block(step.else_, [(node, "no")])
            case WaitFor():
                single = isinstance(step.wait_for, str)
                ways: _Open = []
                for branch in step.branches:
                    label = "it came" if single else branch.on + (f" if {branch.if_}" if branch.if_ else "")
                    ways += self._block(branch.then, [(node, label)])
                return ways + self._block(step.else_, [(node, f"not within {step.up_to}")])
            case Choose():
                ways = []
                for choice in step.choose:
                    ways += self._block(choice.then, [(node, choice.if_ or "otherwise")])
                return ways if step.choose[-1].if_ is None else [*ways, (node, "otherwise")]
            case Call() if step.on_failure:
                return [(node, ""), *self._block(step.on_failure, [(node, "it failed")])]
            case Split():
                ways, whole = [], sum(step.split.values()) or 1
                for arm, share in step.split.items():
                    ways += self._block(step.arms.get(arm, ()), [(node, f"{arm}: {100 * share / whole:.3g} %")])
                return ways
        return [(node, "")]


def _words(step: Step) -> tuple[str, str]:
    """Return a step's shape and its words."""
    label = getattr(step, "label", None)
    match step:
        case Wait():
            return "wait", label or f"wait {step.wait}" + (f", afresh on each {step.reset_on}" if step.reset_on else "")
        case WaitUntil():
            return "wait", label or f"wait until {step.wait_until}"
        case WaitFor():
            names = " or ".join(branch.on for branch in step.branches)
            return "wait", label or f"wait for {names}" + (f" if {step.if_}" if step.if_ else "") + f", up to {step.up_to}"
        case If():
            return "ask", label or step.if_
        case Choose():
            return "ask", "which is the first that holds?"
        case Split():
            return "ask", f"split {step.id or ''}".rstrip()
        case Send():
            name = f" as {send_id(step)}" if send_id(step) != step.send else ""
            variants = f" ({' / '.join(step.variants)})" if step.variants else ""
            return "send", f"send {step.send}{name}{variants}"
        case Score():
            return "do", f"score {step.score}"
        case Set():
            return "do", "set " + ", ".join(f"{trait} = {value}" for trait, value in step.set.items())
        case Enter():
            return "do", f"enter {step.enter}"
        case Call():
            return "do", label or f"call {step.call}"
        case End():
            return "end", step.end
