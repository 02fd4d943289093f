"""Keeps what a build or an import changed of memberships as history at once, where nothing listens for it.

Such changes move no journey. A first build changes a membership of nearly everyone, several times over: in the log these
would keep live events waiting for minutes, and cost more than the build itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sojourn.customers.inner import InnerEvent, Tell
from sojourn.customers.segments.causes import moves_nobody
from sojourn.intake.emit import tell
from sojourn.intake.process import position
from sojourn.language.asked import SEGMENT_EVENTS, segments_awaited
from sojourn.store.bulk import insert_fast
from sojourn.store.tables import events
from sojourn.travel.registry import Registry


def teller(registry: Registry) -> Tell:
    """Return how changes of memberships are told: by the log, but those of a build or an import only where something listens."""
    listened = _listened(registry)

    def tell_or_keep(connection: Connection, told: Sequence[InnerEvent]) -> None:
        kept: list[InnerEvent] = []
        heard: list[InnerEvent] = []
        for one in told:
            is_kept = listened is not None and _is_quiet(one) and one.properties["segment"] not in listened
            (kept if is_kept else heard).append(one)
        tell(connection, heard)
        _keep(connection, kept)

    return tell_or_keep


def _is_quiet(event: InnerEvent) -> bool:
    return event.name in SEGMENT_EVENTS and moves_nobody(event.properties)


def _listened(registry: Registry) -> frozenset[str] | None:
    """Return the segments whose changes a journey begins on, so that it keeps why it did not; None: any."""
    if registry.book.needs.names & set(SEGMENT_EVENTS):
        return None
    found: set[str] = set()
    for name in {name for event in SEGMENT_EVENTS for name in registry.triggers.get(event, ())}:
        condition = registry.live[name].journey.enter.if_
        named = segments_awaited(condition) if condition is not None else frozenset()
        if not named:
            return None
        found |= set(named)
    return frozenset(found)


def _keep(connection: Connection, told: Sequence[InnerEvent]) -> None:
    seq = position(connection)  # after all that is routed
    rows = [(one.message_id, seq, one.profile_id, "track", one.name, one.time, one.properties) for one in told]
    insert_fast(connection, events, ("id", "seq", "profile_id", "kind", "name", "time", "properties"), rows)


__all__ = ["teller"]
