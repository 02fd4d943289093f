"""What became of people's identity, to be shown: merges, refusals, separations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, or_, select

from sojourn.customers.identity_words import REASONS, Reason
from sojourn.store.tables import identifiers, merges, profiles, refused_merges, separations


@dataclass(frozen=True)
class MergeRecord:
    """A merge that was made, and whether it still holds."""

    loser_id: str
    winner_id: str
    kind: str
    because: str
    at: datetime
    message_id: str | None
    undone_at: datetime | None
    undone_because: str | None


@dataclass(frozen=True)
class RefusedRecord:
    """A merge that was not made, or (without another) an identifier that was one too many."""

    one_id: str
    other_id: str | None
    kind: str
    value: str
    reason: str
    message_id: str | None
    at: datetime

    @property
    def because(self) -> str:
        """The reason, in words."""
        return REASONS[cast("Reason", self.reason)]


@dataclass(frozen=True)
class SeparationRecord:
    """Two profiles that are kept apart, and until when."""

    one_id: str
    other_id: str
    because: str
    at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class IdentifierRecord:
    """An identifier of a person."""

    kind: str
    value: str
    since: datetime
    origin_id: str
    shared: bool


def same_person(connection: Connection, profile_id: str) -> list[str]:
    """Return a canonical profile and all that were merged into it, itself first."""
    same = select(profiles.c.id).where(or_(profiles.c.id == profile_id, profiles.c.merged_into == profile_id))
    return list(connection.execute(same.order_by(profiles.c.merged_into.is_not(None), profiles.c.id)).scalars())


def identifiers_of(connection: Connection, profile_id: str) -> list[IdentifierRecord]:
    """Return the identifiers of a canonical profile, oldest first."""
    query = select(identifiers).where(identifiers.c.profile_id == profile_id)
    rows = connection.execute(query.order_by(identifiers.c.since, identifiers.c.kind, identifiers.c.value))
    return [IdentifierRecord(row.kind, row.value, row.since, row.origin_id or row.profile_id, row.shared) for row in rows]


def merges_of(connection: Connection, ids: Sequence[str]) -> list[MergeRecord]:
    """Return the merges that any of these profiles took part in, in the order in which they were made."""
    taking_part = or_(*(column.in_(ids) for column in (merges.c.loser_id, merges.c.winner_id, merges.c.from_id, merges.c.to_id)))
    rows = connection.execute(select(merges).where(taking_part).order_by(merges.c.number))
    return [MergeRecord(r.loser_id, r.winner_id, r.kind, r.because, r.at, r.message_id, r.undone_at, r.undone_because) for r in rows]


def refused(connection: Connection, limit: int, ids: Sequence[str] | None = None) -> list[RefusedRecord]:
    """Return the latest refusals, of these profiles where they are given."""
    query = select(refused_merges).order_by(refused_merges.c.at.desc(), refused_merges.c.id).limit(limit)
    if ids is not None:
        query = query.where(or_(refused_merges.c.one_id.in_(ids), refused_merges.c.other_id.in_(ids)))
    return [RefusedRecord(r.one_id, r.other_id or None, r.kind, r.value, r.reason, r.message_id, r.at) for r in connection.execute(query)]


def separated(connection: Connection, limit: int, ids: Sequence[str] | None = None) -> list[SeparationRecord]:
    """Return the latest separations, of these profiles where they are given."""
    query = select(separations).order_by(separations.c.at.desc(), separations.c.id).limit(limit)
    if ids is not None:
        query = query.where(or_(separations.c.one_id.in_(ids), separations.c.other_id.in_(ids)))
    return [SeparationRecord(r.one_id, r.other_id, r.because, r.at, r.ended_at) for r in connection.execute(query)]
