"""Asks for the confirmation of a consent that waits for one: `Consent Requested`, at which a journey sends the link."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, exists, select, true

from sojourn.customers import consent, profiles
from sojourn.delivery.engagement import Emit, Engagement
from sojourn.intake.agreeing import Asked
from sojourn.store.tables import consents

REQUESTED = "Consent Requested"
AGAIN_AFTER = timedelta(days=1)  # a form that is filled in again and again asks once a day
_ASKED = select(
    exists().where(
        consents.c.profile_id == bindparam("person"),
        consents.c.purpose == bindparam("purpose"),
        consents.c.pending == true(),
        consents.c.id != bindparam("besides"),
        consents.c.at > bindparam("since"),
        consents.c.at <= bindparam("until"),
    )
)


def ask_to_confirm(connection: Connection, emit: Emit, asked: Iterable[Asked], now: datetime) -> None:
    """Append `Consent Requested` for each yes that waits: of a form once a day, of a state once and not again before the next deed.

    Args:
        connection: of a writing transaction in which the rows stand.
        emit: appends it; a row that was asked about before changes nothing.
        asked: what waits from now on.
        now: the shop's moment.
    """
    for each in asked:
        word, person = each.word, each.profile_id
        if consent.pending(connection, [person], word.purpose) is None:
            continue
        if word.own and _asked_today(connection, each):
            continue
        cause = word.id if word.own or each.deed is None else f"{word.id}:{each.deed.id}"
        user_id, anonymous_id = profiles.addressee(connection, person)
        emit(
            connection,
            Engagement(
                message_id=f"consent-requested:{cause}",
                name=REQUESTED,
                time=min(word.at, now),
                profile_id=each.origin_id,
                user_id=user_id,
                anonymous_id=anonymous_id,
                properties={"purpose": word.purpose, "source": word.source},
            ),
        )


def _asked_today(connection: Connection, each: Asked) -> bool:
    word = each.word
    since = word.at - AGAIN_AFTER
    if each.deed is not None:  # a no begins anew: what was asked for before it is over
        since = max(since, each.deed.last)
    before = {"person": each.profile_id, "purpose": word.purpose, "besides": word.id, "since": since, "until": word.at}
    return bool(connection.execute(_ASKED, before).scalar_one())
