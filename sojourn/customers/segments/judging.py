"""The number of each judging, and whom something judged while definitions are gone through in the background.

What goes through everyone looks at a page of people before it takes its turn to write. Whoever changed between the two is
noted here, and is judged anew from what is known then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from sojourn.store.bulk import among, chunks, insert_new, many, upsert
from sojourn.store.tables import cursors, segment_builds, segment_judged

COUNTER = "segments"  # a cursor: how many times memberships were judged; it also keeps judges one after another
BUILDING, LIVE = "building", "live"
_COUNT = update(cursors).where(cursors.c.name == COUNTER).values(seq=cursors.c.seq + 1).returning(cursors.c.seq)
_NOW = select(cursors.c.seq).where(cursors.c.name == COUNTER)
_BUILDING = select(segment_builds.c.segment).where(segment_builds.c.state == BUILDING).limit(1)


def begin(connection: Connection) -> int:
    """Return this judging's number; whoever else judges waits until this transaction ends."""
    serial = connection.execute(_COUNT).scalar()
    if serial is None:
        insert_new(connection, cursors, [{"name": COUNTER, "seq": 0}])
        serial = connection.execute(_COUNT).scalar_one()
    return int(serial)


def latest(connection: Connection) -> int:
    """Return the number of the last judging that this transaction sees."""
    return int(connection.execute(_NOW).scalar() or 0)


def is_building(connection: Connection) -> bool:
    """Tell whether any definition is yet to be gone through; it needs no lock."""
    return connection.execute(_BUILDING).first() is not None


def note(connection: Connection, profile_ids: Iterable[str], serial: int | None = None) -> None:
    """Note that people are judged, or something else is known of them, while definitions are gone through.

    Args:
        connection: of a writing transaction that has the router's turn.
        profile_ids: whom.
        serial: of the judging; None: it is a judging of its own.
    """
    people = sorted(set(profile_ids))
    if not people or not is_building(connection):
        return
    number = begin(connection) if serial is None else serial
    for some in chunks(people):
        upsert(connection, segment_judged, [{"profile": one, "serial": number} for one in some])


def noted_since(connection: Connection, profile_ids: Collection[str], serial: int) -> set[str]:
    """Return which of some people were noted after a judging."""
    dialect = connection.dialect.name
    return set(connection.execute(_noted(dialect), {"people": many(dialect, profile_ids), "serial": serial}).scalars())


@cache
def _noted(dialect: str) -> Select[Any]:
    return select(segment_judged.c.profile).where(
        among(dialect, segment_judged.c.profile, "people"), segment_judged.c.serial > bindparam("serial")
    )


__all__ = ["BUILDING", "COUNTER", "LIVE", "begin", "is_building", "latest", "note", "noted_since"]
