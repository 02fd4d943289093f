"""Shops whose customers are fitted, and what their segments say in SQL, for the tests of stages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select

from sojourn.customers.stages.conditions import segments
from sojourn.customers.stages.fit import Fitted
from sojourn.language.conditions import Condition, parse
from sojourn.language.loader import load_stages
from sojourn.language.stages_model import StagesModel
from sojourn.store.database import Database
from sojourn.store.tables import events, profiles

ROOT = Path(__file__).parents[3]
FILE = (ROOT / "journeys" / "stages.yaml").read_bytes()
MODEL = load_stages(FILE)
GROCERY = ROOT.parent / "shared" / "data" / "complete_journey" / "transactions.parquet"
ORDERS = ROOT.parent / "shared" / "data" / "online_retail" / "orders.parquet"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BOUGHT = MODEL.purchase.event
EVENTS = [*MODEL.every_sign(), "Something Else"]


Lives = dict[str, list[tuple[str, datetime, dict[str, Any]]]]


def stored(lives: Lives, merged: dict[str, str] | None = None) -> Database:
    """Return a store with these people and what they did; names that begin with * are a machine's doing."""
    database = Database("sqlite://")
    people = [{"id": who, "merged_into": None, "traits": {}, "first_seen": NOW, "last_seen": NOW} for who in lives]
    people += [{"id": who, "merged_into": into, "traits": {}, "first_seen": NOW, "last_seen": NOW} for who, into in (merged or {}).items()]
    rows = [
        {
            "id": f"{who}:{i}", "seq": i, "profile_id": who, "kind": "track", "name": name.removeprefix("*"), "time": at,
            "properties": properties, "machine": name.startswith("*"),
        }
        for who, life in lives.items()
        for i, (name, at, properties) in enumerate(life)
    ]  # fmt: skip

    def fill(connection: Connection) -> None:
        connection.execute(insert(profiles), people)
        connection.execute(insert(events), rows)

    database.write_now(fill)
    return database


def shop(count: int = 300, seed: int = 7) -> dict[str, list[tuple[str, datetime, dict[str, Any]]]]:
    chance = np.random.default_rng(seed)
    lives = {}
    for i in range(count):
        orders = 1 + int(chance.geometric(0.35))
        ages = chance.gamma(1.2, 90, orders) + (400 if i % 20 == 0 else 0)
        lives[f"p{i:04}"] = [
            (BOUGHT, NOW - float(age) * DAY, {"revenue": round(float(chance.lognormal(4, 1)), 2)}) for age in sorted(ages, reverse=True)
        ]
    return lives


def conditions(model: StagesModel, fitted: Fitted) -> dict[str, Condition]:
    return {each.name: parse(each.members) for each in segments(model, fitted)}


def in_sql(database: Database, found: dict[str, Condition], at: datetime) -> dict[str, set[str]]:
    def ask(connection: Connection) -> dict[str, set[str]]:
        living = profiles.c.merged_into.is_(None)
        queries = {name: select(profiles.c.id).where(living, each.sql(now=at, segments=found)) for name, each in found.items()}
        return {name: set(connection.execute(query).scalars()) for name, query in queries.items()}

    return database.read_now(ask)
