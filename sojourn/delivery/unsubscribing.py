"""What readers do to a consent with a message in their hands, in one transaction: unsubscribe, complain, subscribe again."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from sojourn.customers import consent, profiles, suppression
from sojourn.customers.consent import Said
from sojourn.customers.preferences import TOPIC_PREFIX
from sojourn.delivery import engagement, ledger
from sojourn.delivery.engagement import Emit
from sojourn.language.shop import TRANSACTIONAL
from sojourn.store.tables import messages
from sojourn.store.types import to_micros


def unsubscribe(conn: Connection, send_key: str, at: datetime, secret: str, emit: Emit) -> None:
    """Withdraw the consent that a message stood on, for good; a second time changes nothing.

    Args:
        conn: a writing transaction.
        send_key: the message whose link was used.
        at: when the reader did it.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        emit: appends `Unsubscribed`.

    Raises:
        NotFound: there is no such send.
    """
    send = ledger.load(conn, send_key)
    person = profiles.canonical(conn, send.profile_id)
    address = _address(conn, send_key)
    if address:
        suppression.suppress(conn, secret, address, "unsubscribed", at)
        suppression.refuse(conn, secret, address, send.purpose, at)
    standing = consent.stand(conn, [person], send.purpose)
    deed = standing.deed
    if deed is not None and not deed.granted:  # a form that was filled in between the two may yet be told
        consent.said_again(conn, deed.id, at)
        return
    # A consent given again after an unsubscribe can be withdrawn by the same link: so the id names the deed that it follows.
    before = deed or standing.word
    message_id = f"unsubscribed:{send_key}" + (f":{before.id}" if before is not None else "")
    if deed is not None and deed.at > at:  # told late: it withdraws nothing, and must not stand in the way of one that does
        message_id += f":{to_micros(at)}"
    # The source that intake gives the event's own word: they are one row.
    said = Said(send.purpose, granted=False, source=f"event {engagement.UNSUBSCRIBED}", own=True)
    consent.record(conn, person, said, at, message_id, profiles.origin(conn, person, send.entry_id))
    emit(conn, engagement.engagement(conn, send_key, engagement.UNSUBSCRIBED, message_id, at, {"purpose": send.purpose}))


def complain(conn: Connection, send_key: str, at: datetime, because: str, secret: str) -> None:
    """Withdraw the consent that a message stood on, and all others of its reader: who marks mail as spam wants no more of any kind.

    Args:
        conn: a writing transaction.
        send_key: the message.
        at: when the reader did it.
        because: the id of the event that tells of it.
        secret: SOJOURN_SECRET_KEY, under which addresses are kept that refused.

    Raises:
        NotFound: there is no such send.
    """
    send = ledger.load(conn, send_key)
    person, address = profiles.canonical(conn, send.profile_id), _address(conn, send_key)
    origin = profiles.origin(conn, person, send.entry_id)
    for purpose in sorted({send.purpose, *consent.standings_of(conn, [person])} - {TRANSACTIONAL}):
        if purpose.startswith(TOPIC_PREFIX):
            continue
        # The source that intake gives the event's own word: of the message's purpose they are one row.
        consent.record(conn, person, Said(purpose, granted=False, source=consent.COMPLAINT, own=True), at, because, origin)
        if address:
            suppression.refuse(conn, secret, address, purpose, at)


def resubscribe(conn: Connection, send_key: str, at: datetime, because: str, emit: Emit) -> None:
    """Keep that a reader subscribed again to what a message stood on, on a page behind a link that only its mailbox has.

    Args:
        conn: a writing transaction.
        send_key: the message.
        at: when the reader did it.
        because: the id of the event that tells of it.
        emit: appends `Subscribed`.

    Raises:
        NotFound: there is no such send.
    """
    send = ledger.load(conn, send_key)
    if send.purpose == TRANSACTIONAL:
        return
    person = profiles.canonical(conn, send.profile_id)
    said = Said(send.purpose, granted=True, source=f"event {consent.SUBSCRIBED}", own=True)
    consent.record(conn, person, said, at, because, profiles.origin(conn, person, send.entry_id))
    emit(conn, engagement.engagement(conn, send_key, consent.SUBSCRIBED, because, at, {"purpose": send.purpose, "source": "provider"}))


def _address(conn: Connection, send_key: str) -> str | None:
    return conn.execute(select(messages.c.to_address).where(messages.c.send_key == send_key)).scalar_one_or_none() or None
