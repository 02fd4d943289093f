"""What the gate asks about people, read for a page of them at once: a question to the store for all instead of one for each.

Who is not among those found has nothing of the kind, and need not be asked about. It holds for the transaction
that read it, with the people locked, and for messages that were planned in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, exists, select

from sojourn.customers import consent
from sojourn.customers.consent import Consent, Standing
from sojourn.delivery import brakes
from sojourn.delivery.gate import BrakeFact
from sojourn.delivery.ledger import SendRow
from sojourn.delivery.mailboxes import sharers
from sojourn.store.tables import entries, preferences, profiles, sends

_PEOPLE: BindParameter[str] = bindparam("people", expanding=True)
_MERGED = select(profiles.c.id, profiles.c.merged_into).where(profiles.c.merged_into.in_(_PEOPLE))
_GONE = select(profiles.c.id, profiles.c.merged_into).where(profiles.c.id.in_(_PEOPLE), profiles.c.merged_into.is_not(None))
# How an entry stands, and whom its message is written for.
ENTRY_FIELDS = (
    entries.c.state,
    entries.c.outcome,
    entries.c.goal_at,
    entries.c.holdout,
    profiles.c.zone,
    profiles.c.locale,
    profiles.c.traits,
)
_STANDING = (
    select(entries.c.id, *ENTRY_FIELDS)
    .join(profiles, profiles.c.id == entries.c.profile_id)
    .where(entries.c.id.in_(bindparam("entries", expanding=True)))
)
_CHOOSING = select(preferences.c.profile_id).where(preferences.c.profile_id.in_(_PEOPLE)).distinct()
_SENT_TO = (
    select(sends.c.profile_id).where(sends.c.profile_id.in_(_PEOPLE), sends.c.key.not_in(bindparam("keys", expanding=True))).distinct()
)
_ELSEWHERE = (
    select(entries.c.profile_id)
    .where(
        entries.c.profile_id.in_(_PEOPLE),
        entries.c.state == "running",
        entries.c.id.not_in(bindparam("entries", expanding=True)),
        ~exists().where(sends.c.entry_id == entries.c.id),
    )
    .distinct()
)


@dataclass(frozen=True)
class Ahead:
    """What was read of a page of people, by their canonical ids.

    Attributes:
        standing: of each entry, how it and its person stand.
        consents: of each person and purpose, how the consent stands.
        braked: of each journey, the brake on it.
        choosing: who ever chose how often to be written to.
        sent_to: who has any other message.
        elsewhere: who is on another journey that has not sent yet.
        on_list: the addresses of which the suppression list says something.
        sharers: by mailbox, whom anything was made for there.
    """

    standing: Mapping[str, Any]
    consents: Mapping[tuple[str, str], Standing]
    braked: Mapping[str, BrakeFact | None]
    choosing: frozenset[str]
    sent_to: frozenset[str]
    elsewhere: frozenset[str]
    on_list: Collection[str]
    sharers: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def word(self, person: str, purpose: str) -> Consent | None:
        """Return the word that stands about a purpose; None where none does."""
        found = self.consents.get((person, purpose))
        return None if found is None else found.word


def single(connection: Connection, people: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return those of whom nobody else was merged into, and who were not merged: all their rows bear this one id; and all ids of all."""
    asked = {"people": list(people)}
    into = connection.execute(_MERGED, asked).all()
    gone = connection.execute(_GONE, asked).all()
    several = {row.merged_into for row in into} | {row.id for row in gone}
    beside = {row.id for row in into} | {row.merged_into for row in gone}
    return frozenset(people) - several, frozenset(people) | beside


def read_ahead(connection: Connection, planned: Collection[SendRow], on_list: Collection[str], mailboxes: Collection[str] = ()) -> Ahead:
    """Return what is asked about the people of messages.

    Args:
        connection: of a writing transaction, with the people locked.
        planned: the messages, planned in this transaction, of people of whom `single` holds.
        on_list: the addresses of which the suppression list says something.
        mailboxes: where they go to; none: what others got there does not count.
    """
    asked = {"people": [send.profile_id for send in planned]}
    entry_ids, keys = [send.entry_id for send in planned], [send.key for send in planned]
    return Ahead(
        standing={row.id: row for row in connection.execute(_STANDING, {"entries": entry_ids})},
        consents=consent.standings(connection, asked["people"]),
        braked={journey: brakes.on(connection, journey) for journey in {send.journey for send in planned}},
        choosing=frozenset(connection.execute(_CHOOSING, asked).scalars()),
        sent_to=frozenset(connection.execute(_SENT_TO, {**asked, "keys": keys}).scalars()),
        elsewhere=frozenset(connection.execute(_ELSEWHERE, {**asked, "entries": entry_ids}).scalars()),
        on_list=on_list,
        sharers=sharers(connection, mailboxes),
    )
