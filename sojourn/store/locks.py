"""Locks that keep on PostgreSQL what SQLite's one writer keeps by itself; there they cost nothing.

A transaction takes them in this order, so that no two wait for each other for ever. What meets all the
same (foreign keys, unique keys) is made again by the store.

    1. the router's turn   who routes, and whoever else changes who is who: one transaction at a time
    2. profiles, by id     a person's row stands for all that is decided about the person
       mailboxes           what is decided about a mailbox that several people have
    3. entries, by id; then sends
    4. events of a person  shared by who accepts an event, alone by who claims a send (P3)
    5. the log             whoever writes to it, until its commit: so that rows become visible in their order
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

from sqlalchemy import Connection, Table, bindparam, func, or_, select, text

from sojourn.errors import NotFound
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import cursors, identifiers, profiles

ROUTER = "router"  # the router's row in `cursors`
BUCKETS = 64  # into which the ids of events fall; two people in one wait for each other needlessly, for a moment

# The first halves of the keys of our advisory locks.
LOG_SPACE = 7301
EVENTS_SPACE = 7302
SCHEMA_SPACE = 7303
MAILBOX_SPACE = 7304

_TURN = select(cursors.c.seq).where(cursors.c.name == ROUTER).with_for_update()
_HEAD = select(func.coalesce(profiles.c.merged_into, profiles.c.id)).where(profiles.c.id == bindparam("one"))
_LOCKED = select(profiles.c.merged_into).where(profiles.c.id == bindparam("one")).with_for_update(key_share=True)
_HEAD_OF = _HEAD.scalar_subquery()
_ALL = (
    select(profiles.c.id)
    .where(or_(profiles.c.id == _HEAD_OF, profiles.c.merged_into == _HEAD_OF))
    .order_by(profiles.c.merged_into.is_not(None), profiles.c.id)
)
_KNOWN_AS = select(identifiers.c.value).where(identifiers.c.profile_id.in_(bindparam("people", expanding=True)))
_IN_ORDER = "FROM unnest(CAST(:buckets AS integer[])) AS bucket"
_SHARE = text(f"SELECT pg_advisory_xact_lock_shared({EVENTS_SPACE}, bucket) {_IN_ORDER}")
_ALONE = text(f"SELECT pg_advisory_xact_lock({EVENTS_SPACE}, bucket) {_IN_ORDER}")
_MAILBOXES = text(f"SELECT pg_advisory_xact_lock({MAILBOX_SPACE}, bucket) {_IN_ORDER}")
_LOG = text(f"SELECT pg_advisory_xact_lock({LOG_SPACE}, 0)")
_SCHEMA = text(f"SELECT pg_advisory_xact_lock({SCHEMA_SPACE}, 0)")


def router_turn(connection: Connection) -> int:
    """Wait for the router's turn, and return how far the router has come in the log.

    Whoever merges, unmerges or imports people takes it first: nobody then changes who is who at the same time.
    It is given back with the transaction's end, however that comes.
    """
    found = connection.execute(_TURN).scalar()
    if found is None:
        insert_new(connection, cursors, [{"name": ROUTER, "seq": 0}])
        found = connection.execute(_TURN).scalar_one()
    return int(found)


def lock_person(connection: Connection, profile_id: str) -> list[str]:
    """Lock the profile under which a person lives on after all merges, and return all their profile ids, that one first.

    Raises:
        NotFound: there is no such profile.
    """
    if not needed(connection):
        people = list(connection.execute(_ALL, {"one": profile_id}).scalars())
        if not people:
            raise NotFound(f"no profile {profile_id}")
        return people
    head = connection.execute(_HEAD, {"one": profile_id}).scalar()
    if head is None:
        raise NotFound(f"no profile {profile_id}")
    while (merged := connection.execute(_LOCKED, {"one": head}).scalar_one()) is not None:
        head = merged  # while we waited
    return list(connection.execute(_ALL, {"one": head}).scalars())


def lock_rows(connection: Connection, table: Table, ids: Iterable[str]) -> None:
    """Lock rows by their ids, in one order whoever asks."""
    if needed(connection):
        for some in chunks(sorted(set(ids))):
            connection.execute(select(table.c.id).where(table.c.id.in_(some)).order_by(table.c.id).with_for_update(key_share=True))


def share_events(connection: Connection, ids: Iterable[str | None]) -> None:
    """Let nobody claim a send to whoever bears one of these ids, until this transaction's events are there."""
    if needed(connection):
        connection.execute(_SHARE, {"buckets": _buckets(ids)})


def hold_events(connection: Connection, people: Iterable[str]) -> None:
    """Let no event be accepted of a person, by any id that is known of them, until this transaction ends."""
    if needed(connection):
        known = list(people)
        names = connection.execute(_KNOWN_AS, {"people": known}).scalars()
        connection.execute(_ALONE, {"buckets": _buckets([*known, *names])})


def hold_mailboxes(connection: Connection, mailboxes: Iterable[str | None]) -> None:
    """Let no message be claimed to a mailbox by anyone else, whoever's it is, until this transaction ends."""
    if needed(connection):
        connection.execute(_MAILBOXES, {"buckets": _buckets(mailboxes)})


def hold_log(connection: Connection) -> None:
    """Be the only one who writes to the log until this transaction ends: rows become visible in the order of their seq."""
    if needed(connection):
        connection.execute(_LOG)


def hold_schema(connection: Connection) -> None:
    """Be the only one who changes tables until this transaction ends."""
    if needed(connection):
        connection.execute(_SCHEMA)


def _buckets(ids: Iterable[str | None]) -> list[int]:
    return sorted({crc32(one.encode()) % BUCKETS for one in ids if one is not None})


def needed(connection: Connection) -> bool:
    """Tell whether others may write while this transaction does."""
    return connection.dialect.name != "sqlite"
