"""Asks for the confirmation of a consent that waits for one: `Consent Requested`, at which a journey sends the link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, exists, select, true

from sojourn.customers import consent, profiles
from sojourn.delivery.engagement import Emit, Engagement
from sojourn.store.tables import consents

REQUESTED = "Consent Requested"
AGAIN_AFTER = timedelta(days=1)  # a page that says yes with every visit asks once a day
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


def ask_to_confirm(connection: Connection, emit: Emit, rows: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Append `Consent Requested` for each pending yes that nothing outweighs and that was not asked about within a day.

    Args:
        connection: of a writing transaction in which the rows stand.
        emit: appends it; a row that was asked about before changes nothing.
        rows: of `consents`, pending ones.
        now: the shop's moment.
    """
    for row in rows:
        person, purpose = row["profile_id"], row["purpose"]
        if consent.pending(connection, [person], purpose) is None:
            continue
        before = {"person": person, "purpose": purpose, "besides": row["id"], "since": row["at"] - AGAIN_AFTER, "until": row["at"]}
        standing = consent.latest(connection, [person], purpose)
        if standing is not None:  # a no begins anew: what was asked for before it is over
            before["since"] = max(before["since"], standing.at)
        if connection.execute(_ASKED, before).scalar_one():
            continue
        user_id, anonymous_id = profiles.addressee(connection, person)
        emit(
            connection,
            Engagement(
                message_id=f"consent-requested:{row['id']}",
                name=REQUESTED,
                time=min(row["at"], now),
                profile_id=row["origin_id"] or person,
                user_id=user_id,
                anonymous_id=anonymous_id,
                properties={"purpose": purpose, "source": row["source"]},
            ),
        )
