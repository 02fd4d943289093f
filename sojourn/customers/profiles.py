"""Reading people, and writing what a journey sets."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from sojourn.customers import refused
from sojourn.customers.declared import DEFAULT, Rules
from sojourn.customers.identifying import nobodys, parse_reference
from sojourn.customers.traits import Profile
from sojourn.errors import NotFound
from sojourn.language.identity_rules import ANONYMOUS, USER
from sojourn.store import locks
from sojourn.store.tables import entries, events, identifiers, profiles
from sojourn.store.types import from_micros, to_micros

_ORDER = {USER: 0, ANONYMOUS: 1}
_CHANGING = ("merged_into", "traits", "trait_times", "zone", "locale", "own", "first_seen", "last_seen", "tallies")
_BY_ID = select(profiles).where(profiles.c.id == bindparam("sought"))
_BY_IDS = select(profiles).where(profiles.c.id.in_(bindparam("sought", expanding=True)))
_ORIGIN = (
    select(events.c.origin_id, events.c.profile_id)
    .join(entries, entries.c.trigger_id == events.c.id)
    .where(entries.c.id == bindparam("entry"), events.c.profile_id == entries.c.profile_id)
)
_UPDATE = update(profiles).where(profiles.c.id == bindparam("b_id")).values({name: bindparam(f"b_{name}") for name in _CHANGING})
_SEEN = ("first_seen", "last_seen")
_OWN = tuple(field.name for field in fields(Profile) if field.name not in ("id", "merged_into"))  # whatever else a Profile comes to know
_NONE: Mapping[str, Profile] = {}


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
    found = of_row(connection.execute(_BY_ID, {"sought": row.merged_into}).one() if row.merged_into else row)
    return Person(found.id, found.traits, found.zone, found.locale, found.first_seen, found.last_seen)


def load_all(connection: Connection, profile_ids: Set[str]) -> dict[str, Person]:
    """Return people by the ids of profiles, or of those that were merged into them; one that is not there is missing."""
    rows = {row.id: row for row in connection.execute(_BY_IDS, {"sought": sorted(profile_ids)})}
    heads = {row.merged_into for row in rows.values() if row.merged_into} - rows.keys()
    if heads:
        rows |= {row.id: row for row in connection.execute(_BY_IDS, {"sought": sorted(heads)})}
    people = {}
    for asked in profile_ids & rows.keys():
        found = of_row(rows[rows[asked].merged_into or asked])
        people[asked] = Person(found.id, found.traits, found.zone, found.locale, found.first_seen, found.last_seen)
    return people


def find(connection: Connection, reference: str) -> str | None:
    """Return the canonical profile id of an identifier (`value` or `kind:value`) or of a profile id; None where there is none.

    Of several the user id counts first, then the anonymous id. An identifier that is held to be shared leads to no person,
    but to what came in under it alone.
    """
    sought = parse_reference(reference)
    query = select(identifiers.c.kind, identifiers.c.value, identifiers.c.profile_id, identifiers.c.shared)
    rows = connection.execute(query.where(identifiers.c.value.in_({value for _, value in sought}))).all()
    known = {(row.kind, row.value): row.profile_id for row in rows if not row.shared}
    for kind, value in sought:
        for key in ((kind, value), (nobodys(kind), value)):
            if key in known:
                return str(known[key])
    others = sorted(key for key in known if key[1] == reference)
    if others:
        return str(known[others[0]])
    row = connection.execute(select(profiles.c.id, profiles.c.merged_into).where(profiles.c.id == reference)).one_or_none()
    return None if row is None else str(row.merged_into or row.id)


def external_ids(connection: Connection, profile_id: str) -> list[tuple[str, str]]:
    """Return the kinds and values by which the outside knows a profile, user ids first."""
    query = select(identifiers.c.kind, identifiers.c.value).where(identifiers.c.profile_id == profile_id)
    rows = connection.execute(query.order_by(identifiers.c.since, identifiers.c.kind, identifiers.c.value))
    return sorted((tuple(row) for row in rows), key=lambda pair: _ORDER.get(pair[0], 2))


def addressee(connection: Connection, profile_id: str) -> tuple[str | None, str | None]:
    """Return the user id, or where there is none the anonymous id, by which an event of our own reaches a profile."""
    known = dict(reversed(external_ids(connection, profile_id)))
    user_id = known.get("user_id")
    return user_id, None if user_id is not None else known.get("anonymous_id")


def origin(connection: Connection, profile_id: str, entry_id: str) -> str:
    """Return whose an entry would be without any merge: what happens in it is told of that profile.

    Args:
        connection: of any transaction.
        profile_id: whose the entry is now.
        entry_id: the entry.
    """
    found = connection.execute(_ORIGIN, {"entry": entry_id}).one_or_none()
    return profile_id if found is None else found.origin_id or found.profile_id


def set_traits(
    connection: Connection, profile_id: str, traits: Mapping[str, Any], at: datetime, rules: Rules = DEFAULT, because_of: str = ""
) -> Person:
    """Write traits to a profile, as said at a moment; null removes one.

    A profile that was merged into another keeps them as its own, should the two be taken apart.

    Args:
        connection: of a writing transaction.
        profile_id: of a profile, or of one that was merged into another.
        traits: by name.
        at: when they were said.
        rules: how they are taken; what they refuse is kept in `trait_refusals`.
        because_of: what sets them, such as an entry's step; a refusal names it.

    Raises:
        NotFound: there is no such profile.
    """
    locks.lock_person(connection, profile_id)
    named = connection.execute(_BY_ID, {"sought": profile_id}).one()
    head = connection.execute(_BY_ID, {"sought": named.merged_into}).one() if named.merged_into else named
    profile, own = of_row(head), None if head.own is None else own_of(head)
    taken = rules.take(traits)
    because = because_of or f"set:{profile_id}:{to_micros(at)}"
    origin_id = named.id if named.merged_into else None
    refused.record(connection, [refused.row(profile.id, trait, why, because, at, origin_id) for trait, why in taken.refused])
    changed = []
    if named.merged_into:
        lost, its_own = of_row(named), own_of(named)
        if its_own.hear(taken.values, at, rules):
            changed.append(_changed(lost if named.own is not None else its_own, its_own if named.own is not None else None))
    elif own is not None:
        own.hear(taken.values, at, rules)
    if profile.hear(taken.values, at, rules) or (own is not None and not named.merged_into):
        changed.append(_changed(profile, own))
    if changed:
        connection.execute(_UPDATE, changed)
    return Person(profile.id, profile.traits, profile.zone, profile.locale, profile.first_seen, profile.last_seen)


def of_row(row: Row[Any]) -> Profile:
    """Return a row of `profiles` as a Profile that can change."""
    return Profile(row.id, row.first_seen, row.last_seen, row.traits, row.trait_times, row.zone, row.locale, row.merged_into, row.tallies)


def insert_all(connection: Connection, new: list[Profile], own: Mapping[str, Profile] = _NONE) -> None:
    """Insert profiles; those that live on before those that were merged into them.

    Args:
        connection: of a writing transaction.
        new: as everyone sees them.
        own: by id, the own facts of those that show others' too.
    """
    if new:
        rows = [_values(profile, own.get(profile.id)) for profile in sorted(new, key=lambda profile: profile.merged_into is not None)]
        connection.execute(insert(profiles), rows)


def update_all(connection: Connection, changed: list[Profile], own: Mapping[str, Profile] = _NONE) -> None:
    """Update profiles; the same arguments as `insert_all`."""
    if changed:
        connection.execute(_UPDATE, [_changed(profile, own.get(profile.id)) for profile in changed])


def _changed(profile: Profile, own: Profile | None) -> dict[str, Any]:
    return {f"b_{name}": value for name, value in _values(profile, own).items()}


def _values(profile: Profile, own: Profile | None) -> dict[str, Any]:
    return {
        "id": profile.id, "merged_into": profile.merged_into, "traits": profile.traits, "trait_times": profile.times,
        "zone": profile.zone, "locale": profile.locale, "own": None if own is None else _facts(own),
        "first_seen": profile.first_seen, "last_seen": profile.last_seen, "tallies": profile.tallies,
    }  # fmt: skip


def own_of(row: Row[Any]) -> Profile:
    """Return what is known of a profile by itself, without what merges added."""
    found = of_row(row)
    return found if row.own is None else own_facts(found.id, row.own)


def own_facts(profile_id: str, kept: Mapping[str, Any]) -> Profile:
    """Return own facts as `_facts` wrote them."""
    said: dict[str, Any] = {name: from_micros(value) if name in _SEEN else value for name, value in kept.items()}
    return Profile(id=profile_id, **said)


def _facts(own: Profile) -> dict[str, Any]:
    return {name: to_micros(getattr(own, name)) if name in _SEEN else getattr(own, name) for name in _OWN}
