"""Reads a condition by Jinja's own grammar, keeping for every node where it stands.

Jinja's nodes know only their line. A condition's lines are of no use (YAML folds them), so the
tokens are numbered by their offset instead: a node's `lineno` is its place in the text.
"""

from __future__ import annotations

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


def _at_end(error: TemplateSyntaxError) -> bool:
    """Tell whether the text ended where more was expected."""
    return "end of template" in str(error.message) or "unexpected end" in str(error.message)


def _word(text: str, place: int) -> str:
    return text[place : place + 30].split(" ", 1)[0]


def _failure(text: str, place: int, message: str) -> ConditionError:
    return ConditionError(message, place, _HINTS.get(text[place : place + 1], ""))
