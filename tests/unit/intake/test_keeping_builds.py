"""What a build changed: history at once where nothing listens for it, an event of the log where a journey or a segment does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from sojourn.customers.segments import SegmentBook
from sojourn.customers.segments.causes import Cause
from sojourn.customers.segments.live import Change, write
from sojourn.intake.keeping import teller
from sojourn.language.conditions import parse
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load_journey, load_shop
from sojourn.store.database import Database
from sojourn.store.tables import events, inbound, profiles, segment_members
from sojourn.testing.folder import TEST_SHOP
from sojourn.travel.registry import Registry

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ON = """
journey: greet
purpose: transactional
description: Greets.
enter: {on: Segment Entered%s}
steps: [{wait: 10d}, {end: done}]
"""
ONE, ANY = ', if: event.segment == "buyers"', ""


def told(*journeys: str, condition: str = 'did("Order Completed")', cause: Cause = Cause.EDIT) -> tuple[list[str], list[str]]:
    """The segments whose changes are in the history at once, and those that go by the log."""
    loaded = [load_journey(text.encode(), "greet.yaml") for text in journeys]
    registry = Registry(Definitions({one.journey: one for one in loaded}, {}, load_shop(TEST_SHOP), Path()))
    registry.segments = {"buyers": parse(condition), "gold": parse('profile.plan == "gold"')}
    registry.book = SegmentBook(registry.segments)
    database = Database("sqlite://")

    def change(connection: Connection) -> None:
        connection.execute(insert(profiles).values(id="p1", traits={}, first_seen=NOW, last_seen=NOW))
        changes = [Change("p1", name, True, NOW, cause) for name in ("buyers", "gold")]
        write(connection, changes, 7, NOW, teller(registry))
        write(connection, changes, 7, NOW, teller(registry))

    database.write_now(change)
    kept = database.read_now(lambda c: [row.properties["segment"] for row in c.execute(select(events).order_by(events.c.id))])
    logged = database.read_now(lambda c: [row.body["properties"]["segment"] for row in c.execute(select(inbound).order_by(inbound.c.seq))])
    assert len(database.read_now(lambda c: c.execute(select(segment_members)).all())) == 2
    database.close_now()
    return sorted(kept), logged


@pytest.mark.parametrize("cause", [Cause.EDIT, Cause.IMPORT])
def test_what_nothing_listens_for_is_history_at_once_and_costs_the_log_nothing(cause: Cause) -> None:
    assert told(cause=cause) == (["buyers", "gold"], [])


def test_what_a_journey_begins_on_goes_by_the_log_so_that_it_keeps_why_it_did_not() -> None:
    assert told(ON % ONE) == (["gold"], ["buyers"])
    assert told(ON % ANY) == ([], ["buyers", "gold"])


def test_what_a_segment_asks_of_changes_goes_by_the_log() -> None:
    assert told(condition='did("Segment Entered")') == ([], ["buyers", "gold"])


@pytest.mark.parametrize("cause", [Cause.EVENT, Cause.TIME])
def test_what_happened_goes_by_the_log(cause: Cause) -> None:
    assert told(cause=cause) == ([], ["buyers", "gold"])
