"""Reads as much of CSS as messages use: rules with their selectors and declarations, by place and by mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DECLARATION = re.compile(r"(?:^|;)\s*(?P<name>-{0,2}[a-zA-Z][\w-]*)\s*:\s*(?P<value>(?:[^;()]|\([^)]*\))*)", re.DOTALL)


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        at: the at-rule that it stands in, such as `@media (prefers-color-scheme: dark)`; empty outside of any.
        selector: whom it is for.
        body: its declarations as they stand there.
        offset: of the body in the text.
    """

    at: str
    selector: str
    body: str
    offset: int


@dataclass(frozen=True)
class Declaration:
    """One declaration, with its offset in the text."""

    name: str
    value: str
    offset: int

    @property
    def important(self) -> bool:
        """Whether it stands before others."""
        return "!important" in self.value

    @property
    def plain(self) -> str:
        """Its value alone."""
        return self.value.replace("!important", "").strip()


def rules(css: str) -> Iterator[Rule]:
    """Give the rules of a stylesheet, those in at-rules among them, in their order."""
    text = _COMMENT.sub(lambda found: " " * len(found[0]), css)
    open_: list[tuple[str, int]] = []
    begin = 0
    for at, letter in enumerate(text):
        if letter == "{":
            open_.append((" ".join(text[begin:at].split()), at + 1))
            begin = at + 1
        elif letter == "}" and open_:
            selector, start = open_.pop()
            outer = next((name for name, _ in open_ if name.startswith("@")), "")
            if not selector.startswith("@") or selector.startswith("@font-face"):
                yield Rule(outer, selector, text[start:at], start)
            begin = at + 1
        elif letter == ";" and not open_:
            begin = at + 1


def declarations(body: str, offset: int = 0) -> Iterator[Declaration]:
    """Give the declarations of a rule's body or a `style` attribute."""
    for found in _DECLARATION.finditer(body):
        yield Declaration(found["name"].lower(), " ".join(found["value"].split()), offset + found.start("name"))
