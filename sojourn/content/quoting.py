"""Keeps what is shown apart from the markup around it: in quotes within a tag, and no part of a reference."""

from __future__ import annotations

import re

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_REFERENCE = re.compile(r"&(?=[A-Za-z0-9#]*$)")  # `&` before a value is one: `?a=1&{{ x }}`
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_BARE = re.compile(r"^<[A-Za-z][^<>\"']*\s[^\s\"'<>=]+\s*=\s*(?P<begun>[^\s\"'<>]*)$")
_ENDS = re.compile(r"[\s>]")
ISOLATED = "_isolated"
_VALUE = "x"  # stands for what is shown, while the markup around it is read


class Quoting(NodeTransformer):
    """Rewrites a parsed template of HTML.

    Args:
        noted: takes what is wrong: (line, message).
    """

    def __init__(self, noted: list[tuple[int, str]]) -> None:
        self.noted = noted

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        """Put quotes where a value stands without, and spell out an `&` before it."""
        tag, opened = "", 0  # the tag that is open, as far as it was read; the line in which a quote of ours is open
        in_text = False  # what is shown stands among words, as far as can be told
        for place, (each, after) in enumerate(zip(list(node.nodes), [*node.nodes[1:], None], strict=True)):
            if not isinstance(each, nodes.TemplateData):
                tag += _VALUE
                if in_text:
                    node.nodes[place] = nodes.Filter(each, ISOLATED, [], [], None, None, lineno=each.lineno)
                continue
            text = each.data
            end = _ENDS.search(text) if opened else None
            if end is not None:
                text, opened = f'{text[: end.start()]}"{text[end.start() :]}', 0
            shown = after is not None and not isinstance(after, nodes.TemplateData)
            if shown:
                text = _REFERENCE.sub("&amp;", text)
            whole = tag + text
            tag = whole[at:] if (at := whole.rfind("<")) > whole.rfind(">") else ""
            bare = _BARE.match(_QUOTED.sub("q", tag)) if shown and not opened else None
            if bare is not None and after is not None and len(bare["begun"]) <= len(text):
                at = len(text) - len(bare["begun"])
                text, opened, tag = f'{text[:at]}"{text[at:]}', after.lineno, f'{tag}"'
            in_text = not tag and (in_text or ">" in whole)
            each.data = text
        if opened:
            self.noted.append((opened, "a value within a tag needs quotes around it"))
        return node
