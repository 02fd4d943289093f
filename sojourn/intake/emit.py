"""The door for what happens inside: engagement, segment changes and requests to enter, as events of the same log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from sojourn.customers.inner import InnerEvent
from sojourn.delivery.engagement import Engagement
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope


def emit(connection: Connection, event: Engagement) -> None:
    """Append an event to the log in the transaction at hand; one whose message id is known changes nothing."""
    tell(connection, [event])


def tell(connection: Connection, events: Sequence[InnerEvent | Engagement]) -> None:
    """Append events to the log in the transaction at hand, in order; those whose message id is known change nothing."""
    append(connection, [_envelope(event) for event in events])


def _envelope(event: InnerEvent | Engagement) -> Envelope:
    outer = event if isinstance(event, Engagement) else None
    return Envelope(
        message_id=event.message_id,
        kind="track",
        name=event.name,
        user_id=outer.user_id if outer else None,
        anonymous_id=outer.anonymous_id if outer else None,
        profile_id=event.profile_id,
        properties=dict(event.properties),
        time=event.time,
        received_at=event.time,
    )
