"""What a recipient did with a message, on its way into the event log.

Delivery does not know intake: whoever composes the program gives it an `Emit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, case, func, select

from sojourn.customers import profiles as people
from sojourn.errors import NotFound
from sojourn.store.tables import identifiers, profiles, sends

DELIVERED = "Email Delivered"
OPENED = "Email Opened"
CLICKED = "Email Link Clicked"
BOUNCED = "Email Bounced"
COMPLAINED = "Email Marked as Spam"
UNSUBSCRIBED = "Unsubscribed"


_ABOUT = (sends.c.profile_id, sends.c.entry_id, sends.c.journey, sends.c.send_id, sends.c.content, sends.c.variant)
_SENT = select(*_ABOUT).where(sends.c.key == bindparam("key"))
_CANONICAL = select(func.coalesce(profiles.c.merged_into, profiles.c.id)).where(profiles.c.id == bindparam("one")).scalar_subquery()
_KNOWN_AS = (
    select(identifiers.c.kind, identifiers.c.value)
    .where(identifiers.c.profile_id.in_([_CANONICAL, bindparam("one")]), identifiers.c.kind.in_(["user_id", "anonymous_id"]))
    .order_by(case((identifiers.c.kind == "user_id", 0), else_=1), identifiers.c.since)
    .limit(1)
)


@dataclass(frozen=True)
class Engagement:
    """An event about a message, as it is to be appended to the log; `properties` holds `send_key`."""

    message_id: str  # deterministic where the thing can happen but once
    name: str
    time: datetime
    profile_id: str
    user_id: str | None
    anonymous_id: str | None
    properties: Mapping[str, Any] = field(default_factory=dict)


class Emit(Protocol):
    """Appends an event to the log, in the transaction of the connection."""

    def __call__(self, conn: Connection, event: Engagement, /) -> None:
        """Append the event; a message id that is known already is no second one."""
        ...


def engagement(
    conn: Connection, send_key: str, name: str, message_id: str, time: datetime, properties: Mapping[str, Any] | None = None
) -> Engagement:
    """Return an event about a send, addressed to whoever it was sent to.

    Raises:
        NotFound: there is no such send.
    """
    send = conn.execute(_SENT, {"key": send_key}).one_or_none()
    if send is None:
        raise NotFound(f"no send {send_key}")
    known = conn.execute(_KNOWN_AS, {"one": send.profile_id}).one_or_none()
    about = {"send_key": send_key, "journey": send.journey, "send_id": send.send_id, "content": send.content, "variant": send.variant}
    return Engagement(
        message_id=message_id,
        name=name,
        time=time,
        profile_id=people.origin(conn, send.profile_id, send.entry_id),
        user_id=known.value if known and known.kind == "user_id" else None,
        anonymous_id=known.value if known and known.kind == "anonymous_id" else None,
        properties={**{k: v for k, v in about.items() if v is not None}, **(properties or {})},
    )
