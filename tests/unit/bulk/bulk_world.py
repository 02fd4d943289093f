"""A store to import into, files to import, and what the store then holds, by the ids that the outside knows."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select

from sojourn.bulk import importing
from sojourn.bulk.importing import Import, Told
from sojourn.bulk.mapping import Kind
from sojourn.bulk.ordering import Order
from sojourn.bulk.policy import Policy
from sojourn.store.database import Database
from sojourn.store.tables import consents, events, identifiers, profiles, refused_merges, trait_refusals

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = "2026-01-05T09:00:00Z"
HEADER = ["id", "email", "age", "consent.marketing", "zone", "updated_at"]


def store() -> Database:
    database = Database("sqlite://")
    return database


def work(
    database: Database,
    path: Path,
    kind: Kind = Kind.profiles,
    advanced: Callable[[Told], None] = lambda _: None,
    policy: Policy | None = None,
    **given: Any,
) -> Import:
    return Import(database, Order(path, kind, **given), lambda: NOW, advanced, policy=policy)


def run(database: Database, path: Path, kind: Kind = Kind.profiles, **given: Any) -> Told:
    return work(database, path, kind, **given).run()


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def table(path: Path, rows: list[list[object]], header: list[str] = HEADER) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def rows(count: int) -> list[list[object]]:
    return [[f"u{i}", f"u{i}@shop.example", i % 80, "true" if i % 2 else "no", "Europe/Paris", DAY] for i in range(count)]


def small_pages(monkeypatch: Any, rows: int) -> None:
    for name in ("FIRST_PAGE", "SMALLEST_PAGE", "LARGEST_PAGE"):
        monkeypatch.setattr(importing, name, rows)


def people(database: Database) -> list[dict[str, Any]]:
    """Everyone, without ids of our own making, in an order that follows from what they are."""

    def read(connection: Any) -> list[dict[str, Any]]:
        found = []
        for row in connection.execute(select(profiles).where(profiles.c.merged_into.is_(None))).all():
            known = connection.execute(select(identifiers).where(identifiers.c.profile_id == row.id)).all()
            agreed = connection.execute(select(consents).where(consents.c.profile_id == row.id)).all()
            found.append(
                {
                    "known": sorted((one.kind, one.value, one.since, one.shared) for one in known),
                    "traits": row.traits, "times": {name: said for name, said in row.trait_times.items() if said},
                    "zone": row.zone, "locale": row.locale,
                    "seen": (row.first_seen, row.last_seen),
                    "consents": _words(agreed),
                }
            )  # fmt: skip
        return sorted(found, key=lambda person: str(person["known"]))

    return database.read_now(read)


def _words(agreed: Any) -> list[tuple[Any, ...]]:
    """Return what was said of consent, without states that only repeat the one before: whether those are kept hangs on who came first."""
    found: list[tuple[Any, ...]] = []
    for one in sorted((one.purpose, one.at, one.granted, one.source, one.wording or "") for one in agreed):
        purpose, _, granted, source, wording = one
        before = found[-1] if found else None
        repeats = before is not None and (before[0], *before[2:]) == (purpose, granted, source, wording)
        if not (repeats and source == "identify"):
            found.append(one)
    return found


def refusals(database: Database) -> list[Any]:
    """What was refused of people's traits and identifiers, without ids of our own making."""

    def read(connection: Any) -> list[Any]:
        traits = select(trait_refusals.c.message_id, trait_refusals.c.trait, trait_refusals.c.reason, trait_refusals.c.at)
        merges = select(refused_merges.c.kind, refused_merges.c.value, refused_merges.c.reason, refused_merges.c.message_id)
        return sorted(map(str, [*connection.execute(traits), *connection.execute(merges)]))

    return database.read_now(read)


def history(database: Database) -> list[Any]:
    def read(connection: Any) -> list[Any]:
        columns = (events.c.id, identifiers.c.value, events.c.name, events.c.time, events.c.properties, events.c.machine)
        joined = events.join(identifiers, identifiers.c.profile_id == events.c.profile_id)
        return [tuple(row) for row in connection.execute(select(*columns).select_from(joined).order_by(events.c.seq, identifiers.c.value))]

    return database.read_now(read)
