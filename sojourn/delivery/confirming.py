"""What confirming a consent does (double opt-in): the yes that waited becomes one that counts, with its words, time and source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from sojourn.customers import consent, profiles
from sojourn.customers.consent import CONFIRMED, Said
from sojourn.customers.suppression import normalise
from sojourn.delivery import engagement, ledger
from sojourn.delivery.engagement import Emit
from sojourn.errors import NotFound
from sojourn.language.shop import ShopSettings
from sojourn.store import locks
from sojourn.store.tables import entries, messages
from sojourn.store.tables import profiles as profiles_table

EVENT = "Consent Confirmed"
_TRIGGER = select(entries.c.trigger).where(entries.c.id == bindparam("entry"))
_TRAITS = select(profiles_table.c.traits).where(profiles_table.c.id == bindparam("person"))
_ASKED_AT = select(messages.c.to_address).where(messages.c.send_key == bindparam("key"))


@dataclass(frozen=True)
class Asked:
    """What a confirmation message asks about.

    Attributes:
        purpose: what the consent is to.
        open: whether it still waits; it does not where it was confirmed, a no came later, or the person has another address by now.
        granted: whether the consent stands.
    """

    purpose: str
    open: bool
    granted: bool


def asked(conn: Connection, send_key: str) -> Asked:
    """Return what a message asks about.

    Raises:
        NotFound: there is no such send, or it asks about no consent.
    """
    send = ledger.look(conn, send_key)
    trigger = conn.execute(_TRIGGER, {"entry": send.entry_id}).scalar_one()
    purpose = trigger.get("properties", {}).get("purpose")
    if not isinstance(purpose, str):
        raise NotFound("this message asks about no consent")
    person = profiles.canonical(conn, send.profile_id)
    standing = consent.standing(conn, person, purpose)
    asked_at = conn.execute(_ASKED_AT, {"key": send_key}).scalar_one()
    now_at = conn.execute(_TRAITS, {"person": person}).scalar_one().get("email") or asked_at
    same = normalise(asked_at) == normalise(str(now_at))  # whoever confirms reads this address, and no other
    waits = same and consent.pending(conn, [person], purpose) is not None
    return Asked(purpose, waits, standing is not None and standing.granted)


def confirm(conn: Connection, send_key: str, now: datetime, shop: ShopSettings, emit: Emit) -> Asked:
    """Let the yes that a message asks about count from now on, and return how it stands; a second time changes nothing.

    Args:
        conn: a writing transaction.
        send_key: the message whose link was used.
        now: the shop's moment.
        shop: its settings: the version of the words that are agreed to.
        emit: appends `Consent Confirmed`.

    Raises:
        NotFound: there is no such send, or it asks about no consent.
    """
    people = locks.lock_person(conn, ledger.look(conn, send_key).profile_id)
    about = asked(conn, send_key)
    waits = consent.pending(conn, people, about.purpose)
    if waits is None or not about.open:
        return about
    send = ledger.look(conn, send_key)
    rule = shop.consent.get(about.purpose)
    wording = waits.wording or (rule.wording if rule is not None else None)
    because = f"confirmed:{send_key}:{waits.id}"
    said = Said(about.purpose, granted=True, source=CONFIRMED, wording=wording, own=True)
    consent.record(conn, people[0], said, now, because, profiles.origin(conn, people[0], send.entry_id))
    told = {"purpose": about.purpose, "wording": wording, "asked_by": waits.source}
    emit(conn, engagement.engagement(conn, send_key, EVENT, because, now, {k: v for k, v in told.items() if v is not None}))
    return Asked(about.purpose, open=False, granted=True)
