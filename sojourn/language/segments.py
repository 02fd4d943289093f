"""The conditions of segments, ready to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sojourn.language.conditions import UTC_CALENDAR, Calendar, Condition, listed, parse
from sojourn.language.conditions.calendar import reads_moments
from sojourn.language.conditions.expression import Tree, expand_condition
from sojourn.language.conditions.tree import to_text
from sojourn.language.model import Segment

_NONE: Mapping[str, Tree] = {}


def conditions_of(
    segments: Mapping[str, Segment], computed: Mapping[str, Tree] = _NONE, calendar: Calendar = UTC_CALENDAR
) -> dict[str, Condition]:
    """Return each segment's condition by its name; of a kept list, that one stands on it.

    Args:
        segments: by name.
        computed: the trees of computed traits by name; they stand in conditions where their traits stood.
        calendar: how they read moments.
    """
    return {
        name: listed(name) if segment.members is None else expand_condition(parse(segment.members), computed).by(calendar)
        for name, segment in segments.items()
    }


def version_of(name: str, conditions: Mapping[str, Condition]) -> str:
    """Return the version of a segment: the same for the same meaning, that of the segments in it included (SHA-256, hex)."""
    condition = conditions[name]
    inner = "".join(version_of(other, conditions) for other in sorted(condition.names.segments))
    # In which zone dates are midnights, and which numbers are moments, is a part of what such a condition means.
    read_by = f"\n{condition.calendar.named()}" if reads_moments(condition.tree) else ""
    return hashlib.sha256(f"{to_text(condition.tree)}\n{inner}{read_by}".encode()).hexdigest()
