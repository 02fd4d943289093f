"""Merges that no event of the log brought about (by hand, a resolution, an import): up to which journeys have heard of them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, func, select

from sojourn.customers.entry_merging import MERGED
from sojourn.store.bulk import upsert
from sojourn.store.tables import cursors, merges, outbox, profiles

HEARD = "merges"  # a cursor: up to which merge the entries of the one have heard what happened to the other

_BESIDE = (
    select(merges.c.number, func.coalesce(profiles.c.merged_into, profiles.c.id).label("person"))
    .join(profiles, profiles.c.id == merges.c.winner_id)
    .where(merges.c.number > func.coalesce(select(cursors.c.seq).where(cursors.c.name == HEARD).scalar_subquery(), 0))
    .order_by(merges.c.number)
    .limit(bindparam("most"))
)
_LAST = select(func.max(merges.c.number))
_CALLS = select(func.count()).select_from(outbox).where(outbox.c.kind == MERGED)


def beside_the_log(connection: Connection, limit: int) -> list[tuple[int, str]]:
    """Return the next merges that journeys have not heard of: the number of each, and the person who came of it."""
    return [(row.number, row.person) for row in connection.execute(_BESIDE, {"most": limit})]


def heard_of(connection: Connection, joined: Sequence[tuple[int, str]], merging: bool, limit: int) -> None:
    """Note up to which merge journeys have heard; of what a batch merges itself they hear as it is routed.

    Args:
        connection: of a writing transaction that has the router's turn.
        joined: what `beside_the_log` gave before the batch.
        merging: whether the batch merged anyone.
        limit: how many were asked for.
    """
    if merging and len(joined) < limit:
        upsert(connection, cursors, [{"name": HEARD, "seq": connection.execute(_LAST).scalar_one()}])
    elif joined:
        upsert(connection, cursors, [{"name": HEARD, "seq": joined[-1][0]}])


def calls(connection: Connection) -> int:
    """Return how many entries that ended by a merge are yet to be told."""
    return int(connection.execute(_CALLS).scalar_one())
