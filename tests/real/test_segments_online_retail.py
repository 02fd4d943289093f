"""Two years of a real shop's orders, replayed in order: at three dates live segments are what SQL finds in the raw orders."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import duckdb
import pytest
from stores import STORE

from sojourn.customers.segments import SegmentBook, due, live
from sojourn.intake.appender import append
from sojourn.intake.emit import tell
from sojourn.intake.envelope import Envelope
from sojourn.intake.process import process_batch, waits
from sojourn.language.conditions import parse
from sojourn.language.definitions import Definitions
from sojourn.language.loader import load_shop
from sojourn.store.database import Database
from sojourn.store.tables import metadata
from sojourn.testing.folder import TEST_SHOP
from sojourn.testing.reading import members_of
from sojourn.travel.registry import Registry

ORDERS = Path(__file__).parents[3] / "shared" / "data" / "online_retail" / "orders.parquet"
DATES = [datetime(2010, 9, 1, 4, tzinfo=UTC), datetime(2011, 3, 15, 12, tzinfo=UTC), datetime(2011, 8, 18, 20, tzinfo=UTC)]
TAKEN_EVERY = 24 if STORE == "postgresql" else 8  # hours; a day's orders come in three times, or once where a batch takes longer
LATER = timedelta(minutes=1)  # an order is known a minute after it was made

pytestmark = [
    pytest.mark.real,
    pytest.mark.store,
    pytest.mark.exhaustive,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not ORDERS.exists(), reason="shared/data/online_retail is absent"),
]

# Each segment as its author writes it, and as a count over the raw orders says it.
SEGMENTS = {
    "high_value": (
        'sum("Order Completed", "revenue", within="90d") >= 500',
        "sum(revenue) FILTER (WHERE made > t - INTERVAL 90 DAY) >= 500",
    ),
    "often": ('count("Order Completed", within="60d") >= 3', "count(*) FILTER (WHERE made > t - INTERVAL 60 DAY) >= 3"),
    "silent": (
        'did("Order Completed") and not did("Order Completed", within="45d")',
        "count(*) FILTER (WHERE made > t - INTERVAL 45 DAY) = 0",
    ),
    "long_since": ('days_since(last("Order Completed")) >= 100', "date_diff('second', max(made), t) >= 100 * 86400"),
    "newcomers": ('days_since(first("Order Completed")) < 30', "date_diff('second', min(made), t) < 30 * 86400"),
    "big_basket": ('count("Order Completed", where="event.revenue >= 1000") >= 2', "count(*) FILTER (WHERE revenue >= 1000) >= 2"),
    "good_again": (
        "segment.high_value and segment.often",
        "sum(revenue) FILTER (WHERE made > t - INTERVAL 90 DAY) >= 500 AND count(*) FILTER (WHERE made > t - INTERVAL 60 DAY) >= 3",
    ),
}
RAW = f"""
    SELECT invoice, customer_id, min(invoiced_at) AS made, round(sum(quantity * unit_price), 2) AS revenue
    FROM '{ORDERS}' WHERE customer_id IS NOT NULL AND quantity > 0 AND unit_price > 0 GROUP BY invoice, customer_id
"""


def test_at_three_dates_live_segments_are_what_sql_finds_in_the_raw_orders() -> None:
    database = Database("sqlite://")
    database.write_now(metadata.create_all)
    registry = Registry(Definitions({}, {}, load_shop(TEST_SHOP), Path()))
    registry.segments = {name: parse(condition) for name, (condition, _) in SEGMENTS.items()}
    registry.book = SegmentBook(registry.segments)
    raw = duckdb.sql(f"{RAW} ORDER BY made, invoice, customer_id").fetchall()
    assert len(raw) > 20_000
    days = [(day, list(rows)) for day, rows in groupby(raw, key=lambda row: row[2].date())]
    dates = list(DATES)
    for day, rows in days:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        while dates and dates[0] <= midnight:
            compare(database, registry, dates.pop(0))
        # The day's windows pass beside its orders.
        for part, some in groupby(rows, key=lambda row: row[2].hour // TAKEN_EVERY):
            known_at = midnight + timedelta(hours=TAKEN_EVERY * (part + 1)) + LATER
            if dates and dates[0] < known_at and dates[0] > midnight:
                compare(database, registry, dates.pop(0))
            take(database, registry, list(some), known_at)
    assert not dates


def take(database: Database, registry: Registry, rows: list[tuple], now: datetime) -> None:
    pass_to(database, registry, now)
    made = [
        Envelope(
            message_id=f"{invoice}-{customer}", kind="track", name="Order Completed", user_id=str(customer),
            properties={"revenue": revenue}, time=at.replace(tzinfo=UTC), received_at=now,
        )
        for invoice, customer, at, revenue in rows
    ]  # fmt: skip
    database.write_now(append, made)
    while database.read_now(waits):
        database.write_now(process_batch, registry, now)


def pass_to(database: Database, registry: Registry, moment: datetime) -> None:
    while (at := database.read_now(due.next_due)) is not None and at <= moment:
        database.write_now(live.judge_due, registry.book, moment, 500, tell)
    while database.read_now(waits):  # who came and went
        database.write_now(process_batch, registry, moment)


def compare(database: Database, registry: Registry, moment: datetime) -> None:
    pass_to(database, registry, moment)
    at = moment.strftime("%Y-%m-%d %H:%M:%S")
    for name, (_, sql) in SEGMENTS.items():
        # A day's orders are known as the replay takes them in: those of an unfinished part of a day are not yet.
        known = moment.replace(hour=moment.hour // TAKEN_EVERY * TAKEN_EVERY)
        query = (
            f"SELECT customer_id FROM (SELECT *, TIMESTAMP '{at}' AS t FROM ({RAW})) "
            f"WHERE made < TIMESTAMP '{known:%Y-%m-%d %H:%M:%S}' GROUP BY customer_id, t HAVING {sql}"
        )
        expected = {str(row[0]) for row in duckdb.sql(query).fetchall()}
        assert expected, name
        assert set(database.read_now(members_of, name)) == expected, (name, moment)
