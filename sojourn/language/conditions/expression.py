"""Values by the grammar of conditions: computed traits, and how they are put into the trees that ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from sojourn.language.conditions import tree
from sojourn.language.conditions.bands import Banded
from sojourn.language.conditions.closures import Segments, Value, compile_value
from sojourn.language.conditions.condition import Condition, of_tree
from sojourn.language.conditions.facts import EventFact, Facts
from sojourn.language.conditions.grammar import ConditionError, read
from sojourn.language.conditions.names import names_of
from sojourn.language.conditions.parser import MAX_DEPTH, Reader
from sojourn.language.conditions.tree import Kind, Node, kind_of, path_text

Tree: TypeAlias = Node | Banded
"""What a computed trait is: a value's tree, or a number told by its band."""
MAX_NODES = 400  # of one expanded tree; a trait that names another twice doubles it


@dataclass(frozen=True, eq=False)
class Expression:
    """A value whose every word is understood; made by `parse_value`.

    Attributes:
        text: as the author wrote it.
        tree: the checked tree.
        value: gives it for facts in hand; None where it is missing.
    """

    text: str
    tree: Tree = field(repr=False)
    value: Value = field(repr=False)


@lru_cache(maxsize=1024)
def parse_value(text: str) -> Expression:
    """Return the value that a text says, such as `count("Order Completed")`; of a person, at any moment.

    Raises:
        ConditionError: it says none, or it asks what a person's traits and history do not tell.
    """
    node = Reader().value(read(text))
    if kind_of(node) is Kind.LIST:
        raise ConditionError("a list is no computed trait", 0, 'write a value such as count("Order Completed")')
    names = names_of(node)
    if names.segments:
        raise _not_here(text, f"segment.{min(names.segments)}", "ask the segment itself where this trait is asked")
    if names.scores:
        raise _not_here(text, f"score.{min(names.scores)}", "a score belongs to one entry of a journey")
    if names.calls:
        raise _not_here(text, f"call.{min(names.calls)}", "an answer belongs to one entry of a journey")
    if names.engagements:
        send, kind = min(names.engagements)
        raise _not_here(text, f"{send}.{kind}", 'ask the history, such as count("Email Link Clicked", within="30d")')
    if names.event_properties:
        raise _not_here(text, "event.", 'a person has many events; ask one of them, such as last("Order Completed", "revenue")')
    return Expression(text, node, compile_value(node))


@lru_cache(maxsize=1024)
def parse_bands(text: str, bounds: tuple[int, ...]) -> Expression:
    """Return the band that a number lies in, as a text.

    Raises:
        ConditionError: as `parse_value`, or it is no number.
    """
    of = parse_value(text)
    assert not isinstance(of.tree, Banded)
    if kind_of(of.tree) not in (Kind.NUMBER, Kind.ANY):
        raise ConditionError(
            f"{text.strip()} is {kind_of(of.tree).value}; bands need a number", 0, "such as days_since(profile.x) / 365.2425"
        )
    banded = Banded(of.tree, bounds)

    def value(event: EventFact | None, facts: Facts, segments: Segments) -> Any:
        return banded.label(of.value(event, facts, segments))

    return Expression(text, banded, value)


def _not_here(text: str, word: str, hint: str) -> ConditionError:
    return ConditionError(f"{word.rstrip('.')} cannot stand in a computed trait", max(text.find(word), 0), hint)


def expand(node: Node, computed: Mapping[str, Tree]) -> Node:
    """Return a tree in which each computed trait is replaced by its own tree.

    Args:
        node: the tree.
        computed: the trees of the computed traits, themselves expanded (`expand_all`).

    Raises:
        ConditionError: it asks for a part of a computed trait that has none, or becomes too large.
    """
    if not computed:
        return node
    expanded = _expand(node, computed)
    if expanded is not node and _size(expanded) > MAX_NODES:
        raise ConditionError(f"with its computed traits it comes to more than {MAX_NODES} parts", 0, "ask for fewer of them")
    return expanded


def expand_condition(condition: Condition, computed: Mapping[str, Tree]) -> Condition:
    """Return a condition that asks for no computed trait: the same text, the tree expanded; itself where it names none.

    Raises:
        ConditionError: as `expand`.
    """
    node = expand(condition.tree, computed)
    if node is condition.tree:
        return condition
    return of_tree(node, condition.text)


def expand_all(trees: Mapping[str, Tree]) -> dict[str, Tree]:
    """Return computed traits as trees in which no other computed trait is left.

    Raises:
        ConditionError: one is part of its own definition, or becomes too large or too deep.
    """
    cycle = computed_cycle(trees)
    if cycle is not None:
        raise ConditionError("the computed trait is part of its own definition: " + " → ".join(cycle))
    done: dict[str, Tree] = {}

    def finish(name: str) -> Tree:
        if name not in done:
            inner = {other: finish(other) for other in sorted(traits_asked(_node(trees[name])) & trees.keys())}
            node = expand(_node(trees[name]), inner)
            if _depth(node) > MAX_DEPTH:
                raise ConditionError(f"with the computed traits in it, {name} is nested too deeply", 0, "ask for fewer of them")
            whole = trees[name]
            done[name] = replace(whole, of=node) if isinstance(whole, Banded) else node
        return done[name]

    for name in trees:
        finish(name)
    return done


def computed_cycle(trees: Mapping[str, Tree]) -> tuple[str, ...] | None:
    """Return computed traits that are part of their own definition, as a path from the first back to itself; None where none is."""
    clear: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in path:
            return (*path[path.index(name) :], name)
        if name in clear or name not in trees:
            return None
        for other in sorted(traits_asked(_node(trees[name]))):
            found = visit(other, (*path, name))
            if found:
                return found
        clear.add(name)
        return None

    return next((found for name in trees if (found := visit(name, ()))), None)


def _node(whole: Tree) -> Node:
    return whole.of if isinstance(whole, Banded) else whole


def _expand(node: Node, computed: Mapping[str, Tree]) -> Node:
    if isinstance(node, tree.Trait):
        head, *rest = node.path
        its = computed.get(head) if isinstance(head, str) else None
        return node if its is None else _part(its, tuple(rest), str(head))
    return _about_bands(node, computed) or _rebuilt(node, lambda child: _expand(child, computed))


def _about_bands(node: Node, computed: Mapping[str, Tree]) -> Node | None:
    """Return a condition about a band as one about its number; None of any other node."""

    def banded(side: Node) -> tuple[Banded, str] | None:
        its = computed.get(str(side.path[0])) if isinstance(side, tree.Trait) and len(side.path) == 1 else None
        return (its, str(side.path[0])) if isinstance(its, Banded) and isinstance(side, tree.Trait) else None

    match node:
        case tree.Comparison(operator="==" | "!=" as operator, left=left, right=right):
            for one, other in ((left, right), (right, left)):
                if found := banded(one):
                    return found[0].is_one_of([other], found[1], operator == "!=")
        case tree.Membership(left=left, right=tree.ListOf(items=items), negated=negated) if items:
            if found := banded(left):
                return found[0].is_one_of(list(items), found[1], negated)
        case tree.Defined(of=of):
            if found := banded(of):
                return found[0].is_there()
    return None


def _part(node: Tree, rest: tree.Path, name: str) -> Node:
    """Return what stands at a path inside a computed trait."""
    if isinstance(node, Banded):
        raise ConditionError(f"profile.{name} is a band: it can be asked by ==, != or in", 0, f'write profile.{name} == "{node.labels[1]}"')
    match node:
        case _ if not rest:
            return node
        case tree.Trait(path=path):
            return tree.Trait((*path, *rest))
        case tree.Past(function="first" | "last", of=tree.EventProperty(path=path)):
            return replace(node, of=tree.EventProperty((*path, *rest)))
    raise ConditionError(f"profile.{path_text((name, *rest))}: {name} is computed and has no parts", 0, f"write profile.{name}")


def _rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with the nodes directly below it changed; itself where none of them is."""
    before = tree.children(node)
    after = tuple(map(change, before))
    if all(new is old for new, old in zip(after, before, strict=True)):
        return node
    match node:
        case tree.ListOf() | tree.And() | tree.Or() | tree.AtLeast():
            return replace(node, items=after)
        case tree.Arithmetic() | tree.Comparison() | tree.Membership():
            return replace(node, left=after[0], right=after[1])
        case tree.DaysSince() | tree.Negative() | tree.Defined() | tree.Not():
            return replace(node, of=after[0])
        case tree.Past():
            return replace(node, where=after[0])
        case tree.Net() if isinstance(after[0], tree.Past):  # whose refunds follow its sum
            return replace(node, sold=after[0])
    raise AssertionError(node)


def traits_asked(node: Node) -> set[str]:
    """Return the traits that a tree asks for, by the first word of their paths."""
    own = {str(node.path[0])} if isinstance(node, tree.Trait) else set()
    return own.union(*map(traits_asked, tree.children(node)))


def _size(node: Node) -> int:
    return 1 + sum(map(_size, tree.children(node)))


def _depth(node: Node) -> int:
    return 1 + max(map(_depth, tree.children(node)), default=0)
