"""Comparisons that never hold, by what is declared: a moment beside a text that is none, a number beside a text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sojourn.language.conditions import tree
from sojourn.language.conditions.bands import Banded
from sojourn.language.conditions.tree import Kind, kind_of, to_text
from sojourn.language.events.known import schema_at
from sojourn.language.finding import Findings
from sojourn.language.outline import Way
from sojourn.language.problems import listed, nearest, shown
from sojourn.language.vocabulary import Vocabulary
from sojourn.local_time import parse_moment

_OF_TRAITS = {
    "text": Kind.TEXT, "number": Kind.NUMBER, "money": Kind.NUMBER, "boolean": Kind.BOOL, "moment": Kind.MOMENT, "date": Kind.MOMENT,
    "list": Kind.LIST,
}  # fmt: skip
_OF_SCHEMAS = {"string": Kind.TEXT, "integer": Kind.NUMBER, "number": Kind.NUMBER, "boolean": Kind.BOOL, "array": Kind.LIST}
_OBSERVED = {"usual_hour": Kind.NUMBER}
_DEVICES = ("mobile", "tablet", "desktop")
_MOMENTS = ("date-time", "date")
_EARLIEST_EPOCH = 100_000_000  # seconds: 1973; a smaller number is no moment that anyone means


@dataclass(frozen=True)
class Declared:
    """What is declared of a value: the kinds that it may be, the only texts that it may be, and whether it can be nothing else."""

    kinds: frozenset[Kind]
    texts: tuple[str, ...] = ()
    certain: bool = False


def check_kinds(event: str | None, root: tree.Node, text: str, way: Way, vocabulary: Vocabulary, found: Findings) -> None:
    """Find comparisons that never hold.

    Args:
        event: the event that `event.*` is there, if any.
        root: the condition.
        text: as it is written.
        way: where.
        vocabulary: what is declared.
        found: takes what is found.
    """
    for node, about in _with_event(root, event):
        match node:
            case tree.Comparison(operator=operator, left=left, right=right):
                _compared(operator, left, right, about, text, way, vocabulary, found)
            case tree.Membership(left=left, right=tree.ListOf(items=items)):
                for item in items:
                    _compared("==", left, item, about, text, way, vocabulary, found)
            case tree.DaysSince(of=of):
                its = _declared(of, about, vocabulary)
                if its is not None and not its.kinds & {Kind.MOMENT, Kind.TEXT}:
                    found.warn(way, f"`{to_text(of)}` is declared {_said(its)}, so days_since of it is missing{_epoch(its)}", _at(text, of))
            case tree.Past(function="sum", event=name, of=tree.EventProperty() as of):
                its = _declared(of, name, vocabulary)
                if its is not None and Kind.NUMBER not in its.kinds:
                    said = tree.path_text(of.path)
                    found.warn(way, f"`{said}` of `{name}` is declared {_said(its)}, so it adds nothing to a sum", max(text.find(said), 0))


def _with_event(node: tree.Node, event: str | None) -> Iterator[tuple[tree.Node, str | None]]:
    yield node, event
    for child in tree.children(node):
        yield from _with_event(child, node.event if isinstance(node, tree.Past) else event)


def _compared(
    operator: str, left: tree.Node, right: tree.Node, event: str | None, text: str, way: Way, vocabulary: Vocabulary, found: Findings
) -> None:
    one, other = _declared(left, event, vocabulary), _declared(right, event, vocabulary)
    if one is None or other is None:
        return
    for its, node, beside in ((one, left, right), (other, right, left)):
        value = beside.value if isinstance(beside, tree.Literal) else None
        if not isinstance(value, str):
            continue
        if its.kinds == {Kind.MOMENT}:
            if parse_moment(value) is None:
                said = f"{to_text(beside)} is no moment, and `{to_text(node)}` is declared one"
                found.add(way, f"{said}; write one such as 2026-01-31T09:00:00Z", _at(text, beside))
                return
        elif its.texts and value not in its.texts and operator in ("==", "!="):
            near = nearest(value, its.texts) or f"; it may be {listed(its.texts)}"
            found.warn(way, f"`{to_text(node)}` is never {shown(value)}{near}", _at(text, beside))
            return
    ordered = operator not in ("==", "!=") and Kind.BOOL in one.kinds | other.kinds and len(one.kinds) == len(other.kinds) == 1
    if _alike(one.kinds) & _alike(other.kinds) and not ordered:
        return
    said = f"`{to_text(left)}` is {_said(one)} and `{to_text(right)}` is {_said(other)}: this never holds"
    if isinstance(right, tree.Literal | tree.Now) or not isinstance(left, tree.Literal | tree.Now):
        place, its, beside = _at(text, right), one, right
    else:
        place, its, beside = _at(text, left), other, left
    if one.certain and other.certain:
        found.add(way, said, place)
    else:
        found.warn(way, said + _epoch(its, beside), place)


def _alike(kinds: frozenset[Kind]) -> frozenset[Kind]:
    """A moment is compared with a text that names one."""
    return kinds | {Kind.TEXT} if Kind.MOMENT in kinds else kinds


def _epoch(its: Declared, beside: tree.Node | None = None) -> str:
    """Return what to write where a number is meant as a moment."""
    moment = (
        beside is None
        or kind_of(beside) is Kind.MOMENT
        or (isinstance(beside, tree.Literal) and isinstance(beside.value, str) and parse_moment(beside.value) is not None)
    )
    if its.kinds == {Kind.NUMBER} and moment:
        return "; where it counts seconds or milliseconds since 1970, declare it `format: date-time` (of a trait, `type: moment`)"
    value = beside.value if isinstance(beside, tree.Literal) else None
    if Kind.MOMENT in its.kinds and isinstance(value, int | float) and value >= _EARLIEST_EPOCH:
        seconds = value / 1000 if value >= _EARLIEST_EPOCH * 1000 else value
        try:
            return f'; write "{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"'
        except (ValueError, OverflowError):
            return ""
    return ""


def _said(its: Declared) -> str:
    return " or ".join(sorted(kind.value for kind in its.kinds))


def _at(text: str, node: tree.Node) -> int:
    written = to_text(node)
    within = str(node.value) if isinstance(node, tree.Literal) else written  # in a `where` quotation marks are written otherwise
    for form in (written, written.replace('"', "'"), within):
        if form in text:
            return text.find(form)
    return 0


def _declared(node: tree.Node, event: str | None, vocabulary: Vocabulary) -> Declared | None:
    match node:
        case tree.Trait(path=(str(name),)):
            return _of_trait(name, vocabulary)
        case tree.EventProperty(path=path):
            return None if event is None else _of_property(event, path, vocabulary)
        case tree.Past(function="first" | "last", event=name, of=tree.EventProperty() as of):
            return _declared(of, name, vocabulary)
    kind = kind_of(node)
    return None if kind in (Kind.ANY, Kind.LIST) else Declared(frozenset({kind}), certain=True)


def _of_trait(name: str, vocabulary: Vocabulary) -> Declared | None:
    profile = vocabulary.profile
    if profile is None:
        return None
    if name in profile.computed:
        its = profile.expressions[name].tree
        if isinstance(its, Banded):
            return Declared(frozenset({Kind.TEXT}), certain=True)
        kind = kind_of(its)
        return None if kind is Kind.ANY else Declared(frozenset({kind}), certain=True)
    if name in profile.traits:
        kind_said = _OF_TRAITS.get(profile.traits[name].type)
        return None if kind_said is None else Declared(frozenset({kind_said}))
    if name in profile.observed():
        return Declared(frozenset({_OBSERVED.get(name, Kind.TEXT)}), _DEVICES if name == "usual_device" else ())
    return None


def _of_property(event: str, path: tuple[str | int, ...], vocabulary: Vocabulary) -> Declared | None:
    definition = vocabulary.events.get(event)
    schema = None if definition is None else schema_at(definition.properties, path)
    if schema is None:
        return None
    types = schema.get("type")
    names = {types} if isinstance(types, str) else set(types or ())
    options = (*schema.get("enum", ()), *([schema["const"]] if "const" in schema else []))
    texts = tuple(each for each in options if isinstance(each, str)) if options and all(isinstance(each, str) for each in options) else ()
    if not names and not texts and schema.get("format") in _MOMENTS:
        names = {"string"}
    if not names or not names <= _OF_SCHEMAS.keys() | {"null"}:
        return Declared(frozenset({Kind.TEXT}), texts) if texts and not names else None
    kinds = {_OF_SCHEMAS[each] for each in names - {"null"}}
    if schema.get("format") in _MOMENTS and kinds <= {Kind.TEXT, Kind.NUMBER}:
        kinds = {Kind.MOMENT}
    return Declared(frozenset(kinds), texts) if kinds else None


__all__ = ["check_kinds"]
