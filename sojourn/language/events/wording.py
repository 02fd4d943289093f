"""Says what does not fit a schema: where and why, never with the value itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from jsonschema_rs import ValidationError

from sojourn.language.problems import listed

MAX_FAULTS = 20  # of one event
_PLAIN = re.compile(r"^[A-Za-z_$][A-Za-z0-9_$ -]{0,63}\Z")  # a key that is a name, and not somebody's address or number
TYPES = {
    "null": "null", "boolean": "true or false", "integer": "a whole number", "number": "a number", "string": "a text",
    "array": "a list", "object": "an object",
}  # fmt: skip
FORMATS = {
    "date-time": "a moment such as 2026-01-05T09:00:00Z", "date": "a date such as 2026-01-05", "time": "a time such as 09:00:00Z",
    "duration": "a duration such as P3D", "email": "an e-mail address", "uri": "an address such as https://shop.example",
    "uri-reference": "an address or a part of one", "uuid": "a UUID", "ipv4": "an IPv4 address", "ipv6": "an IPv6 address",
    "hostname": "a host's name",
}  # fmt: skip
_LIMITS = {
    "minimum": "must be at least {limit}", "maximum": "must be at most {limit}",
    "exclusiveMinimum": "must be more than {limit}", "exclusiveMaximum": "must be less than {limit}",
    "minLength": "is shorter than {limit} characters", "maxLength": "is longer than {limit} characters",
    "minItems": "has fewer than {limit} items", "maxItems": "has more than {limit} items",
    "minProperties": "has fewer than {limit} properties", "maxProperties": "has more than {limit} properties",
    "multipleOf": "must be a multiple of {multiple_of}", "pattern": "does not match {pattern}",
}  # fmt: skip
_SENTENCES = {
    "falseSchema": "may not stand here",
    "const": "is not the one value that may stand here",
    "uniqueItems": "holds an item twice",
    "contains": "lacks an item that must be there",
    "not": "is what may not stand here",
    "oneOf": "fits not exactly one of its forms",
    "anyOf": "fits none of its forms",
}


class Fault(NamedTuple):
    """One thing that does not fit: the path of a property, such as `products[].price` (empty: the whole), and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"`{self.path}` {self.reason}" if self.path else self.reason


def path_text(path: Iterable[str | int]) -> str:
    """Return a path as text. An index is left out, and a key that is no plain name is `?`: keys may be people's data."""
    written = ""
    for part in path:
        if isinstance(part, int):
            written += "[]"
        else:
            written += ("." if written else "") + (part if _PLAIN.match(part) else "?")
    return written


def faults_of(errors: Iterable[ValidationError]) -> tuple[Fault, ...]:
    """Return the faults of a validation, each once, at most MAX_FAULTS."""
    found: dict[Fault, None] = {}
    for error in errors:
        for path, reason in placed(error):
            found[Fault(path_text(path), reason)] = None
        if len(found) >= MAX_FAULTS:
            break
    return tuple(found)[:MAX_FAULTS]


def placed(error: ValidationError) -> Iterator[tuple[Sequence[str | int], str]]:
    """Return where an error stands and its reason; one that names several properties is several."""
    kind, name, path = error.kind.as_dict(), error.kind.name, tuple(error.instance_path)
    if name == "required":
        yield (*path, kind["property"]), "is missing"
    elif name in ("additionalProperties", "unevaluatedProperties"):
        for unexpected in kind["unexpected"]:
            yield (*path, unexpected), "is not declared"
    else:
        yield path, _reason(name, kind, error.instance)


def _reason(name: str, kind: dict[str, Any], instance: Any) -> str:
    if name == "type":
        return f"must be {' or '.join(TYPES[each] for each in kind['types'])}, not {found_type(instance)}"
    if name == "enum":
        return f"must be one of {listed(map(str, kind['options']))}"
    if name == "format":
        return f"must be {FORMATS.get(kind['format'], kind['format'])}"
    if name in _LIMITS:
        return _LIMITS[name].format(**kind)
    return _SENTENCES.get(name, f"does not fit `{name}`")


def found_type(value: Any) -> str:
    """Return the JSON type of a value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"
