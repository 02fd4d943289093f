"""Reads profiles as records: in pages, of each the traits that are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from sojourn.customers import profiles as people
from sojourn.errors import NotFound
from sojourn.store.tables import identifiers, profiles

PAGE = 5_000
SAMPLE = 2_000
_CANONICAL = select(profiles.c.id, profiles.c.traits).where(profiles.c.merged_into.is_(None)).order_by(profiles.c.id)


def count(connection: Connection) -> int:
    """Return how many profiles live."""
    return connection.execute(select(func.count()).select_from(profiles).where(profiles.c.merged_into.is_(None))).scalar_one()


def page(connection: Connection, after: str, traits: Sequence[str]) -> list[tuple[str, list[str | None]]]:
    """Return the next profiles with their traits; where a trait is missing, an identifier of that kind stands in."""
    rows = connection.execute(_CANONICAL.where(profiles.c.id > after).limit(PAGE)).all()
    known = _identifiers(connection, [row.id for row in rows], traits) if rows else {}
    return [(row.id, [_text(row.traits, trait) or known.get((row.id, trait)) for trait in traits]) for row in rows]


def values_of(connection: Connection, profile_id: str, traits: Sequence[str]) -> dict[str, str | None]:
    """Return a person's values for the one who reviews; none where the profile is gone."""
    try:
        person = people.load(connection, profile_id)
    except NotFound:
        return {}
    known = _identifiers(connection, [person.id], traits)
    return {trait: _text(person.traits, trait) or known.get((person.id, trait)) for trait in traits}


def trait_names(connection: Connection) -> set[str]:
    """Return the names of the traits that a sample of the profiles bears."""
    return {name for row in connection.execute(_CANONICAL.limit(SAMPLE)) for name in row.traits}


def _identifiers(connection: Connection, ids: Sequence[str], kinds: Sequence[str]) -> dict[tuple[str, str], str]:
    named = select(identifiers.c.profile_id, identifiers.c.kind, func.min(identifiers.c.value).label("value"))
    ours = named.where(identifiers.c.profile_id.in_(ids), identifiers.c.kind.in_(kinds))
    rows = connection.execute(ours.group_by(identifiers.c.profile_id, identifiers.c.kind))
    return {(row.profile_id, row.kind): row.value for row in rows}


def _text(traits: Mapping[str, Any], name: str) -> str | None:
    value = traits.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value) or None
