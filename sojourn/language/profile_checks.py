"""Checks of profile.yaml: that every computed trait is understood, and that journeys and segments ask for traits that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sojourn.language.conditions import ConditionError, parse
from sojourn.language.conditions.bands import Banded
from sojourn.language.conditions.expression import Tree, computed_cycle, expand, expand_all, traits_asked
from sojourn.language.conditions.tree import Node
from sojourn.language.conditions.turning import unreckonable
from sojourn.language.finding import Finding, Findings
from sojourn.language.model import Choose, If, Journey, Segment, Set, WaitFor
from sojourn.language.outline import Way, walk
from sojourn.language.problems import unknown
from sojourn.language.profile_model import OBSERVED, Bands, ProfileSettings, expression_of

KEPT_ELSEWHERE = {"consent": "consent is kept with its date and source; say in shop.yaml which purposes need it"}


def check_profile(settings: ProfileSettings) -> list[Finding]:
    """Return what is wrong with a profile.yaml beyond its shape."""
    found = Findings()
    trees = _understood(settings, found)
    _names(settings, found)
    cycle = computed_cycle(trees)
    if cycle is not None:
        found.add(("computed", cycle[0]), "the computed trait is part of its own definition: " + " → ".join(cycle))
    elif len(trees) == len(settings.computed):
        _expanded(settings, trees, found)
    return found.all


def check_computed(settings: ProfileSettings) -> list[Finding]:
    """Return which computed traits cannot be understood, each by itself."""
    found = Findings()
    _understood(settings, found)
    return found.all


def _understood(settings: ProfileSettings, found: Findings) -> dict[str, Tree]:
    trees: dict[str, Tree] = {}
    for name, written in settings.computed.items():
        try:
            trees[name] = expression_of(written).tree
        except ConditionError as error:
            found.add(_way(name, written), str(error), error.position)
    return trees


def _way(name: str, written: str | Bands) -> Way:
    return ("computed", name) if isinstance(written, str) else ("computed", name, "of")


def _expanded(settings: ProfileSettings, trees: Mapping[str, Tree], found: Findings) -> None:
    wrong: dict[str, ConditionError] = {}
    for name in trees:
        try:
            expand_all({other: trees[other] for other in _needed(name, trees)})
        except ConditionError as error:
            wrong[name] = error
    for name, its_error in wrong.items():
        if not wrong.keys() & (_needed(name, trees) - {name}):  # else it is said where it begins
            found.add(_way(name, settings.computed[name]), str(its_error))
    if wrong:
        return
    for name, written in settings.computed.items():
        text, its = written if isinstance(written, str) else written.of, trees[name]
        _unknown_traits(text, its.of if isinstance(its, Banded) else its, _way(name, written), settings, found)


def _needed(name: str, trees: Mapping[str, Tree]) -> set[str]:
    """Return a computed trait and all that it is computed from."""
    needed, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in needed:
            needed.add(one)
            its = trees[one]
            waiting += traits_asked(its.of if isinstance(its, Banded) else its) & trees.keys()
    return needed


def _names(settings: ProfileSettings, found: Findings) -> None:
    observed = settings.observed()
    for name in settings.computed:
        if name in settings.traits:
            found.add(("computed", name), f"`{name}` is declared under traits as well; a trait is said or computed", at_key=True)
        if name in observed:
            found.add(("computed", name), f"`{name}` is observed already (`observe`); rename this one", at_key=True)
    for name, rule in settings.traits.items():
        if name in KEPT_ELSEWHERE:
            found.add(("traits", name), KEPT_ELSEWHERE[name], at_key=True)
        if name in observed and name not in OBSERVED["place"]:
            found.add(("traits", name), f"`{name}` is observed (`observe`), so nobody says it; leave it out here", at_key=True)
        elif name in observed and (rule.type, rule.merge) != ("text", "latest"):
            found.add(("traits", name), f"`{name}` is observed (`observe: place`): write type: text and merge: latest", at_key=True)


def check_traits(definitions: Mapping[str, Journey | Segment], settings: ProfileSettings) -> dict[str, list[Finding]]:
    """Return, for each definition by its file, what is wrong with the traits that it asks for or sets."""
    return {file: _check(definition, settings) for file, definition in definitions.items()}


def _check(definition: Journey | Segment, settings: ProfileSettings) -> list[Finding]:
    found = Findings()
    for text, way in asked_in(definition):
        try:
            expanded = expand(parse(text).tree, settings.trees)
        except ConditionError as error:
            if _is_understood(text):  # else it is said by the check of conditions
                found.add(way, str(error), error.position)
            continue
        if isinstance(definition, Segment) and expanded is not parse(text).tree:
            for part, instead in unreckonable(expanded):
                found.add(way, f"`{part}`, by a computed trait: when this changes with the time cannot be reckoned; {instead}")
        _unknown_traits(text, parse(text).tree, way, settings, found)
    for way, step in walk(definition) if isinstance(definition, Journey) else ():
        for name in step.set if isinstance(step, Set) else ():
            if name in settings.computed or name in settings.observed():
                what = "computed from history" if name in settings.computed else "observed"
                found.add((*way, "set", name), f"`{name}` is {what} (profile.yaml); set a trait of another name", at_key=True)
            elif settings.undeclared == "drop" and name not in settings.traits:
                found.add((*way, "set", name), _sentence(name, settings), at_key=True)
    return found.all


def _is_understood(text: str) -> bool:
    try:
        parse(text)
    except ConditionError:
        return False
    return True


def _unknown_traits(text: str, node: Node, way: Way, settings: ProfileSettings, found: Findings) -> None:
    if settings.undeclared == "keep":
        return
    for name in sorted(traits_asked(node) - settings.names()):
        found.add(way, _sentence(name, settings), max(text.find(f"profile.{name}"), 0))


def _sentence(name: str, settings: ProfileSettings) -> str:
    return f"{unknown('trait', name, settings.names())} (profile.yaml says `undeclared: drop`)"


def asked_in(definition: Journey | Segment) -> Iterator[tuple[str, Way]]:
    """Return every condition of a definition with the way to it."""
    if isinstance(definition, Segment):
        if definition.members is not None:
            yield definition.members, ("members",)
        return
    heads: list[tuple[str | None, Way]] = [(definition.enter.if_, ("enter", "if"))]
    heads += [(leave.if_, ("leave", i, "if")) for i, leave in enumerate(definition.leave)]
    heads += [(definition.goal.if_, ("goal", "if"))] if definition.goal is not None else []
    for way, step in walk(definition):
        match step:
            case If():
                heads.append((step.if_, (*way, "if")))
            case Choose():
                heads += [(line.if_, (*way, "choose", i, "if")) for i, line in enumerate(step.choose)]
            case WaitFor(wait_for=str()):
                heads.append((step.if_, (*way, "if")))
            case WaitFor():
                heads += [(branch.if_, (*way, "wait_for", i, "if")) for i, branch in enumerate(step.branches)]
    yield from ((text, way) for text, way in heads if text is not None)
