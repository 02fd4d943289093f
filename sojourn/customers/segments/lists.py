"""Segments without a condition: who is kept on a list, by hand, by upload, frozen from another, or clustered."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from sojourn.customers.inner import Tell
from sojourn.customers.segments import due
from sojourn.customers.segments.causes import Cause
from sojourn.customers.segments.judging import begin
from sojourn.customers.segments.live import Change, members, write
from sojourn.store.bulk import chunks
from sojourn.store.locks import router_turn
from sojourn.store.tables import segment_members

_IN = select(segment_members.c.profile_id).where(
    segment_members.c.segment == bindparam("whichever"), segment_members.c.profile_id.in_(bindparam("people", expanding=True))
)


@dataclass(frozen=True)
class Listed:
    """What came of a change to a list."""

    added: int = 0
    removed: int = 0
    unchanged: int = 0


def add(connection: Connection, segment: str, profile_ids: Iterable[str], now: datetime, tell: Tell, *, live: bool = False) -> Listed:
    """Put people on a list; those on it already stay as they are.

    Args:
        connection: of a writing transaction.
        segment: a segment that is a list.
        profile_ids: of canonical profiles.
        now: the shop's moment.
        tell: takes the `Segment Entered` of each.
        live: whether journeys hear of it, a few people a minute.
    """
    router_turn(connection)
    wanted = sorted(set(profile_ids))
    there = _of(connection, segment, wanted)
    new = [one for one in wanted if one not in there]
    _change(connection, [Change(one, segment, True, now, Cause.EDIT, live) for one in new], now, tell)
    return Listed(added=len(new), unchanged=len(there))


def remove(connection: Connection, segment: str, profile_ids: Iterable[str], now: datetime, tell: Tell, *, live: bool = False) -> Listed:
    """Take people off a list; arguments as of `add`."""
    router_turn(connection)
    wanted = sorted(set(profile_ids))
    there = _of(connection, segment, wanted)
    _change(connection, [Change(one, segment, False, now, Cause.EDIT, live) for one in wanted if one in there], now, tell)
    return Listed(removed=len(there), unchanged=len(wanted) - len(there))


def replace(connection: Connection, segment: str, profile_ids: Iterable[str], now: datetime, tell: Tell, *, live: bool = False) -> Listed:
    """Make a list consist of these people; arguments as of `add`."""
    router_turn(connection)
    wanted, there = set(profile_ids), set(members(connection, segment))
    left = [Change(one, segment, False, now, Cause.EDIT, live) for one in sorted(there - wanted)]
    _change(connection, [*left, *(Change(one, segment, True, now, Cause.EDIT, live) for one in sorted(wanted - there))], now, tell)
    return Listed(added=len(wanted - there), removed=len(left), unchanged=len(wanted & there))


def freeze(connection: Connection, source: str, segment: str, now: datetime, tell: Tell, *, live: bool = False) -> Listed:
    """Make a list consist of whoever is in another segment now; arguments as of `add`."""
    return replace(connection, segment, members(connection, source), now, tell, live=live)


def _of(connection: Connection, segment: str, people: list[str]) -> set[str]:
    found: set[str] = set()
    for some in chunks(people):
        found.update(connection.execute(_IN, {"whichever": segment, "people": some}).scalars())
    return found


def _change(connection: Connection, changes: list[Change], now: datetime, tell: Tell) -> None:
    if not changes:
        return
    write(connection, changes, begin(connection), now, tell)
    # Segments whose conditions name this one.
    due.touch(connection, [change.profile_id for change in changes], now, Cause.EDIT, live=changes[0].live)


class StoredLists(Container[str]):
    """The lists that a person stands on, read when first asked for.

    Args:
        connection: open for as long as it is asked.
        profile_id: the canonical profile.
    """

    def __init__(self, connection: Connection, profile_id: str) -> None:
        self._connection = connection
        self._profile_id = profile_id
        self._segments: frozenset[str] | None = None

    def __contains__(self, segment: object) -> bool:
        """Tell whether the person stands on a list."""
        if self._segments is None:
            mine = select(segment_members.c.segment).where(segment_members.c.profile_id == self._profile_id)
            self._segments = frozenset(self._connection.execute(mine).scalars())
        return segment in self._segments
