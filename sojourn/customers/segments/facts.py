"""Reads what segments ask of many people at once: traits, the part of their history that matters, lists, due moments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from sqlalchemy import Connection, Select, Text, and_, bindparam, cast, false, func, or_, select

from sojourn.customers.segments.needs import Needs
from sojourn.language.conditions import EventFact
from sojourn.store.bulk import among, many
from sojourn.store.tables import events, profiles, segment_due, segment_members

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
_NONE: tuple[list[datetime], list[EventFact]] = ([], [])


@dataclass
class Known:
    """What is known of one person."""

    traits: Mapping[str, Any]
    zone: str | None
    history: ReadHistory
    segments: set[str] = field(default_factory=set)
    due: datetime | None = None


class Properties(Mapping[str, Any]):
    """An event's properties, read from their JSON when first asked for: most conditions only count events."""

    __slots__ = ("_read", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._read: dict[str, Any] | None = None

    def _all(self) -> dict[str, Any]:
        if self._read is None:
            self._read = orjson.loads(self._text)
        return self._read

    def __getitem__(self, key: str) -> Any:
        return self._all()[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a property; the default where it is absent."""
        return self._all().get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class ReadHistory:
    """A History read beforehand: by name, in order of time."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[list[datetime], list[EventFact]]] = {}

    def add(self, fact: EventFact) -> None:
        """Add an event that is not before those of its name that were added."""
        times, facts = self._of.setdefault(fact.name, ([], []))
        times.append(fact.time)
        facts.append(fact)

    def events(self, name: str, after: datetime | None, until: datetime) -> Sequence[EventFact]:
        """Return the events of a name with `after < time <= until`, oldest first."""
        times, facts = self._of.get(name, _NONE)
        if not times:
            return ()
        first = 0 if after is None else bisect_right(times, after)
        if first == 0 and times[-1] <= until:
            return facts
        return facts[first : bisect_right(times, until)]


def read_known(connection: Connection, needs: Needs, profile_ids: Sequence[str], earliest: datetime) -> dict[str, Known]:
    """Return what segments may ask of people, by profile; one that was merged away, or is none, is not in it.

    Args:
        connection: open.
        needs: what segments ask.
        profile_ids: the people.
        earliest: the earliest moment at which any of them will be asked about.
    """
    dialect = connection.dialect.name
    asked: dict[str, Any] = {"people": many(dialect, profile_ids)}
    known = {row.id: Known(row.traits, row.zone, ReadHistory()) for row in connection.execute(_traits(dialect), asked)}
    for row in connection.execute(_members(dialect), asked):
        if row.profile_id in known:
            known[row.profile_id].segments.add(row.segment)
    for row in connection.execute(_due(dialect), asked):
        if row.profile in known:
            known[row.profile].due = row.at
    for row in _events(connection, needs, asked, earliest):
        if row.profile_id in known:
            known[row.profile_id].history.add(EventFact(row.name, row.time, Properties(row.properties)))
    return known


def _events(connection: Connection, needs: Needs, asked: dict[str, Any], earliest: datetime) -> Sequence[Any]:
    dialect = connection.dialect.name
    found: list[Any] = []
    for within, names in needs.by_window.items():
        found += connection.execute(_in_window(dialect), {**asked, "names": many(dialect, names), "after": earliest - within}).all()
    if needs.whole:
        found += connection.execute(_in_window(dialect), {**asked, "names": many(dialect, sorted(needs.whole)), "after": _BEFORE_ALL}).all()
    if needs.ends:
        seen = {row.id for row in found}
        ends = connection.execute(_ends(dialect), {**asked, "names": many(dialect, sorted(needs.ends))})
        found += [row for row in ends if row.id not in seen]
    found.sort(key=lambda row: (row.time, row.id))
    return found


_EVENT = (events.c.id, events.c.profile_id, events.c.name, events.c.time, cast(events.c.properties, Text).label("properties"))


@cache
def _traits(dialect: str) -> Select[Any]:
    living = (among(dialect, profiles.c.id, "people"), profiles.c.merged_into.is_(None))
    return select(profiles.c.id, profiles.c.traits, profiles.c.zone).where(*living)


@cache
def _members(dialect: str) -> Select[Any]:
    return select(segment_members.c.profile_id, segment_members.c.segment).where(among(dialect, segment_members.c.profile_id, "people"))


@cache
def _due(dialect: str) -> Select[Any]:
    return select(segment_due).where(among(dialect, segment_due.c.profile, "people"))


@cache
def _in_window(dialect: str) -> Select[Any]:
    whose = (among(dialect, events.c.profile_id, "people"), among(dialect, events.c.name, "names"))
    return select(*_EVENT).where(*whose, events.c.time > bindparam("after"), events.c.machine == false())


@cache
def _ends(dialect: str) -> Select[Any]:
    """The first and the last event of each name of each person; several of one moment all."""
    whose = (among(dialect, events.c.profile_id, "people"), among(dialect, events.c.name, "names"), events.c.machine == false())
    ends = (
        select(events.c.profile_id, events.c.name, func.min(events.c.time).label("first"), func.max(events.c.time).label("last"))
        .where(*whose)
        .group_by(events.c.profile_id, events.c.name)
        .subquery()
    )
    at_an_end = or_(events.c.time == ends.c.first, events.c.time == ends.c.last)
    joined = and_(events.c.profile_id == ends.c.profile_id, events.c.name == ends.c.name, at_an_end)
    return select(*_EVENT).select_from(ends).join(events, joined).where(events.c.machine == false())


__all__ = ["Known", "Properties", "ReadHistory", "read_known"]
