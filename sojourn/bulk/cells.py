"""The text of a CSV cell, and the value that it stands for; each is the other's inverse.

A cell says a number, true, false, or JSON where it reads as one exactly, else the text that it is; so
`007` stays text. A text that would be read as something else is written as JSON, in quotes. A text
that a spreadsheet would take for a formula is written behind an apostrophe, which reading takes off.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import orjson

from sojourn.bulk.problems import BadRow
from sojourn.errors import BadEvent
from sojourn.intake.strict import fault, read_json

# OWASP's list: what a spreadsheet may run. Apostrophes before it are counted in, so that ours can be taken off again.
_FORMULA = re.compile(r"^'*[=+\-@\t\r]")
_GUARDED = re.compile(r"^'+[=+\-@\t\r]")
_NUMBER = re.compile(r"^-?(?:0|[1-9][0-9]{0,18})(?P<rest>\.[0-9]{1,25})?(?P<power>e[+-]?[0-9]{1,3})?$", re.ASCII)
_WORDS = {"true": True, "false": False}
_NO_JSON = object()
_MEANT = frozenset("'-0123456789{[\"tf")  # what a text begins with that can stand for something else
_YES = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}


def guard(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return "'" + text if _FORMULA.match(text) else text


def unguard(text: str) -> str:
    """Return a text as it was before `guard`."""
    return text[1:] if text[:1] == "'" and _GUARDED.match(text) else text


def write_cell(value: Any) -> str:
    """Return the cell that stands for a value; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return guard(value) if value and _read(value) is value else orjson.dumps(value).decode()
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()  # a number is not a formula, even a negative one


def read_cell(text: str) -> Any:
    """Return the value that a cell stands for; None where it is empty."""
    if not text:
        return None
    if text[0] not in _MEANT:
        return text
    if text[0] == "'":
        return unguard(text)
    return _read(text)


def _read(text: str) -> Any:
    first = text[0]
    if first in "-0123456789":
        number = _number(text)
        return text if isinstance(number, str) else number
    if text in _WORDS:
        return _WORDS[text]
    return _json(text, text) if first in '{["' else text


def _json(text: str, otherwise: Any) -> Any:
    """Return what JSON says, read as strictly as intake reads it.

    Raises:
        BadRow: it says what intake refuses, such as a key twice.
    """
    try:
        value, regular = read_json(text.encode())
    except BadEvent as error:
        raise BadRow(str(error)) from None
    except ValueError:
        return otherwise
    if not regular and (found := fault(value)):
        raise BadRow(found)
    return value


@lru_cache(maxsize=4096)  # ages, counts and prices repeat
def _number(text: str) -> Any:
    """Return a number, or the text where it would not keep all of its digits, or where only a program would write it so (`1e5`)."""
    found = _NUMBER.match(text)
    if found is None:
        return text
    try:
        number = orjson.loads(text)
    except orjson.JSONDecodeError:  # beyond any float
        return text
    if found["power"] is not None or (isinstance(number, float) and found["rest"] is None):
        return number if orjson.dumps(number).decode() == text else text
    return number


def truth(value: Any) -> bool | None:
    """Return a yes or a no, as people write it; None where it is neither."""
    if isinstance(value, bool):
        return value
    return _YES.get(str(value).strip().lower()) if isinstance(value, str | int) else None


def _as_text(text: str) -> Any:
    return unguard(text)


def _as_number(text: str) -> Any:
    value = _read(unguard(text))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRow("must be a number, such as 12.5")
    return value


def _as_boolean(text: str) -> Any:
    value = truth(unguard(text))
    if value is None:
        raise BadRow("must be true or false")
    return value


def _as_json(text: str) -> Any:
    value = _json(unguard(text), _NO_JSON)
    if value is _NO_JSON:
        raise BadRow("must be JSON")
    return value


TYPES: dict[str, Callable[[str], Any]] = {
    "auto": read_cell, "text": _as_text, "number": _as_number, "boolean": _as_boolean, "json": _as_json,
}  # fmt: skip
