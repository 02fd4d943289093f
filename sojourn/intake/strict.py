"""Reads JSON fast, and strictly where it must be: what is odd is found and named, never guessed at.

orjson reads what is regular. Whatever it cannot vouch for (a duplicate key, NaN, a number too large,
deep nesting, a NUL character) is read again by the standard library, whose reading keeps the odd
part, so that one bad event of a batch can be told from its good neighbours.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import orjson

from sojourn.errors import BadEvent

MAX_DEPTH = 32
_COLON_AFTER_SPACE = (b" :", b"\t:", b"\n:", b"\r:")
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_INTEGER_DIGITS = 18  # any integer of so many digits fits 64 bits


class _Duplicated(dict[str, Any]):
    """An object in which a key stands twice."""

    key: str = ""


def read_json(body: bytes) -> tuple[Any, bool]:
    """Return what a body says, and whether all of it is known to be regular.

    Where it is not, ask `fault` of each event.

    Raises:
        ValueError: it is not JSON at all.
        BadEvent: it is nested so deeply that it cannot even be read.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _read_slowly(body), False
    keys, depth = _measure(value)
    # Exact: without white space before a colon every pair writes `":` once, and inside a string it can only add
    # to the count; so an equal count leaves no room for a key that was read twice and kept once.
    if depth <= MAX_DEPTH and body.count(b'":') == keys and not any(c in body for c in _COLON_AFTER_SPACE) and b"\\u0000" not in body:
        return value, True
    return _read_slowly(body), False


def fault(value: Any) -> str | None:
    """Return what is wrong with an event read by `read_json`, in words; None where nothing is."""
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str):
            found = _text_fault(item)
            if found:
                return found
        elif isinstance(item, float):
            if not math.isfinite(item):
                return "holds a number that is not finite (NaN, Infinity or too large)"
        elif isinstance(item, dict | list):
            if depth > MAX_DEPTH:
                return _TOO_DEEP
            if isinstance(item, _Duplicated):
                return f"holds the key {item.key[:80]!r} twice in one object"
            if isinstance(item, dict):
                waiting.extend((key, depth) for key in item)
                waiting.extend((child, depth + 1) for child in item.values())
            else:
                waiting.extend((child, depth + 1) for child in item)
    return None


def _text_fault(text: str) -> str | None:
    if "\0" in text:
        return "holds a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half of a surrogate pair, which is not text"
    return None


def _measure(value: Any) -> tuple[int, int]:
    """Return how many keys a value has in all, and how deep it is nested."""
    keys = depth = 0
    children: Iterable[Any] = ()
    if type(value) is dict:
        keys, children = len(value), value.values()
    elif type(value) is list:
        children = value
    else:
        return 0, 0
    for child in children:
        kind = type(child)
        if kind is dict or kind is list:
            inner_keys, inner_depth = _measure(child)
            keys += inner_keys
            depth = max(depth, inner_depth)
    return keys, depth + 1


def _read_slowly(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), object_pairs_hook=_pairs, parse_int=_integer)
    except RecursionError:
        raise BadEvent(_TOO_DEEP) from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = _Duplicated(found)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            twice.key = key
            break
        seen.add(key)
    return twice


def _integer(text: str) -> int | float:
    """Read an integer; one past 64 bits becomes a float, as every browser reads it."""
    if len(text) <= _INTEGER_DIGITS or (len(text) < 25 and -(2**63) <= int(text) < 2**63):
        return int(text)
    return float(text)
