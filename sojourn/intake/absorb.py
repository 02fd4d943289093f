"""Acknowledged events become people: identity, traits, consent and history, a batch at a time.

Everything here may be done again with the same events and changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from sojourn.customers import consent
from sojourn.customers.identity import Merge, People, random_id
from sojourn.customers.traits import Profile
from sojourn.intake.envelope import Envelope
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import events
from sojourn.travel.listening import is_machine

MAX_SEND_KEY = 36


@dataclass(frozen=True)
class InboundRow:
    """A row of the log."""

    seq: int
    envelope: Envelope

    @classmethod
    def of(cls, row: Row[Any]) -> InboundRow:
        """Read a row of `inbound`; what the door checked is not checked again."""
        body = row.body
        envelope = Envelope.model_construct(
            message_id=row.message_id,
            kind=row.kind,
            name=row.name,
            user_id=row.user_id,
            anonymous_id=row.anonymous_id,
            previous_id=body.get("previous_id"),
            profile_id=row.profile_id,
            traits=body.get("traits", {}),
            properties=body.get("properties", {}),
            context=body.get("context", {}),
            time=row.time,
            received_at=row.received_at,
        )
        return cls(row.seq, envelope)


@dataclass(frozen=True)
class Absorbed:
    """What routing needs to know of an event.

    Attributes:
        envelope: the event.
        profile_id: whose it is, after every merge of the batch.
        merges: profiles that this event joined.
        is_new: it was not absorbed before.
        new_profile: it is the first that is known of this person.
        seq: of its row in the log.
        said: its words about consent.
    """

    envelope: Envelope
    profile_id: str
    merges: tuple[Merge, ...]
    is_new: bool
    new_profile: bool
    seq: int
    said: tuple[consent.Said, ...] = ()


def absorb(
    connection: Connection, rows: Sequence[InboundRow], now: datetime, new_id: Callable[[], str] = random_id, *, history: bool = True
) -> list[Absorbed]:
    """Absorb events in order and return, for each, what routing needs.

    Args:
        connection: of a writing transaction.
        rows: of the log, in its order.
        now: the shop's present moment; nothing is dated after it.
        new_id: gives the ids of new profiles.
        history: whether the events are kept as the person's history; what a bulk import says of a person is no event.
    """
    people = People(connection, [row.envelope for row in rows], new_id)
    before = _absorbed_before(connection, rows)
    resolved = []
    words: list[tuple[consent.Said, ...]] = []
    said: list[tuple[str, Envelope, consent.Said]] = []
    for row in rows:
        envelope = row.envelope
        found = people.resolve(envelope)
        if learn(found.profile, envelope, min(envelope.time, now)):
            people.touch(found.profile)
        words.append(tuple(consent.said_by(envelope.kind, envelope.name, envelope.traits, envelope.properties, envelope.context)))
        said.extend((found.profile.id, envelope, one) for one in words[-1])
        resolved.append(found)
    people.flush()
    owners = [people.canonical(found.profile.id) for found in resolved]
    if history:
        insert_new(connection, events, [_event(row, owner) for row, owner in zip(rows, owners, strict=True)])
    consents = [consent.consent_row(people.canonical(owner), one, e.time, e.message_id) for owner, e, one in said]
    consent.record_all(connection, consents)
    return [
        Absorbed(row.envelope, owner, found.merges, row.envelope.message_id not in before, found.is_new, row.seq, spoken)
        for row, owner, found, spoken in zip(rows, owners, resolved, words, strict=True)
    ]


def _absorbed_before(connection: Connection, rows: Sequence[InboundRow]) -> set[str]:
    known: set[str] = set()
    for some in chunks(row.envelope.message_id for row in rows):
        known.update(connection.execute(select(events.c.id).where(events.c.id.in_(some))).scalars())
    return known


def learn(profile: Profile, envelope: Envelope, at: datetime) -> bool:
    """Take in what an event tells of the person; tell whether anything is new."""
    changed = profile.see(at)
    traits, context = envelope.traits, envelope.context
    if traits:
        if isinstance(traits.get(consent.CONSENT_TRAIT), dict):  # kept as consent, with its date and source
            traits = {name: value for name, value in traits.items() if name != consent.CONSENT_TRAIT}
        changed = profile.hear(traits, at) or changed
    zone, locale = context.get("timezone") or _text(traits, "timezone"), context.get("locale") or _text(traits, "locale")
    if zone or locale:
        changed = profile.place(zone, locale, at) or changed
    return changed


def _text(traits: dict[str, Any], name: str) -> str | None:
    value = traits.get(name)
    return value if isinstance(value, str) else None


def _event(row: InboundRow, profile_id: str) -> dict[str, Any]:
    e = row.envelope
    send_key = e.properties.get("send_key")
    return {
        "id": e.message_id, "seq": row.seq, "profile_id": profile_id, "kind": e.kind, "name": e.name, "time": e.time,
        "properties": e.properties, "machine": is_machine(e.name, e.properties),
        "send_key": send_key if isinstance(send_key, str) and len(send_key) <= MAX_SEND_KEY else None,
    }  # fmt: skip
