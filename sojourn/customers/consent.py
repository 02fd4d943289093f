"""Who agreed to what: the words that are kept, and how they are read. Which of them stands, `consent_standing` decides.

Every deed is a row. Of a state, however often it is repeated, there is a row of yes and one of no for whatever repeats it, each
with since when and until when it was said.

Where a purpose asks for double opt-in, a yes is pending: it is no yes until its owner has confirmed it by a link in a
message, which makes a row of its own. A pending yes takes nothing back: who has confirmed once stays confirmed.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeGuard
from typing import cast as typed
from uuid import UUID

from sqlalchemy import Connection, Insert, bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sojourn.customers.consent_standing import UNDATED, Consent, Standing, standing_of
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.ids import uuid5_text, uuid_beside
from sojourn.store.tables import consents
from sojourn.store.types import Moment

SUBSCRIBED, UNSUBSCRIBED, COMPLAINED = "Subscribed", "Unsubscribed", "Email Marked as Spam"
DEFAULT_PURPOSE = "marketing"
CONSENT_TRAIT = "consent"
MAX_PURPOSE = 64
MAX_WORDING = 64
MAX_SOURCE = 200
MAX_WORDS = 500  # of a person about a purpose, the latest
CONFIRMED = "confirmed by link"
COMPLAINT = "complaint"
IDENTIFY, BANNER = "identify", "context.consent"
STATES = frozenset({IDENTIFY, BANNER})  # sources of states; every other word of a reader is a deed
IMPORTED = "imported"  # in the context of what an import says; no call from outside can set it
IMPORT = "import"
_NAMESPACE = UUID("0d4a0c8e-5a2e-5d1e-8d0b-636f6e73656e")
_HEAD = 19  # characters of a UUID before its variant

# Statements are built once: building one costs more than SQLite takes to answer it.
_FIELDS = (
    consents.c.profile_id, consents.c.id, consents.c.purpose, consents.c.granted, consents.c.at, consents.c.source, consents.c.wording,
    consents.c.own, consents.c.pending, consents.c.stream, consents.c.again_at,
)  # fmt: skip
_WORDS = (
    select(*_FIELDS)
    .where(
        consents.c.profile_id.in_(bindparam("people", expanding=True)),
        consents.c.purpose.in_(bindparam("purposes", expanding=True)),
    )
    .order_by(consents.c.at.desc())
    .limit(MAX_WORDS)
)
_PLACE = func.row_number().over(partition_by=[consents.c.profile_id, consents.c.purpose], order_by=consents.c.at.desc())
_NUMBERED = select(*_FIELDS, _PLACE.label("n")).where(consents.c.profile_id.in_(bindparam("people", expanding=True))).subquery()
_ALL = select(*(_NUMBERED.c[column.name] for column in _FIELDS)).where(_NUMBERED.c.n <= MAX_WORDS)


_AGAIN = (
    update(consents)
    .where(consents.c.id == bindparam("kept"), func.coalesce(consents.c.again_at, consents.c.at) < bindparam("last", type_=Moment))
    .values(again_at=bindparam("last", type_=Moment))
)


@dataclass(frozen=True)
class Said:
    """What an event says about one purpose.

    Attributes:
        purpose: what it is about.
        granted: yes or no.
        source: where it was said.
        wording: the version of the text that was agreed to.
        own: it is a deed of the reader; else a state.
        stream: of a state, what repeats it, where that is not its source.
    """

    purpose: str
    granted: bool
    source: str
    wording: str | None = None
    own: bool = False
    stream: str | None = None


def standing(connection: Connection, profile_id: str, purpose: str) -> Consent | None:
    """Return the consent that stands for a purpose; None where nothing was ever said that counts."""
    return latest(connection, [profile_id], purpose)


def latest(connection: Connection, people: Sequence[str], purpose: str) -> Consent | None:
    """Return the word about a purpose that stands among those under any of a person's profile ids; None where none does."""
    return stand(connection, people, purpose).word


def stand(connection: Connection, people: Sequence[str], purpose: str) -> Standing:
    """Return how a person's consent to a purpose stands.

    Args:
        connection: to the store.
        people: all their profile ids.
        purpose: the purpose.
    """
    return _read(connection, people, [purpose])[purpose]


def latest_of_two(connection: Connection, people: Sequence[str], purpose: str, other: str) -> tuple[Consent | None, Consent | None]:
    """Return the standing words about two purposes, as `latest` does, in one question to the store."""
    found = _read(connection, people, [purpose, other])
    return found[purpose].word, found[other].word


def pending(connection: Connection, people: Sequence[str], purpose: str) -> Consent | None:
    """Return the yes that waits to be confirmed; None where none does, since one was confirmed or a no came later."""
    return stand(connection, people, purpose).waits


def _read(connection: Connection, people: Sequence[str], purposes: Sequence[str]) -> dict[str, Standing]:
    words: dict[str, list[Consent]] = {purpose: [] for purpose in purposes}
    for row in connection.execute(_WORDS, {"people": list(people), "purposes": list(purposes)}):
        words[row.purpose].append(word_of(row))
    return {purpose: standing_of(said) for purpose, said in words.items()}


def words_of(connection: Connection, people: Collection[str]) -> dict[tuple[str, str], list[Consent]]:
    """Return all that people said, by profile id and purpose."""
    found: dict[tuple[str, str], list[Consent]] = defaultdict(list)
    for some in chunks(people):
        for row in connection.execute(_ALL, {"people": some}):
            found[row.profile_id, row.purpose].append(word_of(row))
    return found


def standings(connection: Connection, people: Collection[str]) -> dict[tuple[str, str], Standing]:
    """Return how the consents of people stand, by profile id and purpose."""
    return {key: standing_of(said) for key, said in words_of(connection, people).items()}


def standings_of(connection: Connection, people: Collection[str]) -> dict[str, Standing]:
    """Return how one person's consents stand, by purpose; `people` are all their profile ids."""
    words: dict[str, list[Consent]] = defaultdict(list)
    for (_, purpose), said in words_of(connection, people).items():
        words[purpose] += said
    return {purpose: standing_of(words[purpose]) for purpose in sorted(words)}


def word_of(row: Any) -> Consent:
    """Return a row of `consents`."""
    return Consent(row.id, row.purpose, row.granted, row.at, row.source, row.wording, row.own, row.pending, row.stream, row.again_at)


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
    """Keep rows made by `consent_row`: a deed that is kept already is left as it is, of a state its first and last moment are kept."""
    insert_new(connection, consents, [row for row in rows if row["again_at"] is None])
    if states := [row for row in rows if row["again_at"] is not None]:
        connection.execute(_repeat(connection.dialect.name), states)


def said_again(connection: Connection, consent_id: str, at: datetime) -> None:
    """Keep that a deed was done once more, such as a second click on an unsubscribe link."""
    connection.execute(_AGAIN, {"kept": consent_id, "last": at})


@cache
def _repeat(dialect: str) -> Insert:
    made: Any = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(consents)
    new, kept = made.excluded, consents.c
    return typed(
        Insert,
        made.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "at": case((new.at < kept.at, new.at), else_=kept.at),
                "again_at": case((new.again_at > func.coalesce(kept.again_at, kept.at), new.again_at), else_=kept.again_at),
            },
            where=(new.at < kept.at) | (new.again_at > func.coalesce(kept.again_at, kept.at)),
        ),
    )


def consent_row(
    profile_id: str, said: Said, at: datetime, because_of: str, origin_id: str | None = None, *, pending: bool = False
) -> dict[str, Any]:
    """Return a row of `consents`. A repeat is the same row: a deed's id follows from what it was said by, a state's from what repeats it.

    One that is pending is no yes yet.
    """
    source = said.source[:MAX_SOURCE]
    if said.own:
        id_ = uuid_beside(_NAMESPACE, because_of, f"{said.source}:{said.granted}:{said.purpose}")
    else:
        id_ = _state_id(origin_id or profile_id, f"{said.stream or source}:{said.granted}:{pending}:{said.purpose}")
    return {
        "id": id_, "profile_id": profile_id, "origin_id": origin_id, "purpose": said.purpose, "granted": said.granted and not pending,
        "pending": pending, "wording": said.wording, "source": source, "at": at, "own": said.own, "stream": said.stream,
        "again_at": None if said.own else at,
    }  # fmt: skip


def _state_id(profile_id: str, what: str) -> str:
    """Return the id of a state's row: beside its profile's in the index, so that an import writes both in order."""
    name = f"{profile_id}:{what}"
    if len(profile_id) != 36 or profile_id[_HEAD - 1] != "-":  # a UUID, but in tests
        return uuid5_text(_NAMESPACE, name)
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{profile_id[:_HEAD]}{profile_id[_HEAD]}{digest[:3]}-{digest[3:15]}"


def said_by(
    kind: str,
    name: str,
    traits: Mapping[str, Any],
    properties: Mapping[str, Any],
    context: Mapping[str, Any],
    anonymous_id: str | None = None,
    *,
    inside: bool = False,
) -> list[Said]:
    """Return what an event says about consent.

    `Subscribed` and `Unsubscribed` are deeds, and speak for the purpose in their property `purpose`; so does a complaint that a provider
    told (`inside`: it comes from Sojourn itself). States are the trait `consent: {marketing: true}` of an identify, and
    `context.consent.categoryPreferences` of any call, which each browser repeats
    by itself. In an import a yes without a date is a state of which nobody knows when it was said.
    """
    found = []
    imported = context.get(IMPORTED)
    undated = imported is not None and not imported.get("dated")
    if kind == "track" and (name in (SUBSCRIBED, UNSUBSCRIBED) or (inside and name == COMPLAINED)):
        purpose, wording = properties.get("purpose"), properties.get("wording")
        granted = name == SUBSCRIBED
        found.append(
            Said(
                purpose if _is_purpose(purpose) else DEFAULT_PURPOSE,
                granted,
                COMPLAINT if name == COMPLAINED else f"event {name}",
                wording[:MAX_WORDING] if isinstance(wording, str) else None,
                own=not (granted and undated),
                stream=UNDATED if granted and undated else None,
            )
        )
    preferences = context.get("consent", {}).get("categoryPreferences", {})
    browser = f"{BANNER}:{hashlib.sha256(anonymous_id.encode()).hexdigest()[:12]}" if preferences and anonymous_id else None
    column = IMPORT if imported is not None and imported.get("column") else None
    for source, given, stream in ((IDENTIFY, traits.get(CONSENT_TRAIT), column), (BANNER, preferences, browser)):
        if isinstance(given, Mapping):
            for purpose, yes in given.items():
                if _is_purpose(purpose) and isinstance(yes, bool):
                    found.append(Said(purpose, yes, source, stream=UNDATED if yes and undated else stream))
    return found


def _is_purpose(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= MAX_PURPOSE


__all__ = [
    "CONFIRMED",
    "CONSENT_TRAIT",
    "DEFAULT_PURPOSE",
    "SUBSCRIBED",
    "UNSUBSCRIBED",
    "Consent",
    "Said",
    "Standing",
    "consent_row",
    "latest",
    "latest_of_two",
    "pending",
    "record",
    "record_all",
    "said_by",
    "stand",
    "standing",
    "standing_of",
    "standings",
    "standings_of",
]
