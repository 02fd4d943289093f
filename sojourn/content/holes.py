"""Holes: what a person's values are while the structure of a message is compiled.

MJML costs the same for everyone who gets the same structure, so it is asked once for each. A template is
run with a marker in the place of each value that it shows; what comes out depends on the branches taken
and not on the values. `page.py` compiles that, and puts the values where their markers stand.

A value becomes a hole only where it is shown by itself. Where a template goes on working with what it has
shown (within `{% set %}…{% endset %}`, a macro, a filter's block), the value itself has to stand there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from sojourn.content.budget import current

PREFIX = "sjrnhole"
MARK = re.compile(rf"{PREFIX}(\d+)z")
FILTER = "_hole"


class Hole(Markup):
    """A marker, or a value that has to stand itself; counted and escaped already."""

    __slots__ = ()


class Unholed(Exception):
    """This render cannot be made by holes: a value looks like a marker."""


def mark(number: int) -> str:
    """Return the marker of a hole."""
    return f"{PREFIX}{number}z"


def filled(text: str, values: list[str]) -> str:
    """Return a text with the values in the place of their markers."""
    return MARK.sub(lambda found: values[int(found[1])], text)


def hole(shown: Any) -> Hole:
    """Return the marker for a value that is shown, and keep the value; the value itself where it has to be known.

    Args:
        shown: a text or number that may be shown.
    """
    run, text = current(), escape(shown)
    if run is None or run.holes is None:
        return Hole(text)
    if isinstance(shown, Markup) and ("<" in shown or PREFIX in shown):
        return Hole(text)  # markup of the template's own: it may be structure
    if not text.strip():
        return Hole(text)  # MJML leaves out some of what is empty, so emptiness is a matter of structure
    run.holes.append(str(text))
    return Hole(mark(len(run.holes) - 1))


def refuse_markers(text: str) -> None:
    """Refuse to go on by holes where a value, kept as it is, looks like a marker.

    Raises:
        Unholed: it does.
    """
    run = current()
    if run is not None and run.holes is not None and PREFIX in text:
        raise Unholed


class Holing(NodeTransformer):
    """Rewrites a parsed template so that what it shows by itself passes through `hole`."""

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        """Mark what is shown."""
        node.nodes = [each if isinstance(each, nodes.TemplateData) else _through(each) for each in node.nodes]
        return node

    def _leave(self, node: nodes.Node) -> nodes.Node:
        return node

    visit_AssignBlock = visit_FilterBlock = visit_Macro = visit_CallBlock = _leave


def _through(node: nodes.Expr) -> nodes.Expr:
    return nodes.Filter(node, FILTER, [], [], None, None, lineno=node.lineno)


def per_person(trees: Iterable[nodes.Template]) -> tuple[int, int, str] | None:
    """Return why a content has to be compiled for each person: the place of its tree, the line, the words; None where it need not.

    What an include or a block shows becomes holes, so nothing may go on working with it.
    """
    for place, tree in enumerate(trees):
        for outer in tree.find_all((nodes.AssignBlock, nodes.FilterBlock, nodes.Macro, nodes.CallBlock)):
            inner = next(outer.find_all((nodes.Include, nodes.Block)), None)
            if inner is not None:
                return place, inner.lineno, "an include or block within `set`, `filter`, `macro` or `call`"
        shown = {id(each) for output in tree.find_all(nodes.Output) for each in output.nodes}
        shown |= {id(each.node) for output in tree.find_all(nodes.Output) for each in output.nodes if isinstance(each, nodes.Filter)}
        for call in tree.find_all(nodes.Call):
            if id(call) not in shown and _gives_markup(call):
                return place, call.lineno, "`super()` or a block of `self` within an expression"
    return None


def _gives_markup(call: nodes.Call) -> bool:
    called = call.node
    root = called.node if isinstance(called, nodes.Getattr | nodes.Getitem) else called
    return isinstance(root, nodes.Name) and root.name in ("self", "super")
