"""Turns Jinja's tree into the checked tree, refusing all that a condition may not say."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from typing import NoReturn

from jinja2 import nodes

from sojourn.language.conditions import tree
from sojourn.language.conditions.functions import ENGAGEMENTS, FUNCTIONS, read_call
from sojourn.language.conditions.grammar import ConditionError, read
from sojourn.language.conditions.tree import Kind, Node, kind_of, to_text
from sojourn.local_time import parse_moment

MAX_DEPTH = 10  # a query nested deeper overflows the parser of SQLite before 3.46
LARGEST = 2**53  # beyond it, whole numbers are no longer exact everywhere
ROOTS = ("event", "profile", "segment", "score", "call", "now")
_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_ARITHMETIC = {nodes.Add: "+", nodes.Sub: "-", nodes.Mul: "*", nodes.Div: "/"}
_REFUSED: dict[type[nodes.Expr], tuple[str, str]] = {
    nodes.Filter: ("a filter ('|') cannot be used in a condition", "write or for an alternative"),
    nodes.CondExpr: ("'… if … else …' cannot be used in a condition", "write and, or"),
    nodes.Concat: ("'~' cannot be used in a condition", ""),
    nodes.Dict: ("a mapping cannot be used in a condition", "write the condition bare, without braces"),
    nodes.Pow: ("'**' cannot be used in a condition", "it knows + - * /"),
    nodes.Mod: ("'%' cannot be used in a condition", "it knows + - * /"),
    nodes.FloorDiv: ("'//' cannot be used in a condition", "it knows + - * /"),
}


def parse_tree(text: str) -> Node:
    """Return the checked tree of a condition.

    Raises:
        ConditionError: with the offset of what is wrong and, where something is near, a hint.
    """
    return Reader().condition(read(text))


class Reader:
    """Reads expressions into the checked tree.

    Args:
        offset: where the text stands inside a longer one; a `where` inside its condition.
        nested: whether this is a `where`, in which only the event at hand, the profile and now are known.
    """

    def __init__(self, offset: int = 0, nested: bool = False) -> None:
        self.offset = offset
        self.nested = nested
        self._depth = 0

    def fail(self, at: nodes.Node | int, message: str, hint: str = "") -> NoReturn:
        """Refuse what stands at a node or an offset."""
        raise ConditionError(message, self.offset + (at if isinstance(at, int) else start(at)), hint)

    def fail_unknown(self, at: nodes.Node | int, what: str, found: str, known: Iterable[str]) -> NoReturn:
        """Refuse a name that is not known, naming the nearest."""
        near = get_close_matches(found, list(known), 1)
        self.fail(at, f"unknown {what} {found!r}", f"did you mean {near[0]}?" if near else "it may be " + ", ".join(known))

    def condition(self, expression: nodes.Expr) -> Node:
        """Read what holds or does not."""
        node = self.value(expression)
        if isinstance(node, tree.Literal) and not isinstance(node.value, bool):
            self.fail(expression, f"{to_text(node)} alone asks nothing", "to allow several values write x in [a, b]")
        if kind_of(node) in (Kind.LIST, Kind.MOMENT) and not isinstance(node, tree.Past):
            self.fail(expression, f"{to_text(node)} is {kind_of(node).value}, which alone says nothing", "compare it with something")
        return node

    def value(self, expression: nodes.Expr) -> Node:
        """Read anything."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(expression, "the condition is nested too deeply", "split it into segments")
        node = self._value(expression)
        self._depth -= 1
        return node

    def _value(self, expression: nodes.Expr) -> Node:
        match expression:
            case nodes.And() | nodes.Or():
                items = tuple(self.condition(item) for item in _flat(expression))
                return tree.And(items) if isinstance(expression, nodes.And) else tree.Or(items)
            case nodes.Not(node=of):
                return tree.Not(self.condition(of))
            case nodes.Compare():
                return self._comparisons(expression)
            case nodes.Test():
                return self._test(expression)
            case nodes.Add() | nodes.Sub() | nodes.Mul() | nodes.Div():
                left, right = self._number(expression.left), self._number(expression.right)
                return tree.Arithmetic(_ARITHMETIC[type(expression)], left, right)  # type: ignore[arg-type]
            case nodes.Neg(node=of):
                number = self._number(of)
                return tree.Literal(-number.value) if isinstance(number, tree.Literal) and number.value else tree.Negative(number)  # type: ignore[operator]
            case nodes.Pos(node=of):
                return self._number(of)
            case nodes.Const(value=value):
                return self._literal(expression, value)
            case nodes.List(items=items) | nodes.Tuple(items=items):
                return tree.ListOf(tuple(self.value(item) for item in items))
            case nodes.Call():
                return read_call(self, expression)
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self._name(expression)
        message, hint = _REFUSED.get(type(expression), ("this cannot be used in a condition", ""))
        self.fail(expression, message, hint)

    def _literal(self, expression: nodes.Expr, value: object) -> Node:
        if value is None:
            self.fail(expression, "nothing can be compared with none", "write x is defined, or not x is defined")
        assert isinstance(value, bool | int | float | str)
        if not isinstance(value, str) and (not math.isfinite(value) or abs(value) >= LARGEST):
            self.fail(expression, "this number is too large")
        return tree.Literal(value)

    def _number(self, expression: nodes.Expr) -> Node:
        node = self.value(expression)
        if kind_of(node) is Kind.MOMENT:
            self.fail(expression, f"{to_text(node)} is a moment; + - * / need numbers", "write days_since(x)")
        if kind_of(node) not in (Kind.NUMBER, Kind.ANY):
            self.fail(expression, f"{to_text(node)} is {kind_of(node).value}; + - * / need numbers")
        return node

    def _comparisons(self, expression: nodes.Compare) -> Node:
        left, found = expression.expr, []
        for operand in expression.ops:
            found.append(self._comparison(left, operand.op, operand.expr))
            left = operand.expr
        return found[0] if len(found) == 1 else tree.And(tuple(found))

    def _comparison(self, left: nodes.Expr, operator: str, right: nodes.Expr) -> Node:
        one, other = self.value(left), self.value(right)
        if kind_of(one) is Kind.LIST:
            self.fail(left, "a list cannot be compared", "write x in [a, b]")
        if operator in ("in", "notin"):
            if kind_of(other) not in (Kind.LIST, Kind.TEXT, Kind.ANY):
                self.fail(right, f"to the right of in stands a list or a text, not {kind_of(other).value}", "write x in [a, b]")
            for item in other.items if isinstance(other, tree.ListOf) else ():
                self._check_alike(right, "==", one, item)
            return tree.Membership(one, other, operator == "notin")
        if kind_of(other) is Kind.LIST:
            self.fail(right, "a list cannot be compared", "write x in [a, b]")
        self._check_alike(right, _COMPARISONS[operator], one, other)
        return tree.Comparison(_COMPARISONS[operator], one, other)  # type: ignore[arg-type]

    def _check_alike(self, at: nodes.Expr, operator: str, one: Node, other: Node) -> None:
        kinds = {kind_of(one), kind_of(other)}
        if Kind.BOOL in kinds and operator not in ("==", "!="):
            self.fail(at, f"true and false cannot be compared by {operator}")
        if kinds == {Kind.MOMENT, Kind.TEXT}:
            for side in (one, other):
                if isinstance(side, tree.Literal) and parse_moment(str(side.value)) is None:
                    self.fail(at, f"{to_text(side)} is not a moment", "write one such as 2026-01-31 or 2026-01-31T09:00:00Z")
        elif Kind.ANY not in kinds and len(kinds) == 2:
            self.fail(at, f"{to_text(one)} is {kind_of(one).value} and {to_text(other)} is {kind_of(other).value}: this never holds")

    def _test(self, expression: nodes.Test) -> Node:
        if expression.name not in ("defined", "undefined"):
            self.fail(expression, f"unknown test 'is {expression.name}'", "write x is defined, or == to compare")
        if not isinstance(expression.node, nodes.Name | nodes.Getattr | nodes.Getitem | nodes.Call):
            self.fail(expression, "is defined asks for a name", "write event.x is defined")
        of = tree.Defined(self.value(expression.node))
        return of if expression.name == "defined" else tree.Not(of)

    # -- names ---------------------------------------------------------------------------------

    def _name(self, expression: nodes.Expr) -> Node:
        root, path = self._path(expression)
        if root == "now" and not path:
            return tree.Now()
        if root == "event" and path:
            return tree.event_part(path)
        if root == "profile" and path:
            return tree.Trait(path)
        if root in ("event", "profile"):
            self.fail(expression, f"{root} alone says nothing", "name one of its values, such as event.price or profile.city")
        if self.nested:
            self.fail_unknown(expression, "name in where", root, ("event", "profile", "now"))
        if root in ("segment", "score"):
            if len(path) != 1 or not isinstance(path[0], str):
                self.fail(expression, f"{root} needs one name", f"write {root}.name")
            return tree.Segment(path[0]) if root == "segment" else tree.Score(path[0])
        if root == "call" and not (len(path) == 1 and path[0] in ENGAGEMENTS):  # a send may be called `call`
            if not path or not isinstance(path[0], str):
                self.fail(expression, "call needs the name that an answer is kept under", "write call.name.value")
            return tree.Called(path[0], path[1:])
        if len(path) == 1 and path[0] in ENGAGEMENTS:
            return tree.Engagement(root, str(path[0]))
        self._unknown(expression, root, path)

    def _unknown(self, expression: nodes.Expr, root: str, path: tree.Path) -> NoReturn:
        names = get_close_matches(root, [*ROOTS, *FUNCTIONS], 1, 0.75)
        if names:
            self.fail(expression, f"unknown name {_dotted(root, path)!r}", f"did you mean {_dotted(names[0], path)}?")
        kinds = get_close_matches(str(path[0]), ENGAGEMENTS, 1) if path else []
        if kinds:
            self.fail(expression, f"unknown name {_dotted(root, path)!r}", f"did you mean {root}.{kinds[0]}?")
        hint = f"write event.{root}, profile.{root} or, for a text, quotation marks"
        if path:
            hint = f"a message's engagement is {root}.clicked"
        self.fail(expression, f"unknown name {_dotted(root, path)!r}", hint)

    def where(self, text: str, offset: int) -> Node:
        """Read the condition that a `where` holds; the offset is where it begins."""
        try:
            inner = read(text)
        except ConditionError as error:
            self.fail(offset + error.position, f"in where: {error.message}", error.hint)
        return Reader(self.offset + offset, nested=True).condition(inner)

    def path_of(self, text: str, offset: int) -> tree.Path:
        """Read the name of a property as it is written after `event.`, such as `cart.id`."""
        written = text if text.startswith("[") else f".{text}"
        try:
            root, path = Reader(0)._path(read(f"event{written}"))
        except ConditionError:
            root, path = "", ()
        if root != "event" or not path:
            self.fail(offset, f"{text!r} is not the name of a property", "write one such as revenue or cart.id")
        return path

    def _path(self, expression: nodes.Expr) -> tuple[str, tree.Path]:
        parts: list[str | int] = []
        place = expression
        while not isinstance(place, nodes.Name):
            if isinstance(place, nodes.Getattr):
                parts.append(place.attr)
            elif isinstance(place, nodes.Getitem) and isinstance(place.arg, nodes.Const) and _is_key(place.arg.value):
                parts.append(place.arg.value)
            elif not isinstance(place, nodes.Getitem):
                self.fail(expression, "only a name can be followed by a dot or brackets", 'write last("Order Completed", "revenue")')
            else:
                self.fail(expression, "in brackets stands a name in quotation marks or a position from 0", "write event.products[0].sku")
            place = place.node
        return place.name, tuple(reversed(parts))


def start(node: nodes.Node) -> int:
    """Return the offset at which an expression begins."""
    match node:
        case nodes.Getattr(node=first) | nodes.Getitem(node=first) | nodes.Call(node=first) | nodes.Test(node=first):
            return start(first)
        case nodes.Filter(node=nodes.Expr() as first):
            return start(first)
        case nodes.BinExpr(left=first) | nodes.Compare(expr=first) | nodes.CondExpr(expr1=first):
            return start(first)
        case nodes.Concat(nodes=[first, *_]):
            return start(first)
    return node.lineno


def _flat(expression: nodes.And | nodes.Or) -> list[nodes.Expr]:
    items: list[nodes.Expr] = []
    place: nodes.Expr = expression
    while type(place) is type(expression):
        assert isinstance(place, nodes.BinExpr)
        items.append(place.right)
        place = place.left
    return [place, *reversed(items)]


def _is_key(value: object) -> bool:
    if isinstance(value, str):
        return bool(value) and not set(value) & {'"', "\\"} and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _dotted(root: str, path: tree.Path) -> str:
    return root + (f".{tree.path_text(path)}" if path else "")
