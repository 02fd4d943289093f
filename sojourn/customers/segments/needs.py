"""What of a person's history the conditions of segments ask for, so that no more than that is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from sojourn.language.conditions import Condition, tree


@dataclass(frozen=True)
class Needs:
    """What to read of a history, by names of events.

    Attributes:
        windows: the longest window that is asked about a name.
        ends: names of which, beyond any window, only the first and the last event matter.
        whole: names of which every event matters.
    """

    windows: Mapping[str, timedelta]
    ends: frozenset[str]
    whole: frozenset[str]

    @cached_property
    def by_window(self) -> dict[timedelta, list[str]]:
        """The names that are asked about in windows, by the longest window of each."""
        found: dict[timedelta, list[str]] = {}
        for name, within in sorted(self.windows.items()):
            found.setdefault(within, []).append(name)
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that is asked about."""
        return frozenset(self.windows) | self.ends | self.whole


def needs_of(conditions: Iterable[Condition]) -> Needs:
    """Return what conditions need of a history."""
    windows: dict[str, timedelta] = {}
    ends: set[str] = set()
    whole: set[str] = set()
    for condition in conditions:
        for node in _nodes(condition.tree):
            if not isinstance(node, tree.Past):
                continue
            if node.within is not None:
                windows[node.event] = max(node.within, windows.get(node.event, node.within))
            elif node.function in ("did", "first", "last") and node.where is None:
                ends.add(node.event)
            else:
                whole.add(node.event)
    return Needs({name: within for name, within in windows.items() if name not in whole}, frozenset(ends - whole), frozenset(whole))


def _nodes(node: tree.Node) -> Iterator[tree.Node]:
    yield node
    for child in tree.children(node):
        yield from _nodes(child)
