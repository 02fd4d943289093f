"""The names by which the outside knows people, beside the profiles that they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, String, bindparam, func, literal, select

from sojourn.customers.identifying import normalised
from sojourn.language.identity_rules import ANONYMOUS, USER
from sojourn.store.bulk import among, chunks, many
from sojourn.store.tables import identifiers, profiles

PROFILE_ID = "profile_id"
_RANK = {USER: 0, ANONYMOUS: 1}
_KINDS = select(identifiers.c.kind).distinct()


def called(connection: Connection, profile_ids: Iterable[str]) -> dict[str, str]:
    """Return what the outside calls people, by profile: their user id, else another identifier, else the profile id."""
    wanted = list(profile_ids)
    found: dict[str, tuple[int, str]] = {}
    for some in chunks(wanted):
        for row in connection.execute(_names(connection.dialect.name), {"people": many(connection.dialect.name, some)}):
            rank = _RANK.get(row.kind, len(_RANK))
            found[row.profile_id] = min(found.get(row.profile_id, (rank, row.value)), (rank, row.value))
    return {one: found[one][1] if one in found else one for one in wanted}


def kinds(connection: Connection) -> list[str]:
    """Return the kinds of identifiers that people are known by here, the profile id last."""
    return [*sorted(connection.execute(_KINDS).scalars()), PROFILE_ID]


def known_by(connection: Connection, kind: str, values: Sequence[str]) -> dict[str, str]:
    """Return the canonical profiles of people by the identifiers that they are known by; the unknown are not in it.

    Args:
        connection: open.
        kind: of identifier, such as user_id; PROFILE_ID for the profiles' own ids.
        values: what stands in a file; each is read as identifiers of its kind are written.
    """
    asked = {value: form for value in values if (form := normalised(kind, value)) is not None}
    forms = sorted(set(asked.values()))
    dialect = connection.dialect.name
    statement = _by_profile(dialect) if kind == PROFILE_ID else _by_identifier(dialect)
    found = {row.value: row.profile_id for row in connection.execute(statement, {"values": many(dialect, forms), "kind": kind})}
    return {value: found[form] for value, form in asked.items() if form in found}


@cache
def _names(dialect: str) -> Select[Any]:
    return select(identifiers.c.profile_id, identifiers.c.kind, identifiers.c.value).where(
        among(dialect, identifiers.c.profile_id, "people")
    )


@cache
def _by_identifier(dialect: str) -> Select[Any]:
    living = func.coalesce(profiles.c.merged_into, profiles.c.id).label("profile_id")
    return (
        select(identifiers.c.value, living)
        .join(profiles, profiles.c.id == identifiers.c.profile_id)
        .where(identifiers.c.kind == bindparam("kind"), among(dialect, identifiers.c.value, "values"))
    )


@cache
def _by_profile(dialect: str) -> Select[Any]:
    living = func.coalesce(profiles.c.merged_into, profiles.c.id).label("profile_id")
    same_kind = literal(PROFILE_ID, String()) == bindparam("kind", type_=String())
    return select(profiles.c.id.label("value"), living).where(among(dialect, profiles.c.id, "values"), same_kind)


__all__ = ["PROFILE_ID", "called", "kinds", "known_by"]
