"""Reads a condition by Jinja's own grammar, keeping for every node where it stands.

Jinja's nodes know only their line. A condition's lines are of no use (YAML folds them), so the
tokens are numbered by their offset instead: a node's `lineno` is its place in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from sojourn.errors import Terminal


class ConditionError(Terminal):
    """A condition that cannot be understood.

    Args:
        message: what is wrong, without the hint.
        position: offset in the condition's text, from 0, of what is wrong.
        hint: what to write instead; empty where nothing is near.
    """

    def __init__(self, message: str, position: int = 0, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message = message
        self.position = position
        self.hint = hint


_HINTS = {
    "=": "write == to compare",
    "&": "write and",
    "|": "write or",
    "!": "write not, or != to compare",
    "{": "write the condition bare, without braces",
    "}": "write the condition bare, without braces",
    '"': "close the quotation mark",
    "'": "close the quotation mark",
    "?": "a condition has no ? : choice",
}


_PART = 'write "x" in profile.name'
_WORDS = {
    "AND": "write and", "OR": "write or", "NOT": "write not", "&&": "write and", "||": "write or", "<>": "write != to compare",
    "===": "write == to compare", "equals": "write == to compare", "contains": _PART, "like": _PART, "has": _PART,
    "between": "write 5 <= event.price <= 9",
}  # fmt: skip
_QUOTED = re.compile(r"""\"(?:[^"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'""")
_IS_VALUE = re.compile(r"""\bis\s+(not\s+)?(?=["'\d\[(-])""")
_CURLY = re.compile("[\u201c-\u201f\u2018-\u201b\u00ab\u00bb]")


class _Grammar(Environment):
    """Jinja's expression grammar whose tokens carry offsets where Jinja's carry lines."""

    def _tokenize(self, source: str, name: str | None, filename: str | None = None, state: str | None = None) -> TokenStream:
        def numbered() -> Iterator[tuple[int, str, str]]:
            offset = 0
            try:
                for _, token, value in self.lexer.tokeniter(source, name, filename, state):
                    yield offset, token, value
                    offset += len(value)
            except TemplateSyntaxError as error:
                raise TemplateSyntaxError(str(error.message), offset, name, filename) from None

        return TokenStream(self.lexer.wrap(numbered(), name, filename), name, filename)


_GRAMMAR = _Grammar()


def read(text: str) -> nodes.Expr:
    """Return Jinja's tree of one expression; the `lineno` of each node is its offset in the text.

    Raises:
        ConditionError: it is not one expression.
    """
    if not text.strip():
        raise ConditionError("the condition is empty", 0, "write one such as event.price >= 20")
    flat = text.replace("\r", " ").replace("\n", " ")  # the same length, so that offsets stay true
    _refuse_what_others_write(flat)
    try:
        parser = Parser(_GRAMMAR, flat, state="variable")
        tree = parser.parse_expression()
        if not parser.stream.eos:
            place = parser.stream.current.lineno
            raise _failure(flat, place, f"{_word(flat, place)!r} is not expected here")
    except TemplateSyntaxError as error:
        place = min(error.lineno, len(flat))
        if _at_end(error):
            raise ConditionError("the condition stops too early", len(flat.rstrip()), "") from None
        place += len(flat[place:]) - len(flat[place:].lstrip())
        word = _word(flat, place)
        raise _failure(flat, place, f"{word!r} is not expected here" if word else "the condition stops too early") from None
    except RecursionError:
        raise ConditionError("the condition is nested too deeply", 0, "split it into segments") from None
    return tree


def _refuse_what_others_write(flat: str) -> None:
    """Refuse what Jinja would trip over later, and elsewhere than where it stands."""
    bare = _QUOTED.sub(lambda found: "".join("x" if i and i < len(found[0]) - 1 else '"' for i in range(len(found[0]))), flat)
    if compared := _IS_VALUE.search(bare):
        negated = compared[1] is not None
        raise ConditionError(
            f"'is{' not' if negated else ''}' compares nothing", compared.start(), f"write {'!=' if negated else '=='} to compare"
        )
    if curly := _CURLY.search(bare):
        raise ConditionError(f"{curly[0]!r} is no quotation mark here", curly.start(), "write \" or '")


def _at_end(error: TemplateSyntaxError) -> bool:
    """Tell whether the text ended where more was expected."""
    return "end of template" in str(error.message) or "unexpected end" in str(error.message)


def _word(text: str, place: int) -> str:
    return text[place : place + 30].split(" ", 1)[0]


def _failure(text: str, place: int, message: str) -> ConditionError:
    before = text[:place].split()[-1:]
    around = {_word(text, place), text[place : place + 2], text[place : place + 3], text[max(place - 1, 0) : place + 1], *before}
    hint = next((said for written, said in _WORDS.items() if written in around), None)
    return ConditionError(message, place, hint or _HINTS.get(text[place : place + 1], ""))
