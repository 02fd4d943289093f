"""Gathers what the gate judges by, inside the claim's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import Connection, and_, bindparam, func, or_, select

from sojourn.delivery import ledger
from sojourn.delivery.gate import CapUse, ConsentFact, GateFacts
from sojourn.delivery.ledger import SendRow
from sojourn.delivery.message import Message, check_headers
from sojourn.delivery.rules import GateRules
from sojourn.errors import NotCaughtUp
from sojourn.store.locks import ROUTER
from sojourn.store.tables import consents, cursors, entries, identifiers, inbound, profiles

# Statements are built once: building one costs more than SQLite takes to answer it.
_ROUTED = select(cursors.c.seq).where(cursors.c.name == ROUTER).scalar_subquery()
_BEHIND = (
    select(inbound.c.seq)
    .join(
        identifiers,
        or_(
            and_(identifiers.c.kind == "user_id", identifiers.c.value == inbound.c.user_id),
            and_(identifiers.c.kind == "anonymous_id", identifiers.c.value == inbound.c.anonymous_id),
        ),
    )
    .where(inbound.c.seq > func.coalesce(_ROUTED, 0), identifiers.c.profile_id.in_(bindparam("people", expanding=True)))
    .limit(1)
)
_BEHIND_INSIDE = (
    select(inbound.c.seq)
    .where(inbound.c.seq > func.coalesce(_ROUTED, 0), inbound.c.profile_id.in_(bindparam("people", expanding=True)))
    .limit(1)
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

    Raises:
        NotCaughtUp: one has not; the claim is to be tried again at once.
    """
    asked = {"people": list(people)}
    if conn.execute(_BEHIND, asked).first() is not None or conn.execute(_BEHIND_INSIDE, asked).first() is not None:
        raise NotCaughtUp("events of this person are acknowledged but not yet routed; try again at once")


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
