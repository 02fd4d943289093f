"""Reads broadcasts from the store: how each stands, and what came of whom."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from sojourn.broadcasts import standing
from sojourn.broadcasts.gathering import WAITING
from sojourn.broadcasts.recipients import LATE, MERGED, entry_id
from sojourn.customers import profiles
from sojourn.store.tables import broadcast_recipients, sends
from sojourn.testing.answers import Broadcast, Recipient
from sojourn.testing.reading import name_of, send_of

_REASONS = {MERGED: "another recipient is the same person", LATE: "it was still held when the broadcast ended"}


def broadcast_of(connection: Connection, id_: str, left_out: Mapping[str, str]) -> Broadcast:
    """Return how a broadcast stands.

    Args:
        connection: of a reading transaction.
        id_: its id.
        left_out: by profile, why someone is no recipient.
    """
    found = standing.look(connection, id_)
    query = select(broadcast_recipients).where(broadcast_recipients.c.broadcast_id == id_).order_by(broadcast_recipients.c.profile)
    recipients = {}
    for row in connection.execute(query).all():
        name = name_of(connection, row.profile)
        recipients[name] = _recipient(connection, id_, name, row.profile, row.state, row.due if row.state == WAITING else None)
    return Broadcast(
        name=found.name,
        state=found.state,
        begins_at=found.begins_at,
        ends_at=found.ends_at,
        because=found.because,
        recipients=recipients,
        left_out={name_of(connection, one): why for one, why in left_out.items()},
    )


def _recipient(connection: Connection, id_: str, name: str, profile: str, state: str, due: datetime | None) -> Recipient:
    # Of one who was merged before it was their turn, the message is that of whom they became.
    own = [entry_id(id_, one) for one in dict.fromkeys((profile, profiles.canonical(connection, profile)))]
    found = select(sends.c.key, sends.c.entry_id).where(sends.c.entry_id.in_(own))
    keys = {row.entry_id: row.key for row in connection.execute(found)}
    key = next((keys[one] for one in own if one in keys), None)
    if key is None or state == MERGED:
        return Recipient(name, state, _REASONS.get(state), due)
    send = send_of(connection, key)
    reason = _REASONS.get(state) or send.reason
    return Recipient(name, state, reason, due, send.at if send.arrived else None, send)
