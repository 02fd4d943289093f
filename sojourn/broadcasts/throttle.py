"""The places of a throttled broadcast: evenly spaced, one for each message, shared by all lanes and workers.

When the next one is stands in the store, and is moved on in the transaction that takes recipients. So the rate holds from
the first message on, whatever dies, and for however many ask at once; a place that nobody took in its time is not made up
for, but for a moment where messages follow each other so fast that many are taken at a look.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, select, update

from sojourn.store.bulk import insert_new
from sojourn.store.tables import carrier_slots

MADE_UP = timedelta(seconds=1)  # of places that are closer than this, so much is made up for: lanes look only so often
_SCOPE = "broadcast:{}"
_NEXT = (
    select(carrier_slots.c.next_at).where(carrier_slots.c.provider == "", carrier_slots.c.scope == bindparam("within")).with_for_update()
)
_MOVE = (
    update(carrier_slots)
    .where(carrier_slots.c.provider == "", carrier_slots.c.scope == bindparam("within"))
    .values(next_at=bindparam("then"))
)


def take(connection: Connection, broadcast_id: str, per_second: float, now: datetime, most: int) -> tuple[int, datetime]:
    """Take the places that are open, and return how many; and when the next look is worth while.

    Args:
        connection: of a writing transaction.
        broadcast_id: whose.
        per_second: how many messages a second of the shop's.
        now: the shop's moment.
        most: how many are wanted.
    """
    every, scope = timedelta(seconds=1 / per_second), _SCOPE.format(broadcast_id)
    insert_new(connection, carrier_slots, [{"provider": "", "scope": scope, "next_at": now}])
    kept: datetime = connection.execute(_NEXT, {"within": scope}).scalar_one()
    even = max(kept, now - MADE_UP if every < MADE_UP else now)
    if even > now:
        return 0, even
    places = min(most, int((now - even) / every) + 1)
    connection.execute(_MOVE, {"within": scope, "then": even + places * every})
    return places, even + places * every
