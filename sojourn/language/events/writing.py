"""Writes a drafted definition as YAML that a person likes to read, the same for the same draft."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sojourn.language.events.infer import Draft

_BARE = re.compile(r"[A-Za-z][A-Za-z0-9_/-]*( [A-Za-z0-9_/-]+)*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def write_event(name: str, draft: Draft, description: str, remark: str) -> str:
    """Return the file of a drafted event.

    Args:
        name: the event's.
        draft: what was inferred.
        description: what it is, for people.
        remark: stands above it as a comment.
    """
    lines = [f"# {remark}", f"event: {text(name)}", f"description: {text(description)}", "policy: flag", "properties:"]
    lines += [f"  {line}" for line in _schema(draft.schema, (), draft)]
    if draft.personal:
        lines.append("personal:  # by its look; correct what is wrong")
        lines += [f"  {text(path)}: {kind}" for path, kind in sorted(draft.personal.items())]
    return "\n".join(lines) + "\n"


def stem(name: str, taken: Iterable[str] = ()) -> str:
    """Return a file's name for an event, such as order_completed; one that is not taken."""
    ascii_name = re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")[:60]
    # Not the name itself: it may be in any script, and the same name gives the same file.
    plain = ascii_name or f"event_{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    used, number = set(taken), 1
    while (found := plain if number == 1 else f"{plain}_{number}") in used:
        number += 1
    return found


def text(value: str) -> str:
    """Return a text as YAML: bare where that can mean nothing else, else in double quotes."""
    if _BARE.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


def _schema(schema: dict[str, Any], way: tuple[str, ...], draft: Draft) -> Iterator[str]:
    for keyword, value in schema.items():
        if keyword == "properties":
            yield "properties:"
            for name, inner in value.items():
                yield from (f"  {line}" for line in _entry(text(name), inner, (*way, "properties", name), draft))
        elif keyword == "items":
            yield from _entry("items", value, (*way, "items"), draft)
        else:
            yield f"{keyword}: {_flow(value)}"


def _entry(key: str, schema: dict[str, Any], way: tuple[str, ...], draft: Draft) -> Iterator[str]:
    remark = f"  # {draft.comments[way]}" if way in draft.comments else ""
    if "properties" in schema or "items" in schema:
        yield f"{key}:{remark}"
        yield from (f"  {line}" for line in _schema(schema, way, draft))
    else:
        yield f"{key}: {_flow(schema)}{remark}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{text(key)}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if value is None:
        return "null"
    return text(value) if isinstance(value, str) else json.dumps(value)
