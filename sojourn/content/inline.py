"""Puts what is the same for everyone of a language into a template before it is compiled: `theme.*` and `text.*`.

So a text is part of the template, tokens and markup and all, and a colour part of the structure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.visitor import NodeTransformer

from sojourn.content.blocks import Block
from sojourn.content.tags import using_what_is_there
from sojourn.content.theme import Theme, value_of
from sojourn.content.translations import Catalogue
from sojourn.language.problems import unknown

TEXT, THEME = "text", "theme"


class Inlining(NodeTransformer):
    """Rewrites a parsed template.

    Args:
        content: the content that it belongs to; None for a layout or block.
        language: in which texts are said; None for that of the content.
        catalogue: the texts.
        theme: the theme.
        blocks: by file, what each declares.
        parse: reads a text as a template.
        noted: takes what is wrong: (line, message).
    """

    def __init__(
        self,
        content: str | None,
        language: str | None,
        catalogue: Catalogue,
        theme: Theme,
        blocks: Mapping[str, Block | None],
        parse: Callable[[str], nodes.Template],
        noted: list[tuple[int, str]],
    ) -> None:
        self.content, self.language, self.catalogue, self.theme = content, language, catalogue, theme
        self.blocks, self.parse, self.noted = blocks, parse, noted
        self._inside = False  # of a text

    def visit_Output(self, node: nodes.Output) -> Any:
        """Put a text that is shown by itself in its place, with all that it is made of."""
        made: list[nodes.Node] = []
        for each in node.nodes:
            way = _way(each)
            if way is None or way[0] != TEXT or len(way) != 2:
                shown = self.visit(each)
                if isinstance(shown, nodes.Const):
                    shown = nodes.TemplateData(_escaped(shown.value), lineno=node.lineno)
                made.append(nodes.Output([shown], lineno=node.lineno))
            else:
                made += self._text(way[1], each.lineno)
        return _joined(made, node.lineno)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:
        """Put a value of the theme, or a text that is worked with, in its place."""
        way = _way(node)
        if way is None or way[0] not in (TEXT, THEME):
            return self.generic_visit(node)
        if way[0] == THEME:
            return self._theme(way[1:], node.lineno)
        body = self._text(way[1], node.lineno)
        parts = [part for output in body for part in (output.nodes if isinstance(output, nodes.Output) else [])]
        if any(not isinstance(output, nodes.Output) for output in body):
            message = f"`text.{way[1]}` has `{{% … %}}` in it, so it can only be shown by itself: {{{{ text.{way[1]} }}}}"
            self.noted.append((node.lineno, message))
        said = [nodes.Const(part.data) if isinstance(part, nodes.TemplateData) else part for part in parts]
        whole = said[0] if len(said) == 1 else nodes.Concat(said) if said else nodes.Const("")
        return whole.set_lineno(node.lineno)

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        """Give an included block what it declares: its defaults, and what a missing fact does."""
        return using_what_is_there(node, self.blocks)

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        """Refuse the whole of the texts or of the theme as a value."""
        if node.name in (TEXT, THEME) and node.ctx == "load":
            self.noted.append((node.lineno, f"write one of its names, such as {'text.hello' if node.name == TEXT else 'theme.width'}"))
            return nodes.Const("", lineno=node.lineno)
        return node

    def _theme(self, way: list[str], lineno: int) -> nodes.Node:
        try:
            value = value_of(self.theme, way)
        except KeyError as error:
            self.noted.append((lineno, unknown("token", ".".join([THEME, *way]), error.args[0])))
            value = ""
        return nodes.Const(value, lineno=lineno)

    def _text(self, name: str, lineno: int) -> list[nodes.Node]:
        if self._inside:
            self.noted.append((lineno, f"`text.{name}` stands in a text; a text cannot be made of texts"))
            return []
        source = self.catalogue.find(self.content, self.language, name)
        if source is None:
            self.noted.append((lineno, unknown("token", f"text.{name}", {f"text.{known}" for known in self.catalogue.names(self.content)})))
            return []
        try:
            tree = self.parse(source)
        except TemplateError as error:
            spoken = f" in {self.language}" if self.language else ""
            self.noted.append((lineno, f"`text.{name}`{spoken}: {error.message}"))
            return []
        self._inside = True
        tree = self.visit(tree)
        self._inside = False
        for node in tree.body:
            node.set_lineno(lineno, override=True)
        return list(tree.body)


def _way(node: nodes.Node) -> list[str] | None:
    """Return `theme.colors.text` as its parts; None where it is no such name."""
    way: list[str] = []
    at = node
    while isinstance(at, nodes.Getattr):
        way.insert(0, at.attr)
        at = at.node
    return [at.name, *way] if isinstance(at, nodes.Name) and way and at.ctx == "load" else None


def _joined(made: list[nodes.Node], lineno: int) -> list[nodes.Node]:
    """Return outputs that follow each other as one."""
    joined: list[nodes.Node] = []
    for node in made:
        if isinstance(node, nodes.Output) and joined and isinstance(joined[-1], nodes.Output):
            joined[-1].nodes += node.nodes
        else:
            joined.append(node if not isinstance(node, nodes.Output) else nodes.Output(list(node.nodes), lineno=node.lineno or lineno))
    return joined


def _escaped(value: Any) -> str:
    text = str(value)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&#34;")
