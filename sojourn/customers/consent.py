"""Who agreed to what: every word of it is kept, and the latest by the time it was said stands.

Of a yes and a no said at the same moment the no stands: someone who unsubscribes on a page whose
banner still says yes has unsubscribed.

Where a purpose asks for double opt-in, a yes is pending: it is no yes until its owner has confirmed it by a link in a
message, which makes a row of its own. A pending yes takes nothing back: who has confirmed once stays confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, false, select, true, union_all

from sojourn.store.bulk import insert_new
from sojourn.store.ids import uuid_beside
from sojourn.store.tables import consents

SUBSCRIBED, UNSUBSCRIBED = "Subscribed", "Unsubscribed"
DEFAULT_PURPOSE = "marketing"
CONSENT_TRAIT = "consent"
MAX_PURPOSE = 64
MAX_WORDING = 64
MAX_SOURCE = 200
CONFIRMED = "confirmed by link"
_NAMESPACE = UUID("0d4a0c8e-5a2e-5d1e-8d0b-636f6e73656e")

# Statements are built once: building one costs more than SQLite takes to answer it.
_WORDS = (
    select(consents.c.id, consents.c.purpose, consents.c.granted, consents.c.at, consents.c.source, consents.c.wording)
    .where(consents.c.profile_id.in_(bindparam("people", expanding=True)), consents.c.purpose == bindparam("purpose"))
    .limit(1)
)
# Of two words at one moment, the no.
_STANDING = _WORDS.where(consents.c.pending == false()).order_by(consents.c.at.desc(), consents.c.granted, consents.c.id.desc())
_OTHER = (  # beside the first: a statement has each parameter once
    select(consents.c.id, consents.c.purpose, consents.c.granted, consents.c.at, consents.c.source, consents.c.wording)
    .where(
        consents.c.profile_id.in_(bindparam("people", expanding=True)),
        consents.c.purpose == bindparam("other"),
        consents.c.pending == false(),
    )
    .order_by(consents.c.at.desc(), consents.c.granted, consents.c.id.desc())
    .limit(1)
)
_TWO = union_all(select(_STANDING.subquery()), select(_OTHER.subquery()))
_PENDING = _WORDS.where(consents.c.pending == true()).order_by(consents.c.at.desc(), consents.c.id.desc())


@dataclass(frozen=True)
class Consent:
    """A row of consent: what a send stands on, or falls by."""

    id: str
    purpose: str
    granted: bool
    at: datetime
    source: str
    wording: str | None = None


@dataclass(frozen=True)
class Said:
    """What an event says about one purpose."""

    purpose: str
    granted: bool
    source: str
    wording: str | None = None


def standing(connection: Connection, profile_id: str, purpose: str) -> Consent | None:
    """Return the consent that stands for a purpose; None where nothing was ever said that counts."""
    return latest(connection, [profile_id], purpose)


def latest(connection: Connection, people: Sequence[str], purpose: str) -> Consent | None:
    """Return the latest word about a purpose under any of a person's profile ids, pending ones aside; None where there is none."""
    return _one(connection, _STANDING, people, purpose)


def latest_of_two(connection: Connection, people: Sequence[str], purpose: str, other: str) -> tuple[Consent | None, Consent | None]:
    """Return the latest words about two purposes, as `latest` does, in one question to the store."""
    asked = {"people": list(people), "purpose": purpose, "other": other}
    found = {row.purpose: Consent(*row) for row in connection.execute(_TWO, asked)}
    return found.get(purpose), found.get(other)


def pending(connection: Connection, people: Sequence[str], purpose: str) -> Consent | None:
    """Return the yes that waits to be confirmed; None where none does, since one was confirmed or a no came later."""
    stands, waits = latest(connection, people, purpose), _one(connection, _PENDING, people, purpose)
    if waits is None or (stands is not None and (stands.granted or stands.at >= waits.at)):
        return None
    return waits


def _one(connection: Connection, query: Select[Any], people: Sequence[str], purpose: str) -> Consent | None:
    row = connection.execute(query, {"people": list(people), "purpose": purpose}).one_or_none()
    return None if row is None else Consent(row.id, row.purpose, row.granted, row.at, row.source, row.wording)


def record(connection: Connection, profile_id: str, said: Said, at: datetime, because_of: str, origin_id: str | None = None) -> str:
    """Keep a yes or a no, and return its row's id.

    Args:
        connection: of a writing transaction.
        profile_id: the canonical profile.
        said: what was said.
        at: when.
        because_of: what it was said by, such as a message id; the same one twice is kept once.
        origin_id: whose word it would be without any merge, where that is another.
    """
    row = consent_row(profile_id, said, at, because_of, None if origin_id == profile_id else origin_id)
    record_all(connection, [row])
    return str(row["id"])


def record_all(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Keep rows made by `consent_row`; one already kept is left as it is."""
    insert_new(connection, consents, rows)


def consent_row(
    profile_id: str, said: Said, at: datetime, because_of: str, origin_id: str | None = None, *, pending: bool = False
) -> dict[str, Any]:
    """Return a row of `consents`; its id follows from what was said and by what, so that a repeat is the same row.

    One that is pending is no yes yet.
    """
    return {
        "id": uuid_beside(_NAMESPACE, because_of, f"{said.source}:{said.granted}:{said.purpose}"),
        "profile_id": profile_id, "origin_id": origin_id, "purpose": said.purpose,
        "granted": said.granted and not pending, "pending": pending, "wording": said.wording, "source": said.source[:MAX_SOURCE], "at": at,
    }  # fmt: skip


def said_by(kind: str, name: str, traits: Mapping[str, Any], properties: Mapping[str, Any], context: Mapping[str, Any]) -> list[Said]:
    """Return what an event says about consent.

    `Subscribed` and `Unsubscribed` speak for the purpose in their property `purpose`; an identify by its trait
    `consent: {marketing: true}`; any call by `context.consent.categoryPreferences`.
    """
    found = []
    wording = properties.get("wording")
    worded = wording[:MAX_WORDING] if isinstance(wording, str) else None
    if kind == "track" and name in (SUBSCRIBED, UNSUBSCRIBED):
        purpose = properties.get("purpose")
        found.append(Said(purpose if _is_purpose(purpose) else DEFAULT_PURPOSE, name == SUBSCRIBED, f"event {name}", worded))
    preferences = context.get("consent", {}).get("categoryPreferences", {})
    for source, given in (("identify", traits.get(CONSENT_TRAIT)), ("context.consent", preferences)):
        if isinstance(given, Mapping):
            found.extend(Said(p, yes, source) for p, yes in given.items() if _is_purpose(p) and isinstance(yes, bool))
    return found


def _is_purpose(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_PURPOSE
