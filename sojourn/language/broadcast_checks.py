"""What must hold within a broadcast beyond its shape: what holds of a segment's condition, and of a journey of one send."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from sojourn.language.asked import check_segments
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.checks import check_journey
from sojourn.language.entering import minutes_from, quiet_minutes
from sojourn.language.finding import Finding, Findings, Known
from sojourn.language.model import Segment
from sojourn.language.outline import Way
from sojourn.language.shop import TRANSACTIONAL, ShopSettings

_SEND = ("steps", 0)


def check_broadcast(broadcast: Broadcast, known: Known, journeys: Collection[str] = ()) -> list[Finding]:
    """Return all that is wrong with a broadcast.

    Args:
        broadcast: its model.
        known: names that exist beside it; those that are None are not checked.
        journeys: the names of the journeys.
    """
    found = check_segments({broadcast.name: as_segment(broadcast)}, known.segments)[broadcast.name]
    found += check_journey(broadcast.as_journey(), known)
    if broadcast.name in journeys:
        found.append(Finding(("broadcast",), f"a journey is called `{broadcast.name}` too; reports could not tell them apart: rename one"))
    return as_written(found)


def check_broadcast_hours(broadcast: Broadcast, shop: ShopSettings) -> list[Finding]:
    """Return what is wrong with when a broadcast begins, beside the quiet hours of its shop."""
    found, quiet = Findings(), shop.quiet()
    if quiet is None or broadcast.zone != "person" or broadcast.purpose == TRANSACTIONAL:
        return []
    begins = datetime.fromisoformat(broadcast.at).time()
    lasts = int(broadcast.patience.total_seconds() // 60)
    if minutes_from(begins, lasts) <= quiet_minutes(quiet):
        text = f"begins in the quiet hours of shop.yaml ({shop.quiet_hours}) and stops before they end, so nobody gets it"
        found.add(("at",), f"{text}; begin at another hour, or give it more time (`stop_after`)")
    return found.all


def as_segment(broadcast: Broadcast) -> Segment:
    """Return a segment of those whom a broadcast goes to, for what is checked of any condition."""
    return Segment(segment=broadcast.name, description=broadcast.description, members=broadcast.to)


def as_written(findings: list[Finding]) -> list[Finding]:
    """Return findings about the segment or the journey of a broadcast at the places of its own keys."""
    return [replace(found, way=_way(found.way)) for found in findings]


def _way(way: Way) -> Way:
    if way[:1] == ("members",):
        return ("to", *way[1:])
    if way[:2] == _SEND:
        return ("content",) if way[2:3] == ("send",) else way[2:]
    return way


__all__ = ["as_segment", "as_written", "check_broadcast", "check_broadcast_hours"]
