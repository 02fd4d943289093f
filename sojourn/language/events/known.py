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
