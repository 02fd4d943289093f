"""What is left of a definition whose shape is wrong, so that its conditions are checked all the same, in the same run.

What is wrong is taken out of a copy of its nodes, which keep their places in the file; what is required and
missing is filled in. What remains is no definition to run: only its conditions are looked at.
"""

from __future__ import annotations

import copy
import json
from typing import Any, TypeVar

from pydantic import ValidationError

from sojourn.language.model import VERBS, Model
from sojourn.language.outline import Way
from sojourn.language.problems import nearest_of
from sojourn.language.source import Node
from sojourn.language.wording import meant_key, way_of

MOST = 50  # rounds: taking one thing out may bring another to light
ANY_EVENT = "Enter Requested"  # one of the engine's, of which any property may be asked
_FILLED_IN: dict[str, Any] = {
    "journey": "unnamed", "segment": "unnamed", "broadcast": "unnamed", "event": ANY_EVENT, "persona": "unnamed", "description": "-",
    "on": ANY_EVENT, "enter": {"on": ANY_EVENT}, "steps": [{"wait": "1s"}], "up_to": "1d", "within": "1d", "as": "other", "then": [],
    "content": "unnamed", "to": "true", "at": "2026-01-05 09:00", "personal": "none", "type": "text",
}  # fmt: skip
_M = TypeVar("_M", bound=Model)


def salvage(root: Node, model: type[_M]) -> tuple[_M, Node] | None:
    """Return what is left of a definition and its nodes, each with its place; None where nothing is."""
    left = copy.deepcopy(root)
    for _ in range(MOST):
        try:
            return model.model_validate_json(json.dumps(left.plain()), strict=True, by_alias=True, by_name=False), left
        except ValidationError as error:
            if not _mend(left, error, model):
                return None
    return None


def _mend(root: Node, error: ValidationError, model: type[Model]) -> bool:
    """Take out or fill in what an error names; tell whether anything changed."""
    fill: set[tuple[Way, str]] = set()
    rename: list[tuple[Way, str, str]] = []
    out: set[Way] = set()
    for detail in error.errors(include_url=False):
        way = way_of(detail, root, model)
        node = None if way is None else _at(root, way)
        if way is None or node is None:
            continue
        key, kind = str(detail["loc"][-1]) if detail["loc"] else "", detail["type"]
        meant = _meant_verb(node) if kind == "no_verb" else (key, meant_key(detail, root, model)) if kind == "extra_forbidden" else None
        parent = _at(root, way[:-1]) if kind == "extra_forbidden" else node
        if meant is not None and meant[1] and parent is not None and meant[1] not in parent.value:
            rename.append((way[:-1] if kind == "extra_forbidden" else way, *meant))
        elif kind == "missing" and key in _FILLED_IN:
            fill.add((way, key))
        elif kind == "too_short" and key == "steps" and not node.value:
            fill.add((way[:-1], key))
        elif way and not (kind == "too_short" and node.value):  # else it is short of what is wrong within it
            out.add(way)
    for way, key, right in rename:
        _rename(root, way, key, right)
    for way, key in fill:
        node = _at(root, way)
        if node is not None and isinstance(node.value, dict):
            node.value[key] = _made(_FILLED_IN[key], node)
            node.keys[key] = node.place()
    # The last of a list first, so that the places of the others stay.
    for way in sorted(out, key=_place, reverse=True):
        _take_out(root, way)
    return bool(fill or rename or out)


def _meant_verb(step: Node) -> tuple[str, str] | None:
    keys = step.value if isinstance(step.value, dict) else ()
    return next(((key, verb) for key in keys if (verb := nearest_of(key, VERBS)) is not None), None)


def _rename(root: Node, way: Way, key: str, meant: str) -> None:
    node = _at(root, way)
    if node is not None and isinstance(node.value, dict) and key in node.value:
        node.value[meant], node.keys[meant] = node.value.pop(key), node.keys[key]


def _at(root: Node, way: Way) -> Node | None:
    node = root
    for part in way:
        inner = node.value
        there = part in inner if isinstance(inner, dict) else isinstance(inner, list) and isinstance(part, int) and part < len(inner)
        if not there:
            return None
        node = inner[part]
    return node


def _place(way: Way) -> list[tuple[bool, int, str]]:
    return [(isinstance(part, int), part if isinstance(part, int) else 0, str(part)) for part in way]


def _take_out(root: Node, way: Way) -> None:
    parent, last = _at(root, way[:-1]), way[-1]
    if parent is None:
        return
    if isinstance(parent.value, dict):
        parent.value.pop(last, None)
    elif isinstance(parent.value, list) and isinstance(last, int) and last < len(parent.value):
        parent.value.pop(last)


def _made(value: Any, beside: Node) -> Node:
    line, column = beside.place()
    if isinstance(value, dict):
        return Node(line, column, {key: _made(inner, beside) for key, inner in value.items()}, keys=dict.fromkeys(value, (line, column)))
    if isinstance(value, list):
        return Node(line, column, [_made(inner, beside) for inner in value])
    return Node(line, column, value, raw=str(value))


__all__ = ["ANY_EVENT", "salvage"]
