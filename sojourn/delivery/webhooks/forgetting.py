"""Forgets what providers told once nobody can tell it again: what came of it stands in the ledger and in the log."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from sojourn.store.tables import notices

KEPT_FOR = timedelta(days=400)  # far beyond the weeks for which any provider tells again, and a year can be compared with the last
PAGE = 1_000
_OLD = select(notices.c.provider, notices.c.id).where(notices.c.received_at < bindparam("until")).limit(bindparam("page"))


def forget(connection: Connection, now: datetime, page: int = PAGE) -> int:
    """Take away notices that are past their retention, a page of them; return how many. 0: there are no more.

    Args:
        connection: of a writing transaction.
        now: the shop's moment.
        page: how many at most.
    """
    old = connection.execute(_OLD, {"until": now - KEPT_FOR, "page": page}).all()
    if old:
        connection.execute(delete(notices).where(tuple_(notices.c.provider, notices.c.id).in_([(row.provider, row.id) for row in old])))
    return len(old)
