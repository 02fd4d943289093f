"""Acknowledged events become people: identity, traits, consent and history, a batch at a time.

Everything here may be done again with the same events and changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from sojourn.customers import consent, refused
from sojourn.customers.declared import DEFAULT, Rules
from sojourn.customers.identifying import Key, read_keys
from sojourn.customers.identity import DEFAULT_RULES, Merge, People, Resolved, random_id
from sojourn.delivery.engagement import Emit
from sojourn.intake.agreeing import Agreements
from sojourn.intake.confirming import ask_to_confirm
from sojourn.intake.envelope import Envelope
from sojourn.intake.learning import Learnt, learn, tell_moves
from sojourn.language.identity_rules import ANONYMOUS, EMAIL, USER, IdentityRules
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import events
from sojourn.travel.listening import is_machine

MAX_SEND_KEY = 36
_ABSORBED = select(events.c.id, events.c.profile_id).where(events.c.id.in_(bindparam("ids", expanding=True)))


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
            keys=_keys(row.known_by) if row.known_by else (),
            time=row.time,
            received_at=row.received_at,
        )
        return cls(row.seq, envelope)


def _keys(text: str) -> tuple[Key, ...]:
    # An alias's previous id stands among them too, but only for whoever looks for it in the log.
    return tuple(key for key in read_keys(text) if key[0] not in (USER, ANONYMOUS))


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
        withdrawn: purposes to which it said no and that stood at no by then.
        told: it spoke of the person's traits, or changed them or the zone in passing (a place, the usual hour).
    """

    envelope: Envelope
    profile_id: str
    merges: tuple[Merge, ...]
    is_new: bool
    new_profile: bool
    seq: int
    withdrawn: frozenset[str] = frozenset()
    told: bool = False


@dataclass
class _Heard:
    """An event on its way: what it said, and whose it turned out to be."""

    row: InboundRow
    words: Sequence[consent.Said]
    resolved: Resolved | None = None  # None: it was absorbed before
    told: bool = False
    moved: tuple[Any, str] | None = None  # the address before and now, where it changed
    owner: str = ""


def absorb(
    connection: Connection,
    rows: Sequence[InboundRow],
    now: datetime,
    new_id: Callable[[], str] = random_id,
    *,
    rules: Rules = DEFAULT,
    identity: IdentityRules = DEFAULT_RULES,
    emit: Emit | None = None,
    history: bool = True,
    secret: str = "",
) -> list[Absorbed]:
    """Absorb events in order and return, for each, what routing needs.

    Args:
        connection: of a writing transaction.
        rows: of the log, in its order.
        now: the shop's present moment; nothing is dated after it.
        new_id: gives the ids of new profiles.
        rules: how words about people are taken (`customers.declared.rules_of`).
        identity: how identifiers join profiles.
        emit: appends `Location Changed` to the log; without it nobody is told.
        history: whether the events are kept as the person's history; what a bulk import says of a person is no event.
        secret: SOJOURN_SECRET_KEY, under which addresses that refused are kept; without it none is.
    """
    before = _absorbed_before(connection, rows)
    people = People(connection, [row.envelope for row in rows if row.envelope.message_id not in before], new_id, identity)
    heard: list[_Heard] = []
    learnt: list[tuple[Learnt, str]] = []  # each beside the profile that it was told of
    for row in rows:
        envelope = row.envelope
        inside, visitor = envelope.profile_id is not None, envelope.anonymous_id
        words = consent.said_by(
            envelope.kind, envelope.name, envelope.traits, envelope.properties, envelope.context, visitor, inside=inside
        )
        if envelope.message_id in before:
            heard.append(_Heard(row, words))
            continue
        found = people.resolve(envelope)
        before_it, its_zone = dict(found.profile.traits), found.profile.zone
        for facts in (found.profile, found.own):
            if facts is None:
                continue
            told = learn(facts, envelope, now, rules, is_new=True)
            if told.changed:
                people.touch(facts)
            if facts is found.profile:
                learnt.append((told, found.origin_id))
        if found.merges and found.profile.settle(rules):  # of two histograms came one
            people.touch(found.profile)
        address = found.profile.traits.get(EMAIL)
        moved = (before_it.get(EMAIL), address) if isinstance(address, str) and address != before_it.get(EMAIL) else None
        changed = (found.profile.traits, found.profile.zone) != (before_it, its_zone)
        heard.append(_Heard(row, words, found, bool(envelope.traits) or changed, moved))
    people.flush(now)
    for one in heard:
        one.owner = people.canonical(one.resolved.origin_id if one.resolved else before[one.row.envelope.message_id])
    moves = [(one.owner, *one.moved) for one in heard if one.moved is not None]
    spoken = [(one.owner, one.words) for one in heard]
    agreements = Agreements(connection, rules.confirmed, spoken, [owner for owner, *_ in moves])
    kept, absorbed = [], []
    for one in heard:
        row, resolved, owner, envelope = one.row, one.resolved, one.owner, one.row.envelope
        if resolved is None:
            withdrawn = agreements.withdrawn(owner, one.words)
            absorbed.append(Absorbed(envelope, owner, (), False, False, row.seq, withdrawn))
            continue
        origin = None if owner == resolved.origin_id else resolved.origin_id
        kept.append(_event(row, owner, origin))
        withdrawn = agreements.hear(envelope, owner, origin, one.words)
        absorbed.append(Absorbed(envelope, owner, resolved.merges, True, resolved.is_new, row.seq, withdrawn, one.told))
    if history:
        insert_new(connection, events, kept)
    agreements.write(moves, secret)
    owners = [(told, people.canonical(origin_id), origin_id) for told, origin_id in learnt]
    refused.record(connection, [row for told, owner, origin_id in owners for row in told.refusals(owner, origin_id)])
    if emit is not None:
        ask_to_confirm(connection, emit, agreements.asked, now)
        tell_moves(connection, emit, ((told, owner) for told, owner, _ in owners))
    return absorbed


def _absorbed_before(connection: Connection, rows: Sequence[InboundRow]) -> dict[str, str]:
    """Return whose the events are that were absorbed before, by message id: all that they say has been heard."""
    known: dict[str, str] = {}
    for some in chunks(row.envelope.message_id for row in rows):
        known.update({row.id: row.profile_id for row in connection.execute(_ABSORBED, {"ids": some})})
    return known


def _event(row: InboundRow, profile_id: str, origin_id: str | None) -> dict[str, Any]:
    e = row.envelope
    send_key = e.properties.get("send_key")
    return {
        "id": e.message_id, "seq": row.seq, "profile_id": profile_id, "origin_id": origin_id, "kind": e.kind, "name": e.name,
        "time": e.time, "properties": e.properties, "machine": is_machine(e.name, e.properties),
        "send_key": send_key if isinstance(send_key, str) and len(send_key) <= MAX_SEND_KEY else None,
    }  # fmt: skip
