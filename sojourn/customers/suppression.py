"""Addresses that must not be written to: kept as a keyed hash, so that the list names nobody."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, bindparam, delete, select

from sojourn.store.bulk import insert_new
from sojourn.store.tables import suppressions

Reason = Literal["unsubscribed", "hard_bounce", "complaint", "manual"]
_LISTED = select(suppressions.c.reason, suppressions.c.at).where(suppressions.c.address_hash == bindparam("hashed"))
_PURPOSE = b"sojourn suppression v1"


def normalise(address: str) -> str:
    """Return an e-mail address as it is compared: without outer space, in one Unicode form and one case."""
    return unicodedata.normalize("NFKC", address.strip()).casefold()


def address_hash(secret: str, address: str) -> str:
    """Return the keyed hash (HMAC-SHA256, hex) of a normalised address; without the secret it cannot be made or tried."""
    key = hmac.new(secret.encode(), _PURPOSE, hashlib.sha256).digest()
    return hmac.new(key, normalise(address).encode(), hashlib.sha256).hexdigest()


def suppress(connection: Connection, secret: str, address: str, reason: Reason, at: datetime) -> None:
    """Put an address on the list; the first reason stands."""
    insert_new(connection, suppressions, [{"address_hash": address_hash(secret, address), "reason": reason, "at": at}])


def suppressed(connection: Connection, secret: str, address: str, agreed_at: datetime | None = None) -> str | None:
    """Return why an address must not be written to; None where it may.

    Args:
        connection: to the store.
        secret: the key of the list.
        address: the address.
        agreed_at: when its owner last agreed to be written to; it outweighs an earlier unsubscription, and nothing else.
    """
    row = connection.execute(_LISTED, {"hashed": address_hash(secret, address)}).one_or_none()
    if row is None or (row.reason == "unsubscribed" and agreed_at is not None and row.at < agreed_at):
        return None
    return str(row.reason)


def unsuppress(connection: Connection, secret: str, address: str) -> None:
    """Take an address off the list."""
    connection.execute(delete(suppressions).where(suppressions.c.address_hash == address_hash(secret, address)))
