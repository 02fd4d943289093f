"""What the events of a batch touch beside the journeys: whose memberships are judged anew, and what the brakes hear."""

from __future__ import annotations

from collections.abc import Sequence

from sojourn.delivery import brakes
from sojourn.intake.absorb import Absorbed
from sojourn.travel.registry import Registry


def answers(absorbed: Sequence[Absorbed]) -> list[brakes.Answer]:
    """Return the new events that say that a message bounced, or was marked as spam."""
    told = [item.envelope for item in absorbed if item.is_new and item.envelope.name in (brakes.BOUNCED, brakes.SPAM)]
    return [brakes.Answer(one.name, str(one.properties.get("send_key", "")), dict(one.properties)) for one in told]


def to_judge(absorbed: Sequence[Absorbed], registry: Registry) -> dict[str, frozenset[str] | None]:
    """Return whose memberships the batch can have changed, each with the names of their new events; None: with more than events."""
    asked = registry.book.needs.names
    found: dict[str, frozenset[str] | None] = {}
    for item in absorbed:
        one, name = item.profile_id, item.envelope.name
        if item.new_profile or item.merges or item.told:
            found[one] = None
        elif item.is_new and name in asked:
            before = found.get(one, frozenset())
            found[one] = None if before is None else before | {name}
    return found
