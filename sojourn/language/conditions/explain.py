"""Says why a condition holds or does not: each leaf with its value, and those that decided."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sojourn.language.conditions import tree
from sojourn.language.conditions.closures import (
    Segments,
    Value,
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

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return _shown(self.value)

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


Explainer: TypeAlias = "Callable[[EventFact | None, Facts, Segments, list[Leaf]], tuple[bool, list[Leaf]]]"
"""Tells whether a node holds and which leaves decided it; adds every leaf to the list."""


def explanation(explain: Explainer, facts: Facts, segments: Segments) -> Explanation:
    """Return why a condition holds or does not for the facts."""
    leaves: list[Leaf] = []
    holds, deciding = explain(facts.event, facts, segments, leaves)
    return Explanation(holds, tuple(leaves), tuple(leaf for i, leaf in enumerate(deciding) if leaf not in deciding[:i]))


def compile_explainer(node: Node) -> Explainer:
    """Return a function that explains a node."""
    match node:
        case tree.Literal(value=value):
            return lambda e, f, s, leaves: (bool(value), [])
        case tree.Not(of=of):
            inner = compile_explainer(of)

            def negated(e: EventFact | None, f: Facts, s: Segments, leaves: list[Leaf]) -> tuple[bool, list[Leaf]]:
                holds, deciding = inner(e, f, s, leaves)
                return not holds, deciding

            return negated
        case tree.And(items=items) | tree.Or(items=items) | tree.AtLeast(items=items):
            needed = len(items) if isinstance(node, tree.And) else 1 if isinstance(node, tree.Or) else node.count
            explainers = [compile_explainer(item) for item in items]
            return lambda e, f, s, leaves: _joined(needed, [explain(e, f, s, leaves) for explain in explainers])
    return _leaf(node)


def _leaf(node: Node) -> Explainer:
    test, read, text = compile_test(node), _reader(node), to_text(node)

    def explain(e: EventFact | None, f: Facts, s: Segments, leaves: list[Leaf]) -> tuple[bool, list[Leaf]]:
        holds = test(e, f, s)
        leaf = Leaf(text, read(e, f, s), holds)
        leaves.append(leaf)
        return holds, [leaf]

    if not isinstance(node, tree.Segment):
        return explain
    name = node.name

    def explain_segment(e: EventFact | None, f: Facts, s: Segments, leaves: list[Leaf]) -> tuple[bool, list[Leaf]]:
        found = explain(e, f, s, leaves)
        if name not in f.segments:
            condition, rest = segment_condition(name, s)
            inner = segment_facts(condition, f)
            condition.explainer(inner.event, inner, rest, leaves)
        return found

    return explain_segment


def _joined(needed: int, results: list[tuple[bool, list[Leaf]]]) -> tuple[bool, list[Leaf]]:
    held = [deciding for holds, deciding in results if holds]
    failed = [deciding for holds, deciding in results if not holds]
    if len(held) >= needed:
        return True, [leaf for deciding in held[:needed] for leaf in deciding]
    return False, [leaf for deciding in failed[: len(results) - needed + 1] for leaf in deciding]


def _reader(node: Node) -> Value:
    """Return a function that gives what a leaf shows beside its text."""
    match node:
        case tree.Comparison(left=left, right=right) | tree.Membership(left=left, right=right):
            values = [compile_value(side) for side in (left, right) if not _written(side)] or [compile_value(left)]
            return values[0] if len(values) == 1 else lambda e, f, s: tuple(value(e, f, s) for value in values)
        case tree.Defined(of=of):
            return compile_value(of)
    return compile_value(node)


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
