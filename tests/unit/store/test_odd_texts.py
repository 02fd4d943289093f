"""What is long or odd is taken by both stores alike: nothing that passes the door stops the router."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sojourn.customers import profiles
from sojourn.intake.appender import append
from sojourn.intake.envelope import MAX_ID, MAX_NAME, read_call
from sojourn.intake.process import position, process_batch
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import quarantine
from sojourn.travel.registry import Registry

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LONG = "ü" * 3_000
CALLS: list[dict[str, Any]] = [
    {"type": "identify", "userId": "u", "traits": {"timezone": LONG, "locale": LONG, "first_name": LONG, "email": f"{LONG}@x.example"}},
    {"type": "track", "userId": "u", "event": "E" * MAX_NAME, "messageId": "m" * MAX_ID, "properties": {"cart_id": LONG}},
    {"type": "track", "userId": "u" * MAX_ID, "anonymousId": "a" * MAX_ID, "event": "Cart Started", "context": {"locale": LONG}},
    {"type": "track", "userId": "u", "event": "Subscribed", "properties": {"purpose": LONG, "wording": LONG}},
    {"type": "track", "userId": "u", "event": "E", "properties": {"n": 1e300, "m": 18446744073709551615, "x": -0.0, "text": "\U0001f600"}},
]


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_a_long_or_odd_value_is_taken_and_routed(number: int) -> None:
    database = Database("sqlite://")
    registry = Registry(load(Path(__file__).parents[2] / "real/journeys_faults"))
    database.write_now(registry.store, NOW)
    call = read_call("batch", json.dumps({"batch": [CALLS[number]]}).encode(), received_at=NOW)
    assert len(call.envelopes) == 1
    database.write_now(append, call.envelopes, call.quarantined)
    assert database.write_now(process_batch, registry, NOW).events == 1
    assert database.read_now(position) == 1
    assert database.read_now(profiles.find, CALLS[number]["userId"]) is not None


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
@pytest.mark.parametrize("where", ["messageId", "event", "userId"])
def test_a_text_that_no_store_could_keep_is_set_aside_with_its_reason(text: str, where: str) -> None:
    database = Database("sqlite://")
    bad = {"type": "track", "userId": "u", "event": "E", "messageId": "m", where: text}
    call = read_call("batch", json.dumps({"batch": [bad, {"type": "track", "userId": "u", "event": "E"}]}).encode(), received_at=NOW)
    assert len(database.write_now(append, call.envelopes, call.quarantined)) == 1
    reasons = database.read_now(lambda c: c.execute(select(quarantine.c.reason)).scalars().all())
    assert len(reasons) == 1
    assert reasons[0].startswith("holds ")
