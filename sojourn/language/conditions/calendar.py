"""How moments are read: in which zone a date is a midnight, and which numbers of events count from 1970."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from sojourn.language.conditions import tree
from sojourn.language.conditions.tree import Kind, Node, Path, kind_of, path_text
from sojourn.language.conditions.values import OLDEST_EPOCH, SECONDS_BELOW, YOUNGEST_EPOCH, millionths
from sojourn.language.moments import zone_name, zone_named
from sojourn.store.types import from_micros

_NONE: Mapping[str, frozenset[Path]] = {}


@dataclass(frozen=True)
class Calendar:
    """How moments are read, for one person or, where nobody in particular is meant, for the shop.

    Attributes:
        zone: a date such as 2026-01-31 is its midnight here.
        epochs: by an event's name, the properties whose numbers are seconds or milliseconds since 1970.
    """

    zone: tzinfo = UTC
    epochs: Mapping[str, frozenset[Path]] = field(default_factory=lambda: _NONE)
    _by_zone: dict[str, Calendar] = field(default_factory=dict, compare=False, repr=False)

    def of(self, zone: str | None) -> Calendar:
        """Return the calendar of a person whose zone has a name; this one, where it is unknown or none."""
        if zone is None:
            return self
        known = self._by_zone.get(zone)
        if known is None:
            try:
                known = self.in_zone(zone_named(zone))
            except ValueError:  # what a client said is a zone, and is none
                known = self
            self._by_zone[zone] = known
        return known

    def in_zone(self, zone: tzinfo) -> Calendar:
        """Return the same in another zone."""
        return replace(self, zone=zone, _by_zone={})

    def named(self) -> str:
        """Return it as a text, the same for the same calendar."""
        paths = sorted(f"{event}: {path_text(path)}" for event, its in self.epochs.items() for path in its)
        return "; ".join((zone_name(self.zone), *paths))

    def read(self, event: str, path: Path, value: Any) -> Any:
        """Return a number of an event's property as the moment that it is declared to be; any other as it is."""
        if path not in self.epochs.get(event, ()):
            return value
        return moment_of_epoch(value)


def moment_of_epoch(number: int | float) -> datetime | None:
    """Return the moment of a number of seconds or, where it is a large one, of milliseconds since 1970; None of what is neither."""
    if not OLDEST_EPOCH <= number < YOUNGEST_EPOCH:
        return None
    return from_micros(int(millionths(float(number) if number < SECONDS_BELOW else number / 1000.0)))


def reads_moments(node: Node) -> bool:
    """Tell whether what a condition says depends on how moments are read: it may read a text or a number of a property as one."""
    if isinstance(node, tree.DaysSince) and kind_of(node.of) is not Kind.MOMENT:
        return True
    if isinstance(node, tree.Comparison | tree.Membership):
        sides = (node.left, *(node.right.items if isinstance(node.right, tree.ListOf) else (node.right,)))
        kinds = {kind_of(side) for side in sides}
        dated = any(isinstance(side, tree.Literal) and isinstance(side.value, str) and side.value[:1] in ("1", "2") for side in sides)
        if Kind.ANY in kinds and (Kind.MOMENT in kinds or dated or kinds == {Kind.ANY}):
            return True
        if Kind.MOMENT in kinds and dated:
            return True
    return any(map(reads_moments, tree.children(node)))


UTC_CALENDAR = Calendar()

__all__ = ["UTC_CALENDAR", "Calendar", "moment_of_epoch", "reads_moments"]
