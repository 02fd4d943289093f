"""Checks the JSON Schema of an event, strictly: every keyword known, nothing fetched, nothing recursive, every pattern safe.

JSON Schema itself lets unknown keywords pass in silence, so that `requird` would require nothing. Here
it is an error, as everywhere in a definition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator, RegexOptions, ValidationError

from sojourn.language.events.model import DIALECT
from sojourn.language.events.schemas import PATTERN_BYTES
from sojourn.language.events.wording import FORMATS, TYPES, placed
from sojourn.language.finding import Findings
from sojourn.language.outline import Way
from sojourn.language.problems import listed, nearest, shown, unknown

MAX_PATTERN = 500  # characters
MAX_DEFINITIONS = 200
MAX_EXPANDED = 5_000  # subschemas, each `$ref` counted as what it refers to
ONE = frozenset({
    "additionalProperties", "propertyNames", "contains", "items", "not", "if", "then", "else", "unevaluatedItems", "unevaluatedProperties",
})  # fmt: skip
LIST = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAP = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
VALUE = frozenset({
    "type", "enum", "const", "multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum", "maxLength", "minLength",
    "pattern", "maxItems", "minItems", "uniqueItems", "maxContains", "minContains", "maxProperties", "minProperties", "required",
    "dependentRequired", "format", "title", "description", "default", "deprecated", "readOnly", "writeOnly", "examples", "$comment",
    "$schema", "$ref",
})  # fmt: skip
KEYWORDS = ONE | LIST | MAP | VALUE
_USUAL = (
    "type",
    "properties",
    "required",
    "additionalProperties",
    "enum",
    "minimum",
    "maximum",
    "pattern",
    "format",
    "items",
    "$defs",
    "$ref",
)
_REFERENCE = re.compile(r"^#/\$defs/([^/~%]+)$")


def check_dialect(schema: Mapping[str, Any], way: Way, found: Findings) -> bool:
    """Check the schema of an event's properties, and tell whether it can be compiled."""
    before = len(found.all)
    _check_shape(schema, way, found)
    if len(found.all) > before:
        return False  # what follows asks for the shape
    if schema.get("type", "object") != "object":
        found.add((*way, "type"), "an event's properties are one object; write `type: object`, or leave it out")
    for inner, part in subschemas(schema, way):
        _check_part(part, inner, schema, found, root=inner == way)
    if len(found.all) == before:
        _check_size(schema, way, found)
    return len(found.all) == before


def subschemas(schema: Any, way: Way = ()) -> Iterator[tuple[Way, dict[str, Any]]]:
    """Return a schema and all within it, each with its way."""
    waiting = [(way, schema)]
    while waiting:
        at, part = waiting.pop()
        if isinstance(part, dict):
            yield at, part
            waiting.extend(_children(part, at))


def _children(part: Mapping[str, Any], way: Way) -> Iterator[tuple[Way, Any]]:
    for keyword, value in part.items():
        if keyword in ONE:
            yield (*way, keyword), value
        elif keyword in LIST and isinstance(value, list):
            yield from (((*way, keyword, i), each) for i, each in enumerate(value))
        elif keyword in MAP and isinstance(value, dict):
            yield from (((*way, keyword, name), each) for name, each in value.items())


def _check_shape(schema: Mapping[str, Any], way: Way, found: Findings) -> None:
    told: set[Way] = set()
    for at, part in subschemas(schema, way):
        for keyword in part:
            if keyword not in KEYWORDS:
                hint = nearest(keyword, KEYWORDS) or f"; properties stand under `properties`, and the usual keywords are {listed(_USUAL)}"
                found.add((*at, keyword), f"unknown keyword {shown(keyword)} of JSON Schema{hint}", at_key=True)
        for name in _names_of_types(part.get("type")):
            if name not in TYPES:
                told.add((*at, "type"))
                found.add((*at, "type"), unknown("type", name, TYPES))
    for error in meta_errors(schema):
        for path, reason in placed(error):
            at = (*way, *path)
            if not any(at[: len(place)] == place for place in told):
                told.add(at)
                found.add(at, f"this is no JSON Schema: {shown(path[-1]) if path else 'it'} {_of_keyword(reason)}")


def meta_errors(schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """Return what the meta-schema of JSON Schema finds wrong."""
    yield from _meta().iter_errors(dict(schema))


@cache
def _meta() -> Draft202012Validator:
    return Draft202012Validator({"$ref": DIALECT}, offline=True)


def _of_keyword(reason: str) -> str:
    return "may not be written so" if reason == "fits none of its forms" else reason


def _names_of_types(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _check_part(part: Mapping[str, Any], way: Way, schema: Mapping[str, Any], found: Findings, *, root: bool) -> None:
    if part.get("$schema", DIALECT) != DIALECT or ("$schema" in part and not root):
        found.add((*way, "$schema"), f"only {DIALECT} is spoken here; leave `$schema` out")
    reference = part.get("$ref")
    if reference is not None:
        _check_reference(reference, (*way, "$ref"), schema, found)
    if "$defs" in part and not root:
        found.add((*way, "$defs"), "write `$defs` at the top, directly under `properties:`", at_key=True)
    if "format" in part and part["format"] not in FORMATS:
        found.add((*way, "format"), unknown("format", part["format"], FORMATS))
    if "pattern" in part:
        _check_pattern(part["pattern"], (*way, "pattern"), found, at_key=False)
    for pattern in part.get("patternProperties", {}):
        _check_pattern(pattern, (*way, "patternProperties", pattern), found, at_key=True)
    if part.get("additionalProperties") is False and not part.get("patternProperties"):
        for i, name in enumerate(part.get("required", ())):
            if name not in part.get("properties", {}):
                message = f"is required and at once forbidden by `additionalProperties: false`; declare {shown(name)} under `properties`"
                found.add((*way, "required", i), f"{shown(name)} {message}{nearest(name, part.get('properties', {}))}")


def _check_reference(reference: str, way: Way, schema: Mapping[str, Any], found: Findings) -> None:
    matched = _REFERENCE.match(reference)
    if matched is None:
        found.add(way, f"{shown(reference)}: a `$ref` leads only to `#/$defs/NAME` of the same file; nothing is ever fetched")
    elif matched[1] not in schema.get("$defs", {}):
        found.add(way, unknown("definition", matched[1], schema.get("$defs", {})) + " under `$defs`")


def _check_pattern(pattern: str, way: Way, found: Findings, *, at_key: bool) -> None:
    if len(pattern) > MAX_PATTERN:
        found.add(way, f"a pattern of more than {MAX_PATTERN} characters; shorten it", at_key=at_key)
        return
    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions(size_limit=PATTERN_BYTES, dfa_size_limit=PATTERN_BYTES))
    except ValidationError:
        text = f"{shown(pattern)} is no pattern of linear time and little memory; no look-around, no back-reference, no large repeats"
        found.add(way, text, at_key=at_key)


def _check_size(schema: Mapping[str, Any], way: Way, found: Findings) -> None:
    """Refuse a schema that refers to itself, or that its references make too large: what bounds the work for an event."""
    if len(schema.get("$defs", {})) > MAX_DEFINITIONS:
        found.add((*way, "$defs"), f"more than {MAX_DEFINITIONS} definitions; keep those that are referred to", at_key=True)
        return
    known: dict[str, int] = {}

    def size_of(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            text = f"`{' → '.join((*path[path.index(name) :], name))}`: a definition within itself has no end; write the levels out"
            found.add((*way, "$defs", name), text, at_key=True)
            return 0
        if name not in known:
            known[name] = _size(schema["$defs"][name], (*path, name))
        return known[name]

    def _size(part: Any, path: tuple[str, ...]) -> int:
        total = 0
        for _, each in subschemas(part):
            total += 1
            if "$ref" in each:
                total += size_of(each["$ref"].removeprefix("#/$defs/"), path)
        return total

    for name in schema.get("$defs", {}):
        size_of(name, ())
    if _size(schema, ()) > MAX_EXPANDED and len(known) == len(schema.get("$defs", {})):
        found.add(way, f"more than {MAX_EXPANDED} subschemas, each `$ref` counted as what it refers to; make it smaller")
