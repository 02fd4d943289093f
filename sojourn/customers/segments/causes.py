"""Why a membership changed: something happened, time passed, or someone changed what is known of people.

Journeys begin and end on what happened and on time. What an import brought, and what an edit of a definition, a list or
of who is who made of people, is kept and told, and moves nobody, unless it was done with `--live`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Cause(StrEnum):
    """The cause that a `Segment Entered` or `Segment Exited` bears."""

    EVENT = "event"  # an event came in: also a merge that it brought about, and a trait that a journey set
    TIME = "time"  # a window passed, or what was known expired
    IMPORT = "import"  # a file of people or events
    EDIT = "edit"  # a definition that is new or was changed, a list, a merge or its undoing by hand or by a resolution


QUIET = frozenset({Cause.IMPORT, Cause.EDIT})
"""Causes that begin and end no journey by themselves."""
CAUSE, LIVE = "cause", "live"  # properties of the events


def moves_nobody(properties: Mapping[str, Any]) -> bool:
    """Tell whether a change of a segment neither begins nor ends a journey; one that bears no cause is of old, and does."""
    return properties.get(CAUSE) in QUIET and properties.get(LIVE) is not True


__all__ = ["CAUSE", "LIVE", "QUIET", "Cause", "moves_nobody"]
