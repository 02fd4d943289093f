"""Reading people, and writing what a journey sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from sojourn.customers import refused
from sojourn.customers.declared import DEFAULT, Rules
from sojourn.customers.traits import Profile
from sojourn.errors import NotFound
from sojourn.store.tables import identifiers, profiles
from sojourn.store.types import to_micros

KINDS = ("user_id", "anonymous_id")  # of identifiers
_CHANGING = ("merged_into", "traits", "trait_times", "zone", "locale", "first_seen", "last_seen", "tallies")
_BY_ID = select(profiles).where(profiles.c.id == bindparam("sought"))
_UPDATE = update(profiles).where(profiles.c.id == bindparam("b_id")).values({name: bindparam(f"b_{name}") for name in _CHANGING})


@dataclass(frozen=True)
class Person:
    """A person, as conditions, contents and the gate see them."""

    id: str
    traits: Mapping[str, Any]
    zone: str | None
    locale: str | None
    first_seen: datetime
    last_seen: datetime


def canonical(connection: Connection, profile_id: str) -> str:
    """Return the id under which a profile lives on after all merges.

    Raises:
        NotFound: there is no such profile.
    """
    row = connection.execute(select(profiles.c.merged_into).where(profiles.c.id == profile_id)).one_or_none()
    if row is None:
        raise NotFound("there is no such profile")
    return row.merged_into or profile_id


def load(connection: Connection, profile_id: str) -> Person:
    """Return a person, by the id of a profile or of one that was merged into it.

    Raises:
        NotFound: there is no such profile.
    """
    row = connection.execute(_BY_ID, {"sought": profile_id}).one_or_none()
    if row is None:
        raise NotFound("there is no such profile")
    found = _load(connection, row.merged_into) if row.merged_into else of_row(row)
    return Person(found.id, found.traits, found.zone, found.locale, found.first_seen, found.last_seen)


def find(connection: Connection, external_id: str) -> str | None:
    """Return the canonical profile id of a user id, an anonymous id or a profile id; None where there is none."""
    query = select(identifiers.c.kind, identifiers.c.profile_id).where(identifiers.c.kind.in_(KINDS), identifiers.c.value == external_id)
    found: dict[str, str] = {row.kind: row.profile_id for row in connection.execute(query)}
    known = found.get("user_id") or found.get("anonymous_id")
    if known is not None:
        return known
    row = connection.execute(select(profiles.c.id, profiles.c.merged_into).where(profiles.c.id == external_id)).one_or_none()
    return None if row is None else str(row.merged_into or row.id)


def external_ids(connection: Connection, profile_id: str) -> list[tuple[str, str]]:
    """Return the kinds and values by which the outside knows a profile, user ids first."""
    query = select(identifiers.c.kind, identifiers.c.value).where(identifiers.c.profile_id == profile_id)
    return sorted((tuple(row) for row in connection.execute(query.order_by(identifiers.c.since))), key=lambda pair: pair[0] != "user_id")


def addressee(connection: Connection, profile_id: str) -> tuple[str | None, str | None]:
    """Return the user id, or where there is none the anonymous id, by which an event of our own reaches a profile."""
    known = dict(reversed(external_ids(connection, profile_id)))
    user_id = known.get("user_id")
    return user_id, None if user_id is not None else known.get("anonymous_id")


def set_traits(
    connection: Connection, profile_id: str, traits: Mapping[str, Any], at: datetime, rules: Rules = DEFAULT, because_of: str = ""
) -> Person:
    """Write traits to a profile, as said at a moment; null removes one.

    Args:
        connection: of a writing transaction.
        profile_id: of a profile, or of one that was merged into it.
        traits: by name.
        at: when they were said.
        rules: how they are taken; what they refuse is kept in `trait_refusals`.
        because_of: what sets them, such as an entry's step; a refusal names it.

    Raises:
        NotFound: there is no such profile.
    """
    profile = _load(connection, canonical(connection, profile_id))
    taken = rules.take(traits)
    because = because_of or f"set:{profile.id}:{to_micros(at)}"
    refused.record(connection, [refused.row(profile.id, trait, why, because, at) for trait, why in taken.refused])
    if profile.hear(taken.values, at, rules):
        connection.execute(_UPDATE, [_changed(profile)])
    return Person(profile.id, profile.traits, profile.zone, profile.locale, profile.first_seen, profile.last_seen)


def _load(connection: Connection, profile_id: str) -> Profile:
    return of_row(connection.execute(_BY_ID, {"sought": profile_id}).one())


def of_row(row: Row[Any]) -> Profile:
    """Return a row of `profiles` as a Profile that can change."""
    return Profile(row.id, row.first_seen, row.last_seen, row.traits, row.trait_times, row.zone, row.locale, row.merged_into, row.tallies)


def insert_all(connection: Connection, new: list[Profile]) -> None:
    """Insert profiles; those that live on before those that were merged into them."""
    if new:
        rows = [_values(profile) for profile in sorted(new, key=lambda profile: profile.merged_into is not None)]
        connection.execute(insert(profiles), rows)


def update_all(connection: Connection, changed: list[Profile]) -> None:
    """Update profiles."""
    if changed:
        connection.execute(_UPDATE, [_changed(profile) for profile in changed])


def _changed(profile: Profile) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in _values(profile).items()}


def _values(profile: Profile) -> dict[str, Any]:
    return {
        "id": profile.id, "merged_into": profile.merged_into, "traits": profile.traits, "trait_times": profile.times,
        "zone": profile.zone, "locale": profile.locale, "first_seen": profile.first_seen, "last_seen": profile.last_seen,
        "tallies": profile.tallies,
    }  # fmt: skip
