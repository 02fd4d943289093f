"""What a person says of messages of which nobody knows: that they went out, or that they are to be sent again.

It is kept in the ledger with its because, as any other evidence. A message that is to be sent again is planned, and goes out
through the gate with the next round of clearing up, rendered anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from sojourn.delivery import ledger
from sojourn.delivery.ledger import SendRow, State
from sojourn.errors import SojournError
from sojourn.store import locks
from sojourn.store.tables import sends

PAGE = 200  # sends in one transaction
OPEN = (State.UNKNOWN, State.ABANDONED)


class As(StrEnum):
    """What became of a message."""

    SENT = "sent"
    AGAIN = "again"


def settle_by_hand(conn: Connection, key: str, how: As, because: str, now: datetime) -> SendRow:
    """Settle a message of which nobody knows, and return its send.

    Args:
        conn: a writing transaction.
        key: the send's key.
        how: that it was sent, or that it is to be sent again.
        because: how the person knows.
        now: the shop's moment.

    Raises:
        NotFound: there is no send of this key.
        SojournError: something is known of it, or no because is given.
    """
    if not because.strip():
        raise SojournError("say how you know: --because 'the mail server's log has it'")
    locks.lock_person(conn, ledger.look(conn, key).profile_id)
    send = ledger.load(conn, key)
    if send.state not in OPEN:
        raise SojournError(f"the send {key} is {send.state}; only what is unknown or abandoned is settled by hand")
    reason = f"settled by hand as {how}: {because.strip()}"
    if how is As.SENT:
        return ledger.move(conn, send, State.ACCEPTED, reason, now, settled_at=now)
    return ledger.move(conn, send, State.PLANNED, reason, now, claimed_at=None, settled_at=None, held_until=None)


def settle_all_by_hand(conn: Connection, keys: Sequence[str], how: As, because: str, now: datetime) -> int:
    """Settle a page of messages and return how many; one of which something is known by now stays as it is."""
    still = [key for key in keys if ledger.look(conn, key).state in OPEN]
    for key in still:
        settle_by_hand(conn, key, how, because, now)
    return len(still)


def open_sends(conn: Connection, provider: str, since: datetime, after: str = "", limit: int = PAGE) -> Sequence[str]:
    """Return the keys of a provider's messages of which nobody knows since a moment, by the page, in the order of keys."""
    query = select(sends.c.key).where(
        sends.c.state.in_([state.value for state in OPEN]),
        sends.c.provider == provider,
        sends.c.claimed_at >= since,
        sends.c.key > after,
    )
    return conn.execute(query.order_by(sends.c.key).limit(limit)).scalars().all()
