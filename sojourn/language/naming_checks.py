"""Names that nothing declares: of events, properties and traits, wherever a definition names them.

Where what is declared is complete (`additionalProperties: false`, `undeclared: drop`, `undeclared_events`), an
unknown name is an error, said by the checks of events and traits; here it is a warning with the nearest known one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sojourn.language.conditions import ConditionError, parse, tree
from sojourn.language.conditions.expression import traits_asked
from sojourn.language.events.checks import conditions_at, parts_asked, paths_at
from sojourn.language.events.known import Path
from sojourn.language.finding import Findings
from sojourn.language.kinds import check_kinds
from sojourn.language.model import Example, Happening, Journey, Segment, Set
from sojourn.language.outline import Way, engagement, walk
from sojourn.language.persona_model import Persona
from sojourn.language.problems import nearest, unknown
from sojourn.language.spelling import Mention, mentions
from sojourn.language.vocabulary import Vocabulary
from sojourn.language.words import check_event_name

_NAMED_BY = {"segment": "segments", "purpose": "purposes", "journey": "journeys", "content": "contents", "topic": "topics"}
_SAYING = frozenset({
    "Segment Entered", "Segment Exited", "Consent Requested", "Consent Confirmed", "Subscribed", "Unsubscribed", "Email Delivered",
    "Email Opened", "Email Link Clicked", "Email Bounced", "Email Marked as Spam",
})  # fmt: skip


def check_definition(definition: Journey | Segment, vocabulary: Vocabulary, found: Findings) -> None:
    """Find what a journey, a segment or a broadcast's condition names and nothing declares."""
    also = vocabulary.begun_with.get(definition.name, frozenset()) if isinstance(definition, Journey) else frozenset[str]()
    check_mentions(mentions(definition), vocabulary, found)
    for event, text, way in conditions_at(definition):
        check_text(event, text, way, vocabulary, found, also)
    if not isinstance(definition, Journey):
        return
    for event, written, way in paths_at(definition):
        _property(event, tuple(written.split(".")[1:]), way, vocabulary, found, also=also)
    for way, step in walk(definition):
        for name in step.set if isinstance(step, Set) else ():
            profile = vocabulary.profile
            declared = profile.names() if profile is not None and profile.traits and profile.undeclared == "keep" else frozenset[str]()
            near = nearest(name, declared) if name not in declared else ""
            if near:  # else the journey makes a trait of its own
                found.warn((*way, "set", name), f"profile.yaml declares no trait `{name}`{near}", at_key=True)
    for i, example in enumerate(definition.examples):
        _example(definition, example, ("examples", i), vocabulary, found)


def check_mentions(named: Iterable[Mention], vocabulary: Vocabulary, found: Findings) -> None:
    """Find names of events that nothing declares, and patterns of names in conditions."""
    for mention in named:
        refused = Findings()
        check_event_name(mention.name, mention.way, vocabulary.events, refused)
        if refused.all and mention.offset is not None:  # in a condition; elsewhere it is said already
            found.all += [replace(each, offset=mention.offset) for each in refused.all]
        about = vocabulary.about_event(mention.name) if vocabulary.undeclared == "accept" and not refused.all else None
        if about is not None:
            found.warn(mention.way, about, mention.offset)


def check_text(event: str | None, text: str, way: Way, vocabulary: Vocabulary, found: Findings, also: frozenset[str] = frozenset()) -> None:
    """Find what a condition names and nothing declares.

    Args:
        event: the event that `event.*` is there, if any.
        text: the condition; one that cannot be understood is said elsewhere.
        way: where.
        vocabulary: what is declared.
        found: takes what is found.
        also: properties of the event that may be there beside.
    """
    try:
        root = parse(text).tree
    except ConditionError:
        return
    check_tree(event, root, text, way, vocabulary, found, also)


def check_tree(
    event: str | None, root: tree.Node, text: str, way: Way, vocabulary: Vocabulary, found: Findings, also: frozenset[str] = frozenset()
) -> None:
    """Find what a checked tree names and nothing declares; arguments as of `check_text`."""
    for name, part in parts_asked(root, event, lambda name, path: vocabulary.about_property(name, path) is None):
        if name is not None and isinstance(part, tree.EventProperty):
            word = next((step for step in reversed(part.path) if isinstance(step, str)), "")
            _property(name, part.path, way, vocabulary, found, _at(text, word), also)
    for trait in sorted(traits_asked(root)):
        about = vocabulary.about_trait(trait)
        if about is not None:
            found.warn(way, about, _at(text, f"profile.{trait}"))
    for name, kind, value in _literals(root, event):
        known = getattr(vocabulary.known, _NAMED_BY[kind])
        if known is not None and value not in known and not (name.startswith("Segment") and way == ("enter", "if")):
            found.add(way, unknown(kind, value, known), _at(text, value))
    check_kinds(event, root, text, way, vocabulary, found)


def _literals(root: tree.Node, event: str | None) -> Iterator[tuple[str, str, str]]:
    """Return each text that is compared with a property of an engine's event that names something: event, kind, text."""
    if isinstance(root, tree.Past):
        event = root.event
    match root:
        case tree.Comparison(left=tree.EventProperty(path=(str(kind),)), right=tree.Literal(value=str() as value)):
            pairs = [(kind, value)]
        case tree.Comparison(right=tree.EventProperty(path=(str(kind),)), left=tree.Literal(value=str() as value)):
            pairs = [(kind, value)]
        case tree.Membership(left=tree.EventProperty(path=(str(kind),)), right=tree.ListOf(items=items)):
            pairs = [(kind, item.value) for item in items if isinstance(item, tree.Literal) and isinstance(item.value, str)]
        case _:
            pairs = []
    if event in _SAYING:
        yield from ((event, kind, value) for kind, value in pairs if kind in _NAMED_BY)
    for child in tree.children(root):
        yield from _literals(child, event)


def _at(text: str, word: str) -> int:
    return max(text.find(word), 0)


def _property(
    event: str, path: Path, way: Way, vocabulary: Vocabulary, found: Findings, offset: int | None = None,
    also: frozenset[str] = frozenset(), *, at_key: bool = False,
) -> None:  # fmt: skip
    about = vocabulary.about_property(event, path, also)
    if about is not None:
        found.warn(way, about, offset, at_key)


def _example(journey: Journey, example: Example, way: Way, vocabulary: Vocabulary, found: Findings) -> None:
    also = vocabulary.begun_with.get(journey.name, frozenset())
    for name, value in example.given.items():
        kind, _, rest = name.partition(".")
        place = (*way, "given", name)
        if kind == "event" and rest and rest not in ("name", "time"):
            _property(journey.enter.on, tuple(rest.split(".")), place, vocabulary, found, also=also, at_key=True)
        elif kind == "profile" and rest:
            _trait(rest.partition(".")[0], place, vocabulary, found)
        elif name == "history":
            for i, past in enumerate(value if isinstance(value, list) else ()):
                if isinstance(past, dict) and isinstance(past.get("event"), str):
                    _happened(past["event"], past.get("properties"), (*place, i), vocabulary, found)
    for moment, happenings in example.events.items():
        several = isinstance(happenings, tuple)
        for j, happening in enumerate(happenings if isinstance(happenings, tuple) else (happenings,)):
            at = (*way, "events", moment, j) if several else (*way, "events", moment)
            if isinstance(happening, Happening):
                _happened(happening.event, happening.properties, at, vocabulary, found)
            elif engagement(happening) is None:
                check_mentions([Mention(happening, at)], vocabulary, found)


def check_persona_names(persona: Persona, vocabulary: Vocabulary, found: Findings) -> None:
    """Find what a persona names and nothing declares."""
    for name in persona.profile:
        _trait(name, ("profile", name), vocabulary, found)
    for i, past in enumerate(persona.history):
        _happened(past.event, past.properties, ("history", i), vocabulary, found)


def _trait(name: str, way: Way, vocabulary: Vocabulary, found: Findings) -> None:
    about = vocabulary.about_trait(name)
    if about is not None:
        found.warn(way, about, at_key=True)


def _happened(event: str, properties: Any, way: Way, vocabulary: Vocabulary, found: Findings) -> None:
    if engagement(event) is not None and " " not in event:
        return
    check_mentions([Mention(event, (*way, "event"))], vocabulary, found)
    for name in properties if isinstance(properties, Mapping) else ():
        _property(event, (name,), (*way, "properties", name), vocabulary, found, at_key=True)


__all__ = ["check_definition", "check_mentions", "check_persona_names", "check_text", "check_tree"]
