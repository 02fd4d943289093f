"""Addresses that must not be written to: kept as a keyed hash, so that the list names nobody.

What each reason stops, the gate decides: a hard bounce, and what a person or an import put on the list, stop everything;
a complaint and an unsubscription stop all but transactional messages. Of several reasons the one that stops most stands.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Update, bindparam, delete, func, or_, select, update

from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import suppressions
from sojourn.store.types import Moment

Reason = Literal["unsubscribed", "complaint", "import", "manual", "hard_bounce"]
UNSUBSCRIBED: Reason = "unsubscribed"
STRENGTH: dict[Reason, int] = {UNSUBSCRIBED: 0, "complaint": 1, "import": 2, "manual": 2, "hard_bounce": 2}
PAGE = 1_000
_LISTED = select(suppressions.c.reason, suppressions.c.at).where(suppressions.c.address_hash == bindparam("hashed"))
_KNOWN = select(suppressions.c.address_hash).where(suppressions.c.address_hash.in_(bindparam("hashes", expanding=True)))
_AGAIN = (
    update(suppressions)
    .where(suppressions.c.address_hash == bindparam("hashed"))
    .values(reason=bindparam("new"), at=bindparam("since", type_=Moment))
)
_PURPOSE = b"sojourn suppression v1"


def normalise(address: str) -> str:
    """Return an e-mail address as it is compared: without outer space, in one Unicode form and one case."""
    return unicodedata.normalize("NFKC", address.strip()).casefold()


def address_hash(secret: str, address: str) -> str:
    """Return the keyed hash (HMAC-SHA256, hex) of a normalised address; without the secret it cannot be made or tried."""
    key = hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest()
    return hmac.new(key, normalise(address).encode(), hashlib.sha256).hexdigest()


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
    row = connection.execute(_LISTED, {"hashed": hashed}).one_or_none()
    return None if row is None else Suppressed(hashed, row.reason, row.at)


def on_list(connection: Connection, secret: str, addresses: Iterable[str]) -> frozenset[str]:
    """Return which of some addresses the list says anything of."""
    hashed = {address: address_hash(secret, address) for address in addresses}
    there: set[str] = set()
    for some in chunks(set(hashed.values()), PAGE):
        there.update(connection.execute(_KNOWN, {"hashes": some}).scalars())
    return frozenset(address for address, one in hashed.items() if one in there)


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


def suppressed(connection: Connection, secret: str, address: str, agreed_at: datetime | None = None) -> str | None:
    """Return why an address must not be written to; None where it may.

    Args:
        connection: to the store.
        secret: the key of the list.
        address: the address.
        agreed_at: when its owner last agreed to be written to; it outweighs an earlier unsubscription, and nothing else.
    """
    row = connection.execute(_LISTED, {"hashed": address_hash(secret, address)}).one_or_none()
    if row is None or (row.reason == UNSUBSCRIBED and agreed_at is not None and row.at < agreed_at):
        return None
    return str(row.reason)


def unsuppress(connection: Connection, secret: str, address: str) -> bool:
    """Take an address off the list, and tell whether it was on it."""
    gone = connection.execute(delete(suppressions).where(suppressions.c.address_hash == address_hash(secret, address)))
    return gone.rowcount > 0
