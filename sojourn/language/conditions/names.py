"""The names that a condition refers to, for those who check that they exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sojourn.language.conditions import tree
from sojourn.language.conditions.tree import Node


@dataclass(frozen=True)
class Names:
    """What a condition refers to.

    Attributes:
        events: names of events in the history that it asks about.
        event_properties: properties of the event under test, as written after `event.`, `name` and `time` among them.
        traits: traits, as written after `profile.`.
        segments: segments.
        scores: models.
        calls: names that answers of `call` steps are kept under.
        engagements: pairs of a send's id and what is asked of it, such as `("reminder", "clicked")`.
    """

    events: frozenset[str] = frozenset()
    event_properties: frozenset[str] = frozenset()
    traits: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    scores: frozenset[str] = frozenset()
    engagements: frozenset[tuple[str, str]] = frozenset()
    calls: frozenset[str] = frozenset()


def names_of(node: Node) -> Names:
    """Return the names that a tree refers to."""
    found = list(_walk(node, past=False))
    return Names(
        events=frozenset(each.event for each, _ in found if isinstance(each, tree.Past)),
        event_properties=frozenset(_property(each) for each, past in found if isinstance(each, tree.EventPart) and not past),
        traits=frozenset(tree.path_text(each.path) for each, _ in found if isinstance(each, tree.Trait)),
        segments=frozenset(each.name for each, _ in found if isinstance(each, tree.Segment)),
        scores=frozenset(each.name for each, _ in found if isinstance(each, tree.Score)),
        calls=frozenset(each.name for each, _ in found if isinstance(each, tree.Called)),
        engagements=frozenset((each.send, each.kind) for each, _ in found if isinstance(each, tree.Engagement)),
    )


def _walk(node: Node, past: bool) -> Iterator[tuple[Node, bool]]:
    yield node, past
    for child in tree.children(node):
        yield from _walk(child, past or isinstance(node, tree.Past))


def _property(part: tree.EventPart) -> str:
    match part:
        case tree.EventName():
            return "name"
        case tree.EventTime():
            return "time"
        case tree.EventProperty(path=path):
            return tree.path_text(path)
