"""The door for what happens inside: engagement, segment changes and requests to enter, as events of the same log.

They are appended as the last thing that their transaction does (`sojourn.store.last` says why).
"""

from __future__ import annotations

from sqlalchemy import Connection

from sojourn.delivery.engagement import Engagement
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope
from sojourn.store.last import do_last


def emit(connection: Connection, event: Engagement) -> None:
    """Append an event to the log in the transaction at hand; one whose message id is known changes nothing."""
    envelope = Envelope(
        message_id=event.message_id,
        kind="track",
        name=event.name,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        profile_id=event.profile_id,
        properties=dict(event.properties),
        time=event.time,
        received_at=event.time,
    )
    do_last(connection, append, envelope)
