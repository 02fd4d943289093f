"""Texts in conditions that are compared with a trait that is kept in another form: `France`, where FR is kept."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.customers.normalise import Hints, Normalise, Refusal, country, country_of_zone, normaliser_of, region
from sojourn.customers.place import CHANGED
from sojourn.language.conditions import ConditionError, parse, tree
from sojourn.language.events.checks import conditions_at
from sojourn.language.examining import Examined
from sojourn.language.finding import Finding
from sojourn.language.model import Journey, Segment
from sojourn.language.outline import Way
from sojourn.language.parsing import placed
from sojourn.language.problems import Problem, shown
from sojourn.language.profile_model import ProfileSettings

_PLACES: dict[str, Normalise] = {"country": country(), "region": region()}
_MOVED: dict[str, Normalise] = {"from_country": country(), "to_country": country()}  # properties of `Location Changed`


def normal_forms(found: Examined) -> list[Problem]:
    """Return, as warnings, the texts that a trait never is, since it is brought into one form before it is kept."""
    if found.profile is None or found.shop is None:
        return []
    forms, hints = _forms(found.profile), Hints(country_of_zone(found.shop.zone), found.shop.currency)
    return [problem for file, root, definition in found.every for problem in placed(_findings(definition, forms, hints), root, file)[1]]


def _forms(profile: ProfileSettings) -> dict[str, Normalise]:
    """Return how each trait that has one form is brought into it, by its name."""
    declared = {name: normaliser_of(rule) for name, rule in profile.traits.items() if rule.normalise and rule.on_refusal == "drop"}
    return {**(_PLACES if "place" in profile.observe else {}), **declared}


def _findings(definition: Journey | Segment, forms: dict[str, Normalise], hints: Hints) -> Iterator[Finding]:
    for event, text, way in conditions_at(definition):
        try:
            root = parse(text).tree
        except ConditionError:
            continue  # said by the check of conditions
        for node, value in _compared(root):
            name = str(node.path[0]) if isinstance(node, tree.Trait | tree.EventProperty) else ""
            normalise = forms.get(name) if isinstance(node, tree.Trait) else _MOVED.get(name) if event == CHANGED else None
            if normalise is not None:
                yield from _about(tree.to_text(node), value, normalise(value, hints), text, way)


def _about(name: str, value: str, kept: object, text: str, way: Way) -> Iterator[Finding]:
    if kept == value:
        return
    place = max(text.find(value), 0)
    if isinstance(kept, Refusal):
        yield Finding(way, f"`{name}` is never {shown(value)}, which is {kept.reason}: what is refused is not kept", place, warning=True)
    else:
        yield Finding(way, f"`{name}` is never {shown(value)}: it is kept as {shown(kept)}; write that", place, warning=True)


def _compared(node: tree.Node) -> Iterator[tuple[tree.Node, str]]:
    """Return each text that a trait, or a property of the event at hand, is compared with for equality."""
    if isinstance(node, tree.Past):
        return
    match node:
        case tree.Comparison(operator="==" | "!=", left=left, right=right):
            pairs = [(left, right), (right, left)]
        case tree.Membership(left=left, right=tree.ListOf(items=items)):
            pairs = [(left, item) for item in items]
        case _:
            pairs = []
    for one, other in pairs:
        named = isinstance(one, tree.Trait | tree.EventProperty) and len(one.path) == 1
        if named and isinstance(other, tree.Literal) and isinstance(other.value, str):
            yield one, other.value
    for child in tree.children(node):
        yield from _compared(child)


__all__ = ["normal_forms"]
