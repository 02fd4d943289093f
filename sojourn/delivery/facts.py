"""Gathers what the gate judges by, inside the claim's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, bindparam, func, or_, select

from sojourn.customers.identifying import NOBODYS, Key, write_keys
from sojourn.delivery import ledger
from sojourn.delivery.gate import CapUse, ConsentFact, GateFacts
from sojourn.delivery.ledger import SendRow
from sojourn.delivery.message import Message, check_headers
from sojourn.delivery.rules import GateRules
from sojourn.errors import NotCaughtUp
from sojourn.language.identity_rules import ANONYMOUS, USER
from sojourn.store.bulk import chunks
from sojourn.store.locks import ROUTER
from sojourn.store.tables import consents, cursors, entries, identifiers, inbound, profiles

_ALTERNATIVES = 50  # in one condition; SQLite compares a thousand at most

# Statements are built once: building one costs more than SQLite takes to answer it.
_ROUTED = select(cursors.c.seq).where(cursors.c.name == ROUTER).scalar_subquery()
_KNOWN_BY = select(identifiers.c.kind, identifiers.c.value).where(identifiers.c.profile_id.in_(bindparam("people", expanding=True)))
_WAITS = select(inbound.c.seq).where(inbound.c.seq > func.coalesce(_ROUTED, 0)).limit(1)
_BEHIND = _WAITS.where(
    or_(
        inbound.c.user_id.in_(bindparam("users", expanding=True)),
        inbound.c.anonymous_id.in_(bindparam("visitors", expanding=True)),
        inbound.c.profile_id.in_(bindparam("people", expanding=True)),
    )
)
_STANDING = (
    select(entries.c.state, entries.c.outcome, entries.c.goal_at, entries.c.holdout, profiles.c.zone)
    .join(profiles, profiles.c.id == bindparam("person"))
    .where(entries.c.id == bindparam("entry"))
)
_CONSENT = (
    select(consents.c.id, consents.c.granted, consents.c.at)
    .where(consents.c.profile_id.in_(bindparam("people", expanding=True)), consents.c.purpose == bindparam("purpose"))
    .order_by(consents.c.at.desc(), consents.c.granted)  # of two words at one moment, the no
    .limit(1)
)


def caught_up(conn: Connection, people: Sequence[str]) -> None:
    """Make sure that every acknowledged event of a person has been routed (P3).

    An event may reach the person by any identifier: its user id, its anonymous id, or one that it names beside these
    (an address in traits, an alias's previous id, an external id). However events may lead to the person by way of each
    other, the one of them that is nearest names an identifier that is known already. Looking for those named beside errs
    on the side of waiting: the store compares them without regard to case and with `_` for any character.

    Raises:
        NotCaughtUp: one has not; the claim is to be tried again at once.
    """
    if conn.execute(_WAITS).first() is None:
        return
    known = [(row.kind.removeprefix(NOBODYS), row.value) for row in conn.execute(_KNOWN_BY, {"people": list(people)})]
    asked = {
        "people": list(people),
        "users": [value for kind, value in known if kind == USER],
        "visitors": [value for kind, value in known if kind == ANONYMOUS],
    }
    if conn.execute(_BEHIND, asked).first() is not None or _named_beside(conn, known):
        raise NotCaughtUp("events of this person are acknowledged but not yet routed; try again at once")


def _named_beside(conn: Connection, known: Sequence[Key]) -> bool:
    """Tell whether an event that waits names one of these beside its user id and its anonymous id."""
    for some in chunks(known, _ALTERNATIVES):
        named = or_(*(inbound.c.known_by.like(_pattern(key)) for key in some))
        if conn.execute(_WAITS.where(inbound.c.known_by.is_not(None), named)).first() is not None:
            return True
    return False


def _pattern(key: Key) -> str:
    """Return what `inbound.known_by` looks like where it names an identifier; a backslash, which would escape, stands for anything."""
    return f"%{write_keys([key])[1:-1]}%".replace("\\", "_")


def gather(conn: Connection, send: SendRow, message: Message, people: Sequence[str], now: datetime, rules: GateRules) -> GateFacts:
    """Return what the gate judges a send by.

    Args:
        conn: the claim's transaction.
        send: the send.
        message: as it was frozen.
        people: the person's profile ids, the canonical one first.
        now: the shop's moment.
        rules: the shop's and the journey's.
    """
    entry = conn.execute(_STANDING, {"entry": send.entry_id, "person": people[0]}).one()
    ended = entry.outcome or "ended" if entry.state != "running" or entry.outcome else None
    consent = _consent(conn, people, send.purpose)
    agreed_at = consent.at if consent is not None and consent.granted else None
    return GateFacts(
        now=now,
        purpose=send.purpose,
        zone=_zone(entry.zone) or rules.zone,
        ended=ended,
        consent=consent,
        consent_needed=rules.consent_needed,
        suppressed=rules.suppressed(conn, message.to_address, agreed_at) if message.to_address else None,
        address_problem=address_problem(message.to_address),
        message_problem=check_headers(message) if message.to_address else None,
        goal_met=entry.goal_at is not None,
        holdout=entry.holdout,
        caps=[
            CapUse(cap.most, cap.window, ledger.used(conn, people, now - cap.window, besides=send.key, purpose=cap.purpose))
            for cap in rules.caps
            if cap.purpose in (None, send.purpose)
        ],
        hours=rules.hours,
    )


def address_problem(address: str) -> str | None:
    """Return what is wrong with an address, without repeating it; None where mail can be written to it."""
    if not address:
        return "the profile has no e-mail address"
    try:
        validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return "the profile's e-mail address is not one"
    return None


def _consent(conn: Connection, people: Sequence[str], purpose: str) -> ConsentFact | None:
    row = conn.execute(_CONSENT, {"people": list(people), "purpose": purpose}).one_or_none()
    return None if row is None else ConsentFact(row.id, row.granted, row.at)


def _zone(name: str | None) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):
        return None
