"""What a store that was restored cannot know: whether a message went out between its backup and the restore.

A doubt is of an entry, or of one send, and says up to which moment a send may be one that was made before. Who would claim
such a send is told that it is unclear instead, and nothing is posted: only evidence leads on from there.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, or_, select

from sojourn.delivery.ledger import SendRow
from sojourn.delivery.providers import Klass, Provider
from sojourn.store.bulk import chunks, insert_if_new
from sojourn.store.itself import Restored
from sojourn.store.tables import doubts

_DOUBTED = select(doubts.c.subject, doubts.c.at, doubts.c.because).where(
    doubts.c.subject.in_(bindparam("subjects", expanding=True)), or_(doubts.c.until.is_(None), doubts.c.until > bindparam("now"))
)


def doubt(connection: Connection, subject: str, restored: Restored, until: datetime | None, because: str) -> None:
    """Keep that sends of an entry, or one send, may have been made before; a doubt that is there stays as it is.

    Args:
        connection: of a writing transaction.
        subject: the entry's id, or the send's key.
        restored: the restore that it is because of.
        until: the shop's moment from which on a send is sure to be a new one; None: never.
        because: why, in words.
    """
    row = {"subject": subject, "until": until, "because": because, "at": restored.shop_backed_up}
    insert_if_new(connection, doubts, row)


def later(restored: Restored, was: datetime, is_now: datetime) -> datetime:
    """Return until when sends are in doubt of an entry that does now what it may have done at an earlier moment.

    What it does at a moment it did then by as much earlier; from the restore on the store has seen all.
    """
    return restored.shop_at + max(is_now - was, timedelta())


def none_of(connection: Connection, sends: Iterable[SendRow], now: datetime) -> bool:
    """Tell whether no send of a page is in any doubt, as it is where no store was restored."""
    subjects = sorted({subject for send in sends for subject in (send.key, send.entry_id)})
    return all(connection.execute(_DOUBTED, {"subjects": some, "now": now}).first() is None for some in chunks(subjects))


def doubted(connection: Connection, send: SendRow, carrier: Provider, sole: bool, now: datetime) -> str | None:
    """Return why a send that is new to the store may have been made before; None where it was not, or would be no second message.

    Args:
        connection: of a transaction.
        send: about to be claimed.
        carrier: who would carry it.
        sole: whether there is no other carrier that may have had it.
        now: the shop's moment.
    """
    # One that was tried before is in doubt by itself only, and once: what was found out of it since counts more.
    subjects = [send.key] if send.attempts > 0 else [send.key, send.entry_id]
    row = connection.execute(_DOUBTED, {"subjects": subjects, "now": now}).first()
    if row is None or (sole and carrier.klass is Klass.KEYED and now - row.at < carrier.key_window):
        return None
    connection.execute(delete(doubts).where(doubts.c.subject == send.key))
    return str(row.because)
