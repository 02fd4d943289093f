"""Turns what pydantic finds wrong into problems with a place, in the words of an author."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sojourn.language.model import VERBS, verb_of
from sojourn.language.outline import Way
from sojourn.language.problems import Problem, listed, nearest, nearest_of, shown
from sojourn.language.source import Node

_BLOCKS = {"steps", "then", "else"}
_EXAMPLES = {
    "wait": "wait: 1h", "wait_until": 'wait_until: "tue 09:00"', "wait_for": "wait_for: Order Completed", "score": "score: rfm",
    "if": "if: event.price >= 20", "choose": "choose: a list of `if` and `then`", "split": "split: {a: 50, b: 50}",
    "send": "send: cart_reminder", "set": "set: {plan: gold}", "call": "call: https://…", "enter": "enter: onboarding",
    "end": "end: purchased",
}  # fmt: skip
_NAMES = "lower-case letters, digits and `_`, beginning with a letter, at most 64"
_SHAPES = {
    "journey": _NAMES,
    "wait": "a duration such as 30m, 24h or 1d 6h",
    "at": "a local time such as 2026-12-01 09:00",
    "on": "an event's name, such as Order Completed",
    "up_to": "a duration such as 30m, 24h or 1d 6h",
    "within": "a duration such as 30m, 24h or 1d 6h",
    "ago": "a duration such as 30m, 24h or 1d 6h",
    "again_after": "a duration such as 30m, 24h or 1d 6h",
    "horizon": "a duration such as 30m, 24h or 1d 6h",
    "country": "a country's two capitals, such as DE",
    "key": "one of the event's properties, such as event.cart_id",
    "value": "one of the event's properties, such as event.revenue",
    "holdout": "a percentage such as 10%",
    "send_between": "hours such as 09:00-20:00 or mon-fri 09:00-18:00",
    "when_capped": "skip, or such as `hold up to 2d`",
    "alarm": "a percentage such as 0.1%",
    "halt": "a percentage such as 0.3%",
    "compete_within": "a duration such as 10m",
    "release_over": "a duration such as 5m",
    "address": "an e-mail address such as hello@shop.example",
    "seeds": "an e-mail address such as hello@shop.example",
    "reply_to": "an e-mail address such as hello@shop.example",
    "url": "an address that begins with https://",
    "locale": "a language and region such as en or en-GB",
    "currency": "a currency's three capitals, such as EUR",
    "events": "a moment from entry, such as 30m or 1d 6h",
}

_PERCENT = frozenset({"holdout", "alarm", "halt"})
_LIMITS = {"greater_than_equal": "at least", "less_than_equal": "at most", "greater_than": "more than", "less_than": "less than"}


@dataclass(frozen=True)
class _Spot:
    """Where an error stands: the nearest node that exists, the key it is about, and the model that rules there."""

    node: Node
    key: str | None  # the last key of its place
    model: type[BaseModel] | None
    place: tuple[int, int]
    applies: bool  # False: the error speaks of another member of a union than the one that was written
    way: Way = ()


def problems_of(error: ValidationError, root: Node, file: str, model: type[BaseModel]) -> list[Problem]:
    """Return a validation's errors as problems."""
    return list(_problems(error.errors(include_url=False), root, file, model))


def _problems(errors: Sequence[ErrorDetails], root: Node, file: str, model: type[BaseModel]) -> Iterator[Problem]:
    extra = [detail for detail in errors if detail["type"] == "extra_forbidden"]
    misspelt = {(*detail["loc"][:-1], meant) for detail in extra if (meant := meant_key(detail, root, model))}
    for detail in errors:
        of_parent = detail["type"] in ("extra_forbidden", "missing")
        spot = _spot(root, detail["loc"][:-1] if of_parent else detail["loc"], model)
        if not spot.applies or (detail["type"] == "too_short" and spot.node.value) or detail["loc"] in misspelt:
            continue
        line, column = spot.node.keys.get(str(detail["loc"][-1]), spot.place) if of_parent else spot.place
        yield Problem(file, line, column, _sentence(detail, spot))


def way_of(detail: ErrorDetails, root: Node, model: type[BaseModel]) -> Way | None:
    """Return the way to what an error is about: to the parent of what is missing; None where it speaks of what was not written."""
    spot = _spot(root, detail["loc"][:-1] if detail["type"] in ("extra_forbidden", "missing") else detail["loc"], model)
    if not spot.applies:
        return None
    return (*spot.way, str(detail["loc"][-1])) if detail["type"] == "extra_forbidden" else spot.way


def meant_key(detail: ErrorDetails, root: Node, model: type[BaseModel]) -> str:
    """Return the key that an unknown one was meant to be; nothing where that cannot be told."""
    keys = _keys(_spot(root, detail["loc"][:-1], model).model)
    return nearest_of(str(detail["loc"][-1]), keys) or ""


def _spot(root: Node, loc: tuple[int | str, ...], model: type[BaseModel]) -> _Spot:
    node, key, place = root, None, (root.line, root.column)
    current: type[BaseModel] | None = model
    path: list[int | str] = []
    applies = True
    for part in loc:
        if part == "[key]":
            return _Spot(Node(*place, key), key, current, place, applies, _untagged(path))
        if _in_block(path) and isinstance(part, str) and part in VERBS:
            current = VERBS[part]
            path.append("")  # the tag of a step leads to no node, and the step's own keys follow
        elif isinstance(part, int) and isinstance(node.value, list) and part < len(node.value):
            node = node.value[part]
            place = (node.line, node.column)
            path.append(part)
        elif isinstance(part, str) and isinstance(node.value, dict) and part in node.value:
            current, key = _inner(current, part), part
            node = node.value[part]
            place = (node.line, node.column)
            path.append(part)
        elif isinstance(part, str) and _is_member(part):
            applies = applies and _written(part, node)
        else:
            return _Spot(node, key, current, place, applies, _untagged(path))
    return _Spot(node, key, current, place, applies, _untagged(path))


def _untagged(path: list[int | str]) -> Way:
    return tuple(part for part in path if part != "")


def _in_block(path: list[int | str]) -> bool:
    if not path or not isinstance(path[-1], int):
        return False
    return path[-2] in _BLOCKS or (len(path) > 2 and path[-3] == "arms")


def _is_member(part: str) -> bool:
    kinds = ("tuple[", "union[", "dict[", "function-")
    return part in ("str", "int", "Happening", "Bands", "Seed", "constrained-str") or part.startswith(kinds)


def _written(part: str, node: Node) -> bool:
    if part.startswith("tuple["):
        return isinstance(node.value, list)
    if part == "Bands":
        return isinstance(node.value, (list, dict))
    if part in ("Happening", "Seed"):
        return isinstance(node.value, dict)
    return not isinstance(node.value, (list, dict))


def _inner(model: type[BaseModel] | None, key: str) -> type[BaseModel] | None:
    for name, info in model.model_fields.items() if model is not None else ():
        if (info.alias or name) == key:
            return next(_models(info.annotation), None)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in VERBS.values():
            yield annotation
        return
    for argument in get_args(annotation):
        yield from _models(argument)


def _sentence(detail: ErrorDetails, spot: _Spot) -> str:
    kind, context = detail["type"], detail.get("ctx") or {}
    match kind:
        case "extra_forbidden":
            return _extra(str(detail["loc"][-1]), spot)
        case "missing":
            return _missing(str(detail["loc"][-1]), spot)
        case "no_verb":
            return _no_verb(spot.node)
        case "literal_error":
            values = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")
            hint = nearest(str(spot.node.value), values)
            return f"{_about(spot)}{_found(spot.node)} may not stand here{hint or ';'} {'Write' if hint else 'write'} {' or '.join(values)}"
        case "string_type" | "string_pattern_mismatch" if spot.key in _PERCENT and (share := _share(spot.node.value)):
            return f"{_about(spot)}{_found(spot.node)} may not stand here; write `{share}`, a percentage"
        case "string_pattern_mismatch":
            return f"{_about(spot)}{_found(spot.node)} may not stand here; write {_SHAPES.get(spot.key or '', _NAMES)}"
        case "string_too_short" | "too_short":
            return f"{_about(spot)}is empty; write something or leave it out"
        case "string_too_long":
            return f"{_about(spot)}is too long; at most {context.get('max_length')} characters"
        case "greater_than_equal" | "less_than_equal" | "greater_than" | "less_than":
            return f"{_about(spot)}{_found(spot.node)} may not stand here; write {_LIMITS[kind]} {next(iter(context.values()))}"
        case "value_error" | "assertion_error":
            return f"{_about(spot)}{context.get('error', 'not what may stand here')}"
    return f"{_about(spot)}{_found(spot.node)}, where {_wanted(kind)} belongs{_advice(kind, spot.node)}"


def _about(spot: _Spot) -> str:
    return f"`{spot.key}`: " if spot.key else ""


def _share(value: Any) -> str | None:
    """Return the percentage that a number was meant to be: 0.1, 10, `0,1` and `10 %` are 10%."""
    try:
        number = float(str(value).strip().rstrip("%").strip().replace(",", "."))
    except ValueError:
        return None
    fraction = isinstance(value, (int, float)) or not str(value).strip().endswith("%")
    percent = number * 100 if fraction and 0 < number < 1 else number
    return f"{percent:.6g}%" if 0 < percent < 100 and not isinstance(value, bool) else None


def _found(node: Node) -> str:
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the truth value {shown(str(value).lower())}"
    if isinstance(value, (int, float)):
        return f"the number {shown(node.raw or value)}"
    if isinstance(value, str):
        return shown(value)
    return "a list" if isinstance(value, list) else "a mapping"


def _wanted(kind: str) -> str:
    if kind.startswith("string"):
        return "a text"
    if kind.startswith("int"):
        return "a whole number"
    if kind.startswith(("float", "decimal")):
        return "a number"
    if kind.startswith("bool"):
        return "true or false"
    if kind.startswith(("tuple", "list")):
        return "a list (lines that begin with `- `)"
    if kind.startswith(("dict", "model")):
        return "a mapping (`key: value`)"
    return "something else"


def _advice(kind: str, node: Node) -> str:
    if kind.startswith("string") and isinstance(node.value, (int, float)):
        return "; put it in quotes"
    if node.value is None:
        return "; fill it in or leave the key out"
    return ""


def _keys(model: type[BaseModel] | None) -> dict[str, str]:
    if model is None:
        return {}
    return {info.alias or name: info.description or "" for name, info in model.model_fields.items()}


def _missing(key: str, spot: _Spot) -> str:
    if key == "up_to":
        return "`up_to` is missing here: a wait has to end; write a duration such as 24h"
    meaning = _SHAPES.get(key) or _keys(spot.model).get(key)
    return f"`{key}` is missing here" + (f": {meaning}" if meaning else "")


def _extra(key: str, spot: _Spot) -> str:
    verb = verb_of(spot.node.plain()) if spot.model in VERBS.values() else None
    if verb is not None and key in VERBS:
        return f"a step has exactly one verb, and here are two: `{verb}` and `{key}`; make two steps of it"
    keys = _keys(spot.model)
    where, hint = f" in `{verb}`" if verb else "", nearest(key, keys)
    return f"unknown key {shown(key)}{where}{hint}{' Here' if hint else '; here'} may stand {listed(keys, limit=20)}"


def _no_verb(node: Node) -> str:
    verbs = listed(VERBS, limit=20)
    if isinstance(node.value, str) and node.value in _EXAMPLES:
        return f"`{node.value}` needs to say more: `- {_EXAMPLES[node.value]}`"
    if not isinstance(node.value, dict):
        return f"{_found(node)}, where a step belongs; a step begins with its verb, such as `- wait: 1h`"
    for key in node.value:
        hint = nearest(key, VERBS)
        if hint:
            return f"unknown verb {shown(key)}{hint} The verbs are {verbs}"
    found = f"found {listed(node.value)}" if node.value else "found nothing"
    return f"a step without a verb ({found}); the verbs are {verbs}"
