"""The conditions of segments, ready to be asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sojourn.language.conditions import Condition, listed, parse
from sojourn.language.conditions.tree import to_text
from sojourn.language.model import Segment


def conditions_of(segments: Mapping[str, Segment]) -> dict[str, Condition]:
    """Return each segment's condition by its name; of a kept list, that one stands on it."""
    return {name: listed(name) if segment.members is None else parse(segment.members) for name, segment in segments.items()}


def version_of(name: str, conditions: Mapping[str, Condition]) -> str:
    """Return the version of a segment: the same for the same meaning, that of the segments in it included (SHA-256, hex)."""
    condition = conditions[name]
    inner = "".join(version_of(other, conditions) for other in sorted(condition.names.segments))
    return hashlib.sha256(f"{to_text(condition.tree)}\n{inner}".encode()).hexdigest()
