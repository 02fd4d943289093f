"""What a store knows of itself: who it is, what it was restored from, and how it fits Temporal.

Its name goes into the memo of each workflow that it starts. Two stores may share a Temporal namespace, and none may end
what it does not know of unless it is sure that it was the one that began it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, delete, insert, select, update

from sojourn.store.bulk import insert_if_new
from sojourn.store.tables import store_facts

IDENTITY = "identity"
BACKED_UP = "backed_up"  # stands in a copy only
RESTORED = "restored"
MOMENTS = ("backed_up", "at", "shop_backed_up", "shop_at")  # of a restore
FIT = "fit"  # how running entries and open workflows fit


@dataclass(frozen=True)
class Restored:
    """What is known of the last restore.

    Attributes:
        backed_up: the (real) moment of the backup: what happened later the store does not know.
        at: the (real) moment of the restore: what happens later it knows again.
        shop_backed_up: the shop's moment of the backup.
        shop_at: the shop's moment of the restore.
        examined: whether what Temporal knew of the time between has been looked at.
    """

    backed_up: datetime
    at: datetime
    shop_backed_up: datetime
    shop_at: datetime
    examined: bool


def know(connection: Connection, name: str) -> Mapping[str, Any] | None:
    """Return what is kept under a name."""
    value: Mapping[str, Any] | None = connection.execute(select(store_facts.c.value).where(store_facts.c.name == name)).scalar()
    return value


def keep(connection: Connection, name: str, value: Mapping[str, Any], now: datetime) -> None:
    """Keep something under a name, instead of what was there."""
    kept = update(store_facts).where(store_facts.c.name == name).values(value=dict(value), at=now)
    if connection.execute(kept).rowcount == 0:
        connection.execute(insert(store_facts).values(name=name, value=dict(value), at=now))


def forget(connection: Connection, name: str) -> None:
    """Forget what is kept under a name."""
    connection.execute(delete(store_facts).where(store_facts.c.name == name))


def identity(connection: Connection, now: datetime) -> str:
    """Return the store's name, which no other has; it is given at the first time."""
    if (known := know(connection, IDENTITY)) is None:
        insert_if_new(connection, store_facts, {"name": IDENTITY, "value": {"id": str(uuid4())}, "at": now})
        known = know(connection, IDENTITY)
    assert known is not None
    return str(known["id"])


def restored(connection: Connection) -> Restored | None:
    """Return what is known of the last restore; None where there was none."""
    value = know(connection, RESTORED)
    if value is None:
        return None
    moments = {name: datetime.fromisoformat(value[name]) for name in MOMENTS}
    return Restored(**moments, examined=bool(value["examined"]))


def keep_restored(connection: Connection, about: Restored) -> None:
    """Keep that the store was restored."""
    moments = {name: getattr(about, name).isoformat() for name in MOMENTS}
    keep(connection, RESTORED, {**moments, "examined": about.examined}, about.at)
