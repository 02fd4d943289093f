"""What a notice changes: evidence for the ledger, an event for the log, an address that must not be written to.

A notice counts once, however often, late or out of order it is told (P11): its id is kept. What is told of a
message that we did not hand to this provider changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, select

from sojourn.customers import suppression
from sojourn.delivery import engagement, ledger, machine, sending, settling
from sojourn.delivery.engagement import Emit
from sojourn.delivery.ledger import SendRow, State
from sojourn.delivery.outcomes import Accepted
from sojourn.delivery.unsubscribing import complain, resubscribe, unsubscribe
from sojourn.delivery.webhooks.base import Kind, Notice, key_in
from sojourn.errors import NotFound
from sojourn.metrics import metrics
from sojourn.store.bulk import insert_if_new
from sojourn.store.tables import links, messages, notices, sends

BOUNCE_MAIL = "bounce-mail"  # whoever carried a message away, its bounce may come by mail
_BY_PROVIDER_ID = (
    select(sends.c.key).where(sends.c.provider_message_id == bindparam("sought"), sends.c.provider == bindparam("by")).limit(2)
)
_KNOWN = select(notices.c.id).where(notices.c.provider == bindparam("by"), notices.c.id == bindparam("sought"))
_POSITION = select(links.c.position).where(links.c.send_key == bindparam("sought"), links.c.url == bindparam("leads_to")).limit(1)
_ADDRESS = select(messages.c.to_address).where(messages.c.send_key == bindparam("sought"))
_DOUBTFUL = (State.CLAIMED, State.UNKNOWN, State.ABANDONED, State.PLANNED, State.HELD)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Taken:
    """What came of a post."""

    new: int = 0
    known: int = 0  # told before
    foreign: int = 0  # of messages that are none of ours


def take(conn: Connection, provider: str, told: Sequence[Notice], now: datetime, secret: str, emit: Emit) -> Taken:
    """Take what a provider tells, once.

    Args:
        conn: a writing transaction.
        provider: who tells it.
        told: the notices of one post.
        now: the shop's moment.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        emit: appends events to the log.
    """
    found = [(key, notice) for notice in told if (key := _key(conn, provider, notice)) is not None]
    foreign = len(told) - len(found)
    new = sum(_take_one(conn, provider, key, notice, now, secret, emit) for key, notice in sorted(found, key=lambda pair: pair[0]))
    return Taken(new, len(found) - new, foreign)


def _take_one(conn: Connection, provider: str, key: str, notice: Notice, now: datetime, secret: str, emit: Emit) -> bool:
    send = ledger.load(conn, key)
    at = min(notice.at or now, now)
    event_id = hashlib.sha256(f"{provider}:{notice.id}".encode()).hexdigest()
    detail: dict[str, Any] = {"code": notice.code} if notice.code else {}
    if notice.kind is Kind.BOUNCED:
        detail["bounce"] = "hard" if notice.hard else "soft"
    row = {"provider": provider, "id": event_id, "send_key": key, "kind": notice.kind.value, "at": at, "received_at": now, "detail": detail}
    if notice.token is not None:
        known = conn.execute(_KNOWN, {"by": provider, "sought": event_id}).first() is not None
        token_id = hashlib.sha256(f"{provider}:token:{notice.token}".encode()).hexdigest()
        if known or not insert_if_new(conn, notices, {**row, "id": token_id, "kind": "token", "detail": {}}):
            return False
    if not insert_if_new(conn, notices, row):
        return False
    metrics().notices.labels(provider, notice.kind.value).inc()
    if notice.kind in (Kind.OPENED, Kind.CLICKED):
        _engaged(conn, send, notice, at)
        return True
    _accept(conn, send, notice, at)
    _act(conn, send, notice, event_id, at, now, secret, emit, detail)
    return True


def _key(conn: Connection, provider: str, notice: Notice) -> str | None:
    """Return the send that a notice is of: the key that came back, else what the provider calls the message."""
    key = notice.send_key or key_in(notice.message_id)
    if key is None and notice.message_id:
        by_id = conn.execute(_BY_PROVIDER_ID, {"sought": notice.message_id, "by": provider}).scalars().all()
        key = by_id[0] if len(by_id) == 1 else None
    if key is None:
        return None
    try:
        send = ledger.look(conn, key)
    except NotFound:
        return None
    if send.attempts == 0 or (provider not in (send.provider, BOUNCE_MAIL)):
        log.warning("a provider tells of a message that another one was given", provider=provider, send_key=key)
        return None
    if notice.addresses:
        address = conn.execute(_ADDRESS, {"sought": key}).scalar_one_or_none()
        if address is None or suppression.normalise(address) not in map(suppression.normalise, notice.addresses):
            log.warning("a bounce names another address than the one that we wrote to", provider=provider, send_key=key)
            return None
    return key


def _accept(conn: Connection, send: SendRow, notice: Notice, at: datetime) -> None:
    """Whoever tells of a message has it: the evidence that an answer lost on the way would have been."""
    if send.state in _DOUBTFUL:
        moment = max(at, send.claimed_at) if send.claimed_at else at
        sending.settle(conn, send.key, Accepted(send.provider_message_id or notice.message_id), moment)
    elif send.state is not State.ACCEPTED:
        log.error("a message that the ledger holds for unsent was accepted", send_key=send.key, state=send.state.value)
        metrics().late_evidence.labels(send.provider or "").inc()


def _engaged(conn: Connection, send: SendRow, notice: Notice, at: datetime) -> None:
    """Keep an open or a click among those that we hear of ourselves: a burst of robots shows across both."""
    agent = (notice.agent or "")[: machine.MAX_AGENT].strip()
    because = notice.robot or (machine.by_agent(agent) if agent else None)  # a provider that passes none on says nothing by it
    kind = settling.CLICK if notice.kind is Kind.CLICKED else settling.OPEN
    position = None
    if notice.url:
        position = conn.execute(_POSITION, {"sought": send.key, "leads_to": notice.url}).scalar_one_or_none()
    settling.note(conn, send.key, kind, at, because, position)


def _act(
    conn: Connection,
    send: SendRow,
    notice: Notice,
    event_id: str,
    at: datetime,
    now: datetime,
    secret: str,
    emit: Emit,
    detail: dict[str, Any],
) -> None:
    name = {
        Kind.DELIVERED: engagement.DELIVERED,
        Kind.BOUNCED: engagement.BOUNCED,
        Kind.DROPPED: engagement.BOUNCED,
        Kind.COMPLAINED: engagement.COMPLAINED,
    }.get(notice.kind)
    if notice.kind is Kind.BOUNCED and notice.hard:
        _suppress(conn, send.key, secret, "hard_bounce", now)
    if notice.kind is Kind.COMPLAINED:
        _suppress(conn, send.key, secret, "complaint", now)
        complain(conn, send.key, at, f"{notice.kind}:{event_id}", secret)
    if notice.kind is Kind.UNSUBSCRIBED:
        unsubscribe(conn, send.key, at, secret, emit)
    if notice.kind is Kind.RESUBSCRIBED:
        resubscribe(conn, send.key, at, f"{notice.kind}:{event_id}", emit)
    if name is None:
        return
    properties = {"code": detail["code"]} if "code" in detail else {}
    if name == engagement.BOUNCED:
        properties["bounce"] = detail.get("bounce", "dropped")
    if name == engagement.COMPLAINED:
        properties["purpose"] = send.purpose
    message_id = f"delivered:{send.key}" if name == engagement.DELIVERED else f"{notice.kind}:{event_id}"
    emit(conn, engagement.engagement(conn, send.key, name, message_id, at, properties))


def _suppress(conn: Connection, key: str, secret: str, reason: suppression.Reason, now: datetime) -> None:
    address = conn.execute(_ADDRESS, {"sought": key}).scalar_one_or_none()
    if address:
        suppression.suppress(conn, secret, address, reason, now)
