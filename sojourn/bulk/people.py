"""A page of people into the store: those who are new and whom nothing contradicts at once, all others as intake does it.

This is the only module of the room that knows how people are kept. Both ways give the same; a test
holds them to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from sojourn.bulk.loading import load, owners_known
from sojourn.bulk.policy import Policy
from sojourn.bulk.preparing import Prepared, dated_row
from sojourn.bulk.records import Origin, PersonRow, person
from sojourn.customers import consent
from sojourn.customers.identity import random_id
from sojourn.customers.segments import due
from sojourn.customers.segments.causes import Cause
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.store.bulk import among, chunks, many
from sojourn.store.tables import consents, identifiers, profiles, segment_due
from sojourn.store.types import to_micros

_PROFILE = ("id", "traits", "trait_times", "zone", "locale", "first_seen", "last_seen")
_IDENTIFIER = ("kind", "value", "profile_id", "since")
_CONSENT = ("id", "profile_id", "purpose", "granted", "wording", "source", "at", "own", "pending", "stream", "again_at")
_DUE = ("profile", "at", "cause")
_Key = tuple[str, str]


@dataclass
class Written:
    """What a page came to.

    Attributes:
        profile_ids: whom it touched; but those who are new, whose segments are due to be judged already.
        new: how many of its rows made a person.
        known: how many were about one who was known, or about one of several rows.
    """

    profile_ids: list[str] = field(default_factory=list)
    new: int = 0
    known: int = 0


def known_keys(connection: Connection, keys: Iterable[_Key]) -> set[_Key]:
    """Return which identifiers the store holds."""
    dialect = connection.dialect.name
    by_kind: dict[str, list[str]] = {}
    for kind, value in keys:
        by_kind.setdefault(kind, []).append(value)
    found: set[_Key] = set()
    for kind, values in by_kind.items():
        query = select(identifiers.c.value).where(identifiers.c.kind == bindparam("named"), among(dialect, identifiers.c.value, "values"))
        for some in chunks(values):
            rows = connection.execute(query, {"named": kind, "values": many(dialect, some)})
            found.update((kind, value) for value in rows.scalars())
    return found


def write_people(
    connection: Connection,
    rows: Sequence[Prepared],
    origin: Origin,
    policy: Policy,
    new_id: Callable[[], str] = random_id,
    *,
    fast: bool = True,
    again: bool = False,
    hopeful: bool = False,
    live: bool = False,
) -> Written:
    """Write a page of people.

    Args:
        connection: of a writing transaction.
        rows: in the order of the file.
        origin: what they share; nothing is dated after its `now`.
        policy: how words about people are taken.
        new_id: gives the ids of new profiles.
        fast: whether people who are new may go the fast way.
        again: it was tried, and a key was taken: one of a consent may be.
        live: whether journeys hear of the segments that they come into.
        hopeful: take those who are no two rows' for new without asking; where one is known, a key is taken and it is tried again.
    """
    named = Counter(key for one in rows for key in one.keys)
    taken = set(named) if not fast else set() if hopeful else known_keys(connection, named)
    taken.update(key for key, count in named.items() if count > 1)
    for one in rows:
        if one.contested:
            taken.update(one.keys)
    fresh = [one for one in rows if taken.isdisjoint(one.keys)] if taken else rows
    written = Written()
    _write_new(connection, fresh, origin.now, written, ignore=again, live=live)
    if len(fresh) < len(rows):
        others = [person(one.record, one.line, one.position, origin) for one in rows if not taken.isdisjoint(one.keys)]
        _write_exactly(connection, others, origin.now, policy, new_id, written)
    return written


def _write_new(connection: Connection, rows: Sequence[Prepared], now: datetime, written: Written, *, ignore: bool, live: bool) -> None:
    at = to_micros(now)
    load(connection, profiles, _PROFILE, [one.profile for one in rows])
    with owners_known(connection):
        load(connection, identifiers, _IDENTIFIER, [(*key, one.profile[0], since) for one in rows for key, since in one.keys.items()])
        load(connection, consents, _CONSENT, [agreed for one in rows for agreed in one.consents], ignore=ignore)
        if not live:
            load(connection, segment_due, _DUE, [(one.profile[0], at, Cause.IMPORT.value) for one in rows])
    if live:
        due.touch(connection, [one.profile[0] for one in rows], now, Cause.IMPORT, live=True)
    written.new += len(rows)


def _write_exactly(
    connection: Connection, rows: Sequence[PersonRow], now: datetime, policy: Policy, new_id: Callable[[], str], written: Written
) -> None:
    calls = [InboundRow(0, call) for row in rows for call in row.calls]
    absorbed = iter(
        absorb(connection, calls, now, new_id, rules=policy.rules, identity=policy.identity, history=False, secret=policy.secret)
    )
    agreed = []
    touched: dict[str, None] = {}
    for row in rows:
        told = [next(absorbed) for _ in row.calls]
        owner = told[-1].profile_id
        touched[owner] = None
        agreed += [dated_row(owner, row, dated, policy.rules.confirmed) for dated in row.consents]
        is_new = any(one.new_profile for one in told)
        written.new += is_new
        written.known += not is_new
    consent.record_all(connection, agreed)
    written.profile_ids += touched
