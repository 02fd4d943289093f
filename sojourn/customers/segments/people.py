"""The names by which the outside knows people, beside the profiles that they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, String, bindparam, func, literal, select

from sojourn.customers.profiles import KINDS
from sojourn.store.bulk import among, chunks, many
from sojourn.store.tables import identifiers, profiles

PROFILE_ID = "profile_id"
_KINDS = select(identifiers.c.kind).distinct()


def called(connection: Connection, profile_ids: Iterable[str]) -> dict[str, str]:
    """Return what the outside calls people, by profile: their user id, else another identifier, else the profile id."""
    wanted = list(profile_ids)
    found: dict[str, tuple[int, str]] = {}
    for some in chunks(wanted):
        for row in connection.execute(_names(connection.dialect.name), {"people": many(connection.dialect.name, some)}):
            rank = KINDS.index(row.kind) if row.kind in KINDS else len(KINDS)
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
        values: what stands in a file: spaces around are not meant, nor the capital letters of an address.
    """
    asked = {
        value: [form for form in dict.fromkeys((value.strip(), value.strip().casefold())) if form and "\0" not in form] for value in values
    }
    forms = sorted({form for some in asked.values() for form in some})
    dialect = connection.dialect.name
    statement = _by_profile(dialect) if kind == PROFILE_ID else _by_identifier(dialect)
    found = {row.value: row.profile_id for row in connection.execute(statement, {"values": many(dialect, forms), "kind": kind})}
    return {value: found[form] for value, forms_ in asked.items() if (form := next((f for f in forms_ if f in found), None)) is not None}


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
