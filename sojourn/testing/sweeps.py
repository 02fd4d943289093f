"""Which segments to sweep at which hours: on an hour's grid, as the router does, but only where something can have changed.

A segment's membership changes when something becomes known (then the next hour finds it) or when an event
passes out of a window (then the hour after that moment does). An hour in between finds what the last one found.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from sojourn.language.conditions import Condition, tree

HOUR = timedelta(hours=1)


class Sweeps:
    """The hours at which segments are to be swept.

    Args:
        segments: every segment's condition.
        swept: those that are swept at all.
        start: when the grid begins. What is learned at an hour's beginning is seen at the next: that hour's sweep was then.
    """

    def __init__(self, segments: Mapping[str, Condition], swept: Collection[str], start: datetime) -> None:
        self._start = start
        self._swept = frozenset(swept)
        self._windows: dict[str, dict[str, set[timedelta]]] = {}  # event name, segment, windows
        self._always: set[str] = set()  # segments that depend on the time itself
        for name in swept:
            for node in _nodes(segments[name].tree, segments):
                if isinstance(node, tree.Now | tree.DaysSince):
                    self._always.add(name)
                elif isinstance(node, tree.Past) and node.within is not None:
                    self._windows.setdefault(node.event, {}).setdefault(name, set()).add(node.within)
        self._hours: list[datetime] = []
        self._at: dict[datetime, set[str]] = {}

    @property
    def due(self) -> datetime | None:
        """The next hour of a sweep; None where nothing can change any more."""
        return self._hours[0] if self._hours else None

    def learned(self, now: datetime, events: Iterable[tuple[str, datetime]] = ()) -> None:
        """Note that something became known: events, by name and time, or traits."""
        self._add(now, self._swept, now)
        for name, time in events:
            for segment, windows in self._windows.get(name, {}).items():
                for window in windows:
                    self._add(time + window, (segment,), now)

    def take(self) -> list[str]:
        """Return the segments of the hour that is due."""
        hour = heapq.heappop(self._hours)
        segments = self._at.pop(hour) | self._always
        self._add(hour, self._always, hour)
        return sorted(segments)

    def _add(self, moment: datetime, segments: Iterable[str], now: datetime) -> None:
        """Sweep segments at the first hour that is not before a moment and after now."""
        names = set(segments)
        if not names:
            return
        hours = max(-((self._start - moment) // HOUR), (now - self._start) // HOUR + 1)
        hour = self._start + hours * HOUR
        if hour not in self._at:
            heapq.heappush(self._hours, hour)
        self._at.setdefault(hour, set()).update(names)


def _nodes(node: tree.Node, segments: Mapping[str, Condition]) -> Iterable[tree.Node]:
    """Return all nodes of a tree, and of the segments that it asks for."""
    yield node
    for child in tree.children(node):
        yield from _nodes(child, segments)
    if isinstance(node, tree.Segment) and node.name in segments:
        yield from _nodes(segments[node.name].tree, segments)
