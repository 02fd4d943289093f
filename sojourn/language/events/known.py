"""Which properties a schema knows: asked by checks of conditions and of labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
_OPENING = ("$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "patternProperties")


def unknown_part(schema: Mapping[str, Any], path: Path) -> tuple[int, frozenset[str]] | None:
    """Return where a path leaves what a closed schema knows, and what it knows there; None where the path may exist.

    Args:
        schema: of an event's properties.
        path: of a property, such as `("cart", "items", 0, "price")`.
    """
    part: Any = schema
    for i, step in enumerate(path):
        if not isinstance(part, dict) or any(keyword in part for keyword in _OPENING):
            return None
        if isinstance(step, int):
            part = part.get("items")
            continue
        known = part.get("properties", {})
        if step not in known and (part.get("additionalProperties") is False or part.get("unevaluatedProperties") is False):
            return i, frozenset(known)
        part = known.get(step, part.get("additionalProperties"))
    return None


def undeclared_part(schema: Mapping[str, Any], path: Path) -> tuple[int, frozenset[str]] | None:
    """Return where a path leaves what an open schema names, and what it names there; None where it may exist.

    A schema that says `additionalProperties` means to be open, and one that names nothing says nothing.
    """
    part: Any = schema
    for i, step in enumerate(path):
        if not isinstance(part, dict) or any(keyword in part for keyword in _OPENING):
            return None
        if isinstance(step, int):
            part = part.get("items")
            continue
        known = part.get("properties", {})
        if step not in known:
            closed = "additionalProperties" in part or "unevaluatedProperties" in part
            return None if closed or not known else (i, frozenset(known))
        part = known[step]
    return None


def schema_at(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any] | None:
    """Return the schema of the property at a path, `$ref` followed; None where it is not named, or stands under alternatives."""
    part: Any = schema
    found: Mapping[str, Any] | None = None
    for step in (*path, None):
        name = part.get("$ref", "").removeprefix("#/$defs/") if isinstance(part, dict) else ""
        part = schema.get("$defs", {}).get(name) if name else part
        if not isinstance(part, dict) or any(keyword in part for keyword in _OPENING):
            return None
        found = part
        if step is not None:
            part = part.get("items") if isinstance(step, int) else part.get("properties", {}).get(step)
    return found


def epoch_paths(schema: Mapping[str, Any]) -> Iterator[Path]:
    """Return the properties whose numbers a schema declares to be moments: `type: integer, format: date-time`.

    Items of lists are left out: which of them is asked is known by its place only.
    """
    waiting: list[Path] = [()]
    while waiting:
        path = waiting.pop()
        its = schema_at(schema, path)
        if its is None:
            continue
        types = its.get("type", ())
        if its.get("format") == "date-time" and {"integer", "number"} & ({types} if isinstance(types, str) else set(types)):
            yield path
        waiting += [(*path, name) for name in its.get("properties", {})]


def property_paths(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Return every property that a schema names directly, items of lists passed through, with its own schema."""
    waiting: list[tuple[Path, Any]] = [((), schema)]
    while waiting:
        path, part = waiting.pop()
        if not isinstance(part, dict):
            continue
        for name, inner in part.get("properties", {}).items():
            yield (*path, name), inner
            waiting.append(((*path, name), inner))
        if isinstance(part.get("items"), dict):
            waiting.append((path, part["items"]))
