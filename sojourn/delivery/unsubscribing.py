"""What an unsubscribe does, in one transaction: consent is withdrawn, the address suppressed, the event told."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from sojourn.customers import consent, profiles, suppression
from sojourn.customers.consent import Said
from sojourn.delivery import engagement, ledger
from sojourn.delivery.engagement import Emit
from sojourn.store.tables import messages


def unsubscribe(conn: Connection, send_key: str, now: datetime, secret: str, emit: Emit) -> None:
    """Withdraw the consent that a message stood on, for good; a second time changes nothing.

    Args:
        conn: a writing transaction.
        send_key: the message whose link was used.
        now: the shop's moment.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        emit: appends `Unsubscribed`.

    Raises:
        NotFound: there is no such send.
    """
    send = ledger.load(conn, send_key)
    person = profiles.canonical(conn, send.profile_id)
    standing = consent.standing(conn, person, send.purpose)
    if standing is not None and not standing.granted:
        return
    # A consent given again after an unsubscribe can be withdrawn by the same link: so the id names the consent that ends.
    message_id = f"unsubscribed:{send_key}" + (f":{standing.id}" if standing is not None else "")
    # The source that intake gives the event's own word: they are one row.
    said = Said(send.purpose, granted=False, source=f"event {engagement.UNSUBSCRIBED}")
    consent.record(conn, person, said, now, message_id, profiles.origin(conn, person, send.entry_id))
    address = conn.execute(select(messages.c.to_address).where(messages.c.send_key == send_key)).scalar_one_or_none()
    if address:
        suppression.suppress(conn, secret, address, "unsubscribed", now)
    emit(conn, engagement.engagement(conn, send_key, engagement.UNSUBSCRIBED, message_id, now, {"purpose": send.purpose}))
