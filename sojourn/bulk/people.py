"""A page of people into the store: those who are new and whom nothing contradicts at once, all others as intake does it.

This is the only module of the room that knows how people are kept. Both ways give the same; a test
holds them to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, and_, select

from sojourn.bulk.loading import load
from sojourn.bulk.records import IDENTIFIER_KINDS, Dated, PersonRow
from sojourn.customers import consent
from sojourn.customers.declared import DEFAULT
from sojourn.customers.identity import random_id
from sojourn.customers.traits import Profile
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.learning import learn
from sojourn.language.identity_rules import ANONYMOUS, USER
from sojourn.store.bulk import chunks
from sojourn.store.tables import consents, identifiers, profiles
from sojourn.store.types import to_micros

_PROFILE = ("id", "traits", "trait_times", "zone", "locale", "first_seen", "last_seen")
_IDENTIFIER = ("kind", "value", "profile_id", "since")
_CONSENT = ("id", "profile_id", "purpose", "granted", "wording", "source", "at")
_Key = tuple[str, str]


@dataclass
class Written:
    """What a page came to.

    Attributes:
        profile_ids: whom it touched.
        new: how many of its rows made a person.
        known: how many were about one who was known, or about one of several rows.
    """

    profile_ids: list[str] = field(default_factory=list)
    new: int = 0
    known: int = 0


@dataclass(slots=True)
class Prepared:
    """A row, and what it comes to where its person is new: worked out before the transaction, which others wait for."""

    row: PersonRow
    keys: dict[_Key, datetime]
    profile: tuple[Any, ...]
    consents: list[tuple[Any, ...]]


def keys_of(row: PersonRow) -> dict[_Key, datetime]:
    """Return the identifiers that a row says are one person's, each with when it was first said."""
    found: dict[_Key, datetime] = {}
    for call in row.calls:
        if call.user_id is not None:
            found.setdefault((USER, call.user_id), call.time)
        if call.anonymous_id is not None:
            found.setdefault((ANONYMOUS, call.anonymous_id), call.time)
        if call.kind == "alias" and call.previous_id is not None:
            found.setdefault((USER, call.previous_id), call.time)
            found.setdefault((ANONYMOUS, call.previous_id), call.time)
    return found


def known_keys(connection: Connection, keys: Iterable[_Key]) -> set[_Key]:
    """Return which identifiers the store holds."""
    found: set[_Key] = set()
    for some in chunks({value for _, value in keys}):
        query = select(identifiers.c.kind, identifiers.c.value).where(
            and_(identifiers.c.kind.in_(IDENTIFIER_KINDS), identifiers.c.value.in_(some))
        )
        found.update((row.kind, row.value) for row in connection.execute(query))
    return found


def prepare(row: PersonRow, now: datetime, new_id: Callable[[], str]) -> Prepared:
    """Return a row with what it comes to where its person is new.

    Args:
        row: what a row says.
        now: the shop's present moment; nothing is dated after it.
        new_id: gives the ids of new profiles.
    """
    first = row.calls[0].time
    profile = Profile(new_id(), first, first)
    agreed: list[dict[str, Any]] = []
    for call in row.calls:
        learn(profile, call, now, DEFAULT, is_new=True)
        if consent.CONSENT_TRAIT in call.traits or "consent" in call.context:
            said = consent.said_by(call.kind, call.name, call.traits, call.properties, call.context)
            agreed += [consent.consent_row(profile.id, one, call.time, call.message_id) for one in said]
    agreed += [_dated_row(profile.id, row, dated) for dated in row.consents]
    values = (
        profile.id, _json(profile.traits), _json(profile.times), profile.zone, profile.locale,
        to_micros(profile.first_seen), to_micros(profile.last_seen),
    )  # fmt: skip
    return Prepared(row, keys_of(row), values, [_consent(one) for one in agreed])


def write_people(
    connection: Connection, rows: Sequence[Prepared], now: datetime, new_id: Callable[[], str] = random_id, *, fast: bool = True
) -> Written:
    """Write a page of people.

    Args:
        connection: of a writing transaction.
        rows: in the order of the file.
        now: the shop's present moment; nothing is dated after it.
        new_id: gives the ids of new profiles.
        fast: whether people who are new may go the fast way.
    """
    named = Counter(key for one in rows for key in one.keys)
    taken = known_keys(connection, named) if fast else set(named)
    taken.update(key for key, count in named.items() if count > 1)
    fresh = [one for one in rows if taken.isdisjoint(one.keys)]
    others = [one.row for one in rows if not taken.isdisjoint(one.keys)] if taken else []
    written = Written()
    _write_new(connection, fresh, written)
    if others:
        _write_exactly(connection, others, now, new_id, written)
    return written


def _write_new(connection: Connection, rows: Sequence[Prepared], written: Written) -> None:
    known_as = [(kind, value, one.profile[0], to_micros(since)) for one in rows for (kind, value), since in one.keys.items()]
    load(connection, profiles, _PROFILE, [one.profile for one in rows])
    load(connection, identifiers, _IDENTIFIER, known_as)
    load(connection, consents, _CONSENT, [agreed for one in rows for agreed in one.consents], ignore=True)
    written.profile_ids += [one.profile[0] for one in rows]
    written.new += len(rows)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _consent(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["id"], row["profile_id"], row["purpose"], row["granted"], row["wording"], row["source"], to_micros(row["at"]))


def _dated_row(profile_id: str, row: PersonRow, dated: Dated) -> dict[str, Any]:
    kept = consent.consent_row(profile_id, dated.said, dated.at, f"{row.calls[0].message_id}:{dated.at.isoformat()}")
    return kept if dated.id is None else {**kept, "id": dated.id}


def _write_exactly(connection: Connection, rows: Sequence[PersonRow], now: datetime, new_id: Callable[[], str], written: Written) -> None:
    calls = [InboundRow(0, call) for row in rows for call in row.calls]
    absorbed = iter(absorb(connection, calls, now, new_id, history=False))
    agreed = []
    touched: dict[str, None] = {}
    for row in rows:
        told = [next(absorbed) for _ in row.calls]
        owner = told[-1].profile_id
        touched[owner] = None
        agreed += [_dated_row(owner, row, dated) for dated in row.consents]
        is_new = any(one.new_profile for one in told)
        written.new += is_new
        written.known += not is_new
    consent.record_all(connection, agreed)
    written.profile_ids += touched
