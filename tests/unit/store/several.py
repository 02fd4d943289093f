"""Several processes over one store, and one person on a journey, for the tests of what writers may do to each other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import stores
from sqlalchemy import Connection, insert, select

from sojourn.customers import profiles
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope, read_call
from sojourn.intake.process import process_batch
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import consents, definitions, entries
from sojourn.travel.registry import Registry

FOLDER = Path(__file__).parents[2] / "real/journeys_faults"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PATIENCE = 20.0  # seconds; a test that waits longer has failed

on_postgresql = pytest.mark.skipif(stores.STORE != "postgresql", reason="a race that SQLite's one writer does not know")


class Several:
    """Several processes' databases over one store."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: list[Database] = []

    def __call__(self) -> Database:
        self._opened.append(Database(self._url, durable=False))
        return self._opened[-1]

    def close(self) -> None:
        for database in self._opened:
            database.close_now()


def side_by_side(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs at once, each in a thread, and return what they came to."""
    barrier = threading.Barrier(len(jobs))

    def begin(job: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(begin, jobs))


def event(message_id: str, user_id: str = "u-ann", name: str = "Product Viewed", **given: Any) -> Envelope:
    return Envelope(message_id=message_id, kind="track", name=name, user_id=user_id, time=NOW, received_at=NOW, **given)


def said(database: Database, kind: str, **call: Any) -> None:
    database.write_now(append, read_call(kind, orjson.dumps(call), received_at=NOW).envelopes)


def asleep(connection: Connection, seconds: float) -> None:
    """Keep a transaction open, so that another may overtake it."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_sleep({seconds})")


def furnish(connection: Connection) -> None:
    ann = ann_id(connection)
    connection.execute(insert(consents).values(id="c", profile_id=ann, purpose="marketing", granted=True, source="x", at=NOW))
    version = connection.execute(select(definitions.c.version).limit(1)).scalar_one()
    connection.execute(
        insert(entries).values(
            id="entry", journey="cart", version=version, profile_id=ann, key="", workflow_id="w", trigger_id="m",
            trigger={}, variants={}, started_at=NOW, state="running",
        )
    )  # fmt: skip


def ann_id(connection: Connection) -> str:
    found = profiles.find(connection, "u-ann")
    assert found is not None
    return found


def with_ann(several: Several) -> Database:
    """Return the store with one person, who is on a journey."""
    database = several()
    database.write_now(append, [event("first", anonymous_id="a-ann")])
    registry = Registry(load(FOLDER))
    database.write_now(registry.store, NOW)
    database.write_now(process_batch, registry, NOW)
    database.write_now(furnish)
    return database
