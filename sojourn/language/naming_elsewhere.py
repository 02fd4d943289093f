"""Names that nothing declares, in stages, clusters, recommendations, the profile and models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sojourn.language.catalog_model import RecommendationSettings
from sojourn.language.clusters_model import ClustersModel
from sojourn.language.conditions import ConditionError, tree
from sojourn.language.conditions.bands import Banded
from sojourn.language.conditions.grammar import read as read_expression
from sojourn.language.conditions.names import names_of
from sojourn.language.conditions.parser import Reader
from sojourn.language.finding import Finding, Findings
from sojourn.language.model import Model
from sojourn.language.naming_checks import check_mentions, check_tree
from sojourn.language.outline import Way
from sojourn.language.problems import DefinitionError, Problem, unknown
from sojourn.language.profile_model import ProfileSettings
from sojourn.language.source import Node, read
from sojourn.language.spelling import Mention
from sojourn.language.stages_model import StagesModel
from sojourn.language.vocabulary import Vocabulary

_Property = tuple[str, str, Way]


def check_elsewhere(definition: Model, vocabulary: Vocabulary) -> list[Finding]:
    """Return what a file names and nothing declares."""
    found = Findings()
    if vocabulary.known.events is None:
        return []
    if isinstance(definition, ProfileSettings):
        _check_profile(definition, vocabulary, found)
        return found.all
    named, properties = list(_events(definition)), list(_properties(definition))
    check_mentions(named, vocabulary, found)
    for event, name, way in properties:
        about = vocabulary.about_property(event, (name,))
        if about is not None:
            found.warn(way, about)
    return found.all


def _events(definition: Model) -> Iterator[Mention]:
    match definition:
        case StagesModel():
            yield Mention(definition.purchase.event, ("purchase", "event"))
            yield from (Mention(name, ("signs", i)) for i, name in enumerate(definition.signs))
            yield from (Mention(name, ("interest", i)) for i, name in enumerate(definition.interest))
        case ClustersModel():
            for i, feature in enumerate(definition.features):
                yield from (Mention(name, ("features", i, "events", j)) for j, name in enumerate(feature.events))
                yield from (Mention(name, ("features", i, "among", j)) for j, name in enumerate(feature.among))
        case RecommendationSettings():
            yield Mention(definition.on, ("on",))


def _properties(definition: Model) -> Iterator[_Property]:
    match definition:
        case StagesModel():
            yield definition.purchase.event, definition.purchase.value, ("purchase", "value")
        case ClustersModel():
            for i, feature in enumerate(definition.features):
                if feature.of is not None and len(feature.events) == 1:
                    yield feature.events[0], feature.of, ("features", i, "of")


def _check_profile(profile: ProfileSettings, vocabulary: Vocabulary, found: Findings) -> None:
    for name, expression in profile.expressions.items():
        way: Way = ("computed", name) if isinstance(profile.computed[name], str) else ("computed", name, "of")
        its = expression.tree.of if isinstance(expression.tree, Banded) else expression.tree
        _check_expression(its, expression.text, way, vocabulary, found)


def _check_expression(root: tree.Node, text: str, way: Way, vocabulary: Vocabulary, found: Findings) -> None:
    check_mentions([Mention(name, way, max(text.find(name), 0)) for name in sorted(names_of(root).events)], vocabulary, found)
    check_tree(None, root, text, way, vocabulary, found)


def check_models(folder: Path, vocabulary: Vocabulary) -> tuple[list[Problem], list[Problem]]:
    """Return what models name and nothing declares: mistakes, and warnings. A model that cannot be read is said by whoever asks it."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    for path in sorted((folder / "models").glob("*.yaml")):
        try:
            root = read(path.read_bytes(), str(path))
        except (DefinitionError, OSError):
            continue
        found = Findings()
        _check_model(root, vocabulary, found)
        for finding in found.all:
            (warnings if finding.warning else problems).append(finding.problem(root, str(path)))
    return problems, warnings


def _check_model(root: Node, vocabulary: Vocabulary, found: Findings) -> None:
    plain = root.plain()
    if not isinstance(plain, dict):
        return
    event, value, features = plain.get("event", "Order Completed"), plain.get("value"), plain.get("features")
    if plain.get("kind") == "rfm" and isinstance(event, str):
        check_mentions([Mention(event, ("event",))] if "event" in plain else [], vocabulary, found)
        about = vocabulary.about_property(event, (value,)) if isinstance(value, str) else None
        if about is not None:
            found.warn(("value",), about)
    for i, feature in enumerate(features if isinstance(features, list) else ()):
        text = feature.get("value") if isinstance(feature, dict) else None
        try:
            its = Reader().value(read_expression(text)) if isinstance(text, str) else None
        except ConditionError:
            continue
        if its is None or not isinstance(text, str):
            continue
        way: Way = ("features", i, "value")
        _check_expression(its, text, way, vocabulary, found)
        known = vocabulary.known.segments
        for name in sorted(names_of(its).segments - known) if known is not None else ():
            found.add(way, unknown("segment", name, known or ()), max(text.find(f"segment.{name}"), 0))


__all__ = ["check_elsewhere", "check_models"]
