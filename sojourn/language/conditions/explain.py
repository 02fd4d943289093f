"""Says why a condition holds or does not: each leaf with its value, and those that decided."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sojourn.language.conditions import tree
from sojourn.language.conditions.closures import (
    Segments,
    compile_test,
    compile_value,
    segment_condition,
    segment_facts,
)
from sojourn.language.conditions.facts import EventFact, Facts
from sojourn.language.conditions.tree import Node, to_text

MAX_SHOWN = 60


@dataclass(frozen=True)
class Leaf:
    """One comparison, call or name, with what it came to.

    Attributes:
        text: the leaf as written.
        value: what it read: of a comparison the side that is not written down (both, as a pair,
            where neither is); else its own value. None is missing.
        holds: whether it holds.
    """

    text: str
    value: Any
    holds: bool

    def __str__(self) -> str:
        shown = "" if isinstance(self.value, bool) and self.value is self.holds else f" ({_shown(self.value)})"
        return f"{self.text}{shown}" if self.holds else f"not {self.text}{shown}"


@dataclass(frozen=True)
class Explanation:
    """Why a condition holds or does not.

    Attributes:
        holds: what it came to.
        leaves: every leaf, in the order of the text; of a segment also those of its own condition.
        deciding: the leaves without which it would have come out otherwise.
    """

    holds: bool
    leaves: tuple[Leaf, ...]
    deciding: tuple[Leaf, ...]

    def sentence(self) -> str:
        """Return the because in short, such as `event.price >= 20 (140) and not segment.vip`."""
        return " and ".join(str(leaf) for leaf in self.deciding) or ("always" if self.holds else "never")


def explain_tree(node: Node, facts: Facts, segments: Segments) -> Explanation:
    """Return why a tree holds or does not for the facts."""
    leaves: list[Leaf] = []
    holds, deciding = _explain(node, facts.event, facts, segments, leaves)
    return Explanation(holds, tuple(leaves), tuple(leaf for i, leaf in enumerate(deciding) if leaf not in deciding[:i]))


def _explain(node: Node, e: EventFact | None, f: Facts, s: Segments, leaves: list[Leaf]) -> tuple[bool, list[Leaf]]:
    match node:
        case tree.Literal():
            return bool(node.value), []
        case tree.Not(of=of):
            holds, deciding = _explain(of, e, f, s, leaves)
            return not holds, deciding
        case tree.And(items=items) | tree.Or(items=items) | tree.AtLeast(items=items):
            results = [_explain(item, e, f, s, leaves) for item in items]
            return _joined(node, results)
    holds = compile_test(node)(e, f, s)
    leaf = Leaf(to_text(node), _read(node, holds, e, f, s), holds)
    leaves.append(leaf)
    if isinstance(node, tree.Segment) and node.name not in f.segments:
        condition, rest = segment_condition(node.name, s)
        inner = segment_facts(condition, f)
        _explain(condition.tree, inner.event, inner, rest, leaves)
    return holds, [leaf]


def _joined(node: tree.And | tree.Or | tree.AtLeast, results: list[tuple[bool, list[Leaf]]]) -> tuple[bool, list[Leaf]]:
    needed = len(results) if isinstance(node, tree.And) else 1 if isinstance(node, tree.Or) else node.count
    held = [deciding for holds, deciding in results if holds]
    failed = [deciding for holds, deciding in results if not holds]
    if len(held) >= needed:
        return True, [leaf for deciding in held[:needed] for leaf in deciding]
    return False, [leaf for deciding in failed[: len(results) - needed + 1] for leaf in deciding]


def _read(node: Node, holds: bool, e: EventFact | None, f: Facts, s: Segments) -> Any:
    match node:
        case tree.Comparison(left=left, right=right) | tree.Membership(left=left, right=right):
            sides = [side for side in (left, right) if not _written(side)]
            values = tuple(compile_value(side)(e, f, s) for side in sides or (left,))
            return values[0] if len(values) == 1 else values
        case tree.Defined(of=of):
            return compile_value(of)(e, f, s)
        case tree.Segment():
            return holds
    return compile_value(node)(e, f, s)


def _written(node: Node) -> bool:
    return isinstance(node, tree.Literal | tree.Now) or (isinstance(node, tree.ListOf) and all(map(_written, node.items)))


def _shown(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.2f}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M UTC")
        case tuple():
            return " and ".join(map(_shown, value))
    text = str(value)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
