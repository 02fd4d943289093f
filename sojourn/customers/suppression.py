"""Addresses that must not be written to: kept as a keyed hash, so that the list names nobody.

What each reason stops, the gate decides: a hard bounce, and what a person or an import put on the list, stop everything;
a complaint and an unsubscription stop all but transactional messages. Of several reasons the one that stops most stands.

An address is hashed in its canonical form. Rows of before there was one (`folded`) stand under the folded text as it came:
they are looked for under every spelling that it may have come in, and mean no other address that folds alike.

Beside the list stands which purposes were refused by whoever bore an address (`refuse`): a no to one purpose holds under every user id
that the address is known under, now or later.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Connection, Update, and_, bindparam, delete, func, or_, select, true, union, update

from sojourn.language import email_address
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import address_refusals, suppressions
from sojourn.store.types import Moment

Reason = Literal["unsubscribed", "complaint", "import", "manual", "hard_bounce"]
UNSUBSCRIBED: Reason = "unsubscribed"
STRENGTH: dict[Reason, int] = {UNSUBSCRIBED: 0, "complaint": 1, "import": 2, "manual": 2, "hard_bounce": 2}
PAGE = 1_000
_LISTED = select(suppressions.c.reason, suppressions.c.at).where(suppressions.c.address_hash == bindparam("hashed"))
_FOLDED = select(suppressions.c.reason, suppressions.c.at).where(
    suppressions.c.address_hash.in_(bindparam("hashes", expanding=True)), suppressions.c.folded == true()
)
_REFUSED = select(address_refusals.c.at).where(
    address_refusals.c.address_hash == bindparam("hashed"), address_refusals.c.purpose == bindparam("about")
)
_REFUSED_LATER = (
    update(address_refusals)
    .where(
        address_refusals.c.address_hash == bindparam("hashed"),
        address_refusals.c.purpose == bindparam("about"),
        address_refusals.c.at < bindparam("since", type_=Moment),
    )
    .values(at=bindparam("since", type_=Moment))
)
_KNOWN = select(suppressions.c.address_hash).where(suppressions.c.address_hash.in_(bindparam("hashes", expanding=True)))
_SAID_OF = union(
    _KNOWN, select(address_refusals.c.address_hash).where(address_refusals.c.address_hash.in_(bindparam("hashes", expanding=True)))
)
_AGAIN = (
    update(suppressions)
    .where(suppressions.c.address_hash == bindparam("hashed"))
    .values(reason=bindparam("new"), at=bindparam("since", type_=Moment))
)
_PURPOSE = b"sojourn suppression v1"


def normalise(address: str) -> str:
    """Return an e-mail address as it is compared, however it is spelt; what is none without outer space and in one case."""
    return email_address.canonical(address) or _fold(address)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text.strip()).casefold()


@lru_cache(maxsize=4096)
def _folded(address: str) -> tuple[str, ...]:
    """Return the texts under which the address, in one spelling or another, stood on the list before addresses had one form."""
    texts = {_fold(address), _fold(email_address.wire(address)), _fold(email_address.shown(address))}
    return tuple(sorted(texts - {normalise(address)}))


def address_hash(secret: str, address: str) -> str:
    """Return the keyed hash (HMAC-SHA256, hex) of a normalised address; without the secret it cannot be made or tried."""
    return _hash(secret, normalise(address))


def _hash(secret: str, text: str) -> str:
    return hmac.new(_key(secret), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


@lru_cache(maxsize=4)
def _key(secret: str) -> bytes:
    return hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest()


def suppress(connection: Connection, secret: str, address: str, reason: Reason, at: datetime) -> None:
    """Put an address on the list; of two reasons the one that stops more stands, of two that stop the same the first."""
    suppress_all(connection, secret, [(address, reason, at)])


def suppress_all(connection: Connection, secret: str, listed: Iterable[tuple[str, Reason, datetime]]) -> int:
    """Put addresses on the list, as `suppress` does, and return how many were not on it.

    Args:
        connection: of a writing transaction.
        secret: the key of the list.
        listed: address, reason and since when.
    """
    rows: dict[str, dict[str, Any]] = {}
    for address, reason, at in listed:
        hashed = address_hash(secret, address)
        before = rows.get(hashed)
        if before is None or STRENGTH[reason] > STRENGTH[before["reason"]]:
            rows[hashed] = {"address_hash": hashed, "reason": reason, "at": at}
    known = 0
    for some in chunks(rows, PAGE):
        there = list(connection.execute(_KNOWN, {"hashes": some}).scalars())
        known += len(there)
        insert_new(connection, suppressions, [rows[one] for one in some])
        again = [{"hashed": one, "new": rows[one]["reason"], "since": rows[one]["at"]} for one in there]
        for reason in {one["new"] for one in again}:
            connection.execute(_strengthen(reason), [one for one in again if one["new"] == reason])
    return len(rows) - known


def _strengthen(reason: Reason) -> Update:
    """Return the statement that puts a reason in the place of one that stops less."""
    if reason == UNSUBSCRIBED:  # once more, after a consent in between: it has to outweigh that
        return _AGAIN.where(suppressions.c.reason == UNSUBSCRIBED, suppressions.c.at < bindparam("since", type_=Moment))
    return _AGAIN.where(or_(*(suppressions.c.reason == name for name, strength in STRENGTH.items() if strength < STRENGTH[reason])))


@dataclass(frozen=True)
class Suppressed:
    """An address on the list, of which only the hash is known."""

    address_hash: str
    reason: str
    at: datetime

    @property
    def marketing_only(self) -> bool:
        """Whether transactional messages go on."""
        return self.reason in (UNSUBSCRIBED, "complaint")


def look(connection: Connection, secret: str, address: str) -> Suppressed | None:
    """Return what the list says of an address; None where it is not on it."""
    hashed = address_hash(secret, address)
    row = _strongest(connection, secret, address, hashed)
    return None if row is None else Suppressed(hashed, row.reason, row.at)


def _strongest(connection: Connection, secret: str, address: str, hashed: str) -> Any:
    """Return the row of an address that stops most; of two that stop the same the later."""
    found: list[Any] = list(connection.execute(_LISTED, {"hashed": hashed}))
    if before := _folded(address):
        found += connection.execute(_FOLDED, {"hashes": [_hash(secret, text) for text in before]})
    return max(found, key=lambda row: (STRENGTH.get(row.reason, 2), row.at), default=None)


def on_list(connection: Connection, secret: str, addresses: Iterable[str]) -> frozenset[str]:
    """Return of which of some addresses the list may say anything, or a purpose was refused; `suppressed` tells what."""
    hashed = {address: {_hash(secret, text) for text in (normalise(address), *_folded(address))} for address in addresses}
    there: set[str] = set()
    for some in chunks({one for each in hashed.values() for one in each}, PAGE):
        there.update(connection.execute(_SAID_OF, {"hashes": some}).scalars())
    return frozenset(address for address, each in hashed.items() if each & there)


def listed(connection: Connection, limit: int, reason: str | None = None) -> list[Suppressed]:
    """Return the addresses that came onto the list last, by their hashes."""
    query = select(suppressions).order_by(suppressions.c.at.desc(), suppressions.c.address_hash).limit(limit)
    if reason is not None:
        query = query.where(suppressions.c.reason == reason)
    return [Suppressed(row.address_hash, row.reason, row.at) for row in connection.execute(query)]


def counts(connection: Connection) -> dict[str, int]:
    """Return how many addresses are on the list, by reason."""
    query = select(suppressions.c.reason, func.count()).group_by(suppressions.c.reason).order_by(suppressions.c.reason)
    return {row.reason: row[1] for row in connection.execute(query)}


def refuse(connection: Connection, secret: str, address: str, purpose: str, at: datetime) -> None:
    """Keep that whoever bears an address said no to a purpose; of several the last counts."""
    hashed = address_hash(secret, address)
    insert_new(connection, address_refusals, [{"address_hash": hashed, "purpose": purpose, "at": at}])
    connection.execute(_REFUSED_LATER, {"hashed": hashed, "about": purpose, "since": at})


def suppressed(
    connection: Connection, secret: str, address: str, agreed_at: datetime | None = None, purpose: str | None = None
) -> str | None:
    """Return why an address must not be written to; None where it may.

    Args:
        connection: to the store.
        secret: the key of the list.
        address: the address.
        agreed_at: when its owner last agreed to be written to, by a deed; it outweighs what was refused before, and nothing else.
        purpose: what the message needs consent to.
    """
    hashed = address_hash(secret, address)
    row = _strongest(connection, secret, address, hashed)
    if row is not None and (row.reason != UNSUBSCRIBED or agreed_at is None or row.at >= agreed_at):
        return str(row.reason)
    return UNSUBSCRIBED if purpose is not None and refused(connection, secret, address, purpose, agreed_at) else None


def refused(connection: Connection, secret: str, address: str, purpose: str, agreed_at: datetime | None = None) -> bool:
    """Tell whether whoever bore an address said no to a purpose, and its owner has not agreed since by a deed."""
    at = connection.execute(_REFUSED, {"hashed": address_hash(secret, address), "about": purpose}).scalar_one_or_none()
    return at is not None and (agreed_at is None or at >= agreed_at)


def unsuppress(connection: Connection, secret: str, address: str) -> bool:
    """Take an address off the list, and tell whether it was on it."""
    hashed, before = address_hash(secret, address), [_hash(secret, text) for text in _folded(address)]
    listed_before = and_(suppressions.c.address_hash.in_(before), suppressions.c.folded == true())
    gone = connection.execute(delete(suppressions).where(or_(suppressions.c.address_hash == hashed, listed_before)))
    return gone.rowcount > 0
