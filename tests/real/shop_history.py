"""The past of a real shop, Online Retail, as the two files that it would export: its customers and their orders."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from zlib import crc32

ROOT = Path(__file__).parents[2]
EXCERPT = ROOT / "examples" / "online_retail.jsonl.gz"
ORDERS = ROOT.parent / "shared" / "data" / "online_retail" / "orders.parquet"
MINUTE = timedelta(minutes=1)
RAW = f"""
    SELECT invoice, customer_id, any_value(country), min(invoiced_at) AS made, round(sum(quantity * unit_price), 2)
    FROM '{ORDERS}' WHERE customer_id IS NOT NULL AND quantity > 0 AND unit_price > 0 GROUP BY invoice, customer_id ORDER BY made, invoice
"""


@dataclass(frozen=True)
class Order:
    """One order, of one customer."""

    invoice: str
    customer: str
    country: str
    at: datetime
    revenue: float


@dataclass(frozen=True)
class ShopHistory:
    """All orders of some customers, oldest first."""

    orders: tuple[Order, ...]

    @cached_property
    def last_orders(self) -> dict[str, Order]:
        """Each customer's last order."""
        return {order.customer: order for order in self.orders}

    def ended(self, newest: datetime, *, quiet: timedelta, around: timedelta) -> ShopHistory:
        """Move all of it so that the last order lies at a moment, or up to some days before.

        Args:
            newest: the last order is no later.
            quiet: the age that no order reaches ...
            around: ... before so long has passed, from `newest` on.
        """
        shift = newest - self.orders[-1].at
        while any(timedelta() <= quiet - (newest - (order.at + shift)) <= around for order in self.orders):
            shift -= MINUTE
        return ShopHistory(tuple(Order(o.invoice, o.customer, o.country, o.at + shift, o.revenue) for o in self.orders))

    def customers_csv(self, path: Path) -> Path:
        """Write the customers, all of whom have said yes to the newsletter."""
        first: dict[str, Order] = {}
        for order in self.orders:
            first.setdefault(order.customer, order)
        rows = ((who, "Ann", f"{who}@shop.example", o.country, f"{o.at:%Y-%m-%d}", "yes") for who, o in first.items())
        return _written(path, ("customer", "first", "email", "country", "since", "newsletter"), rows)

    def orders_csv(self, path: Path) -> Path:
        """Write the orders."""
        rows = ((o.invoice, o.customer, o.at.isoformat(), "Order Completed", o.revenue, "GBP") for o in self.orders)
        return _written(path, ("order_id", "customer", "placed", "action", "revenue", "currency"), rows)


def excerpt() -> ShopHistory:
    """Return the 974 orders of 360 customers that are in the project."""
    with gzip.open(EXCERPT, "rt", encoding="utf-8") as lines:
        calls = [json.loads(line) for line in lines]
    country = {call["userId"]: call["traits"]["country"] for call in calls if call["type"] == "identify"}
    orders = [
        Order(
            call["properties"]["order_id"], call["userId"], country[call["userId"]],
            datetime.fromisoformat(call["originalTimestamp"]), call["properties"]["revenue"],
        )
        for call in calls if call.get("event") == "Order Completed"
    ]  # fmt: skip
    return ShopHistory(tuple(sorted(orders, key=lambda order: (order.at, order.invoice))))


def whole(customers: int | None = None) -> ShopHistory:
    """Return twenty-one months of orders, of all customers or of some of them (needs the shared data)."""
    import duckdb

    rows = duckdb.sql(RAW).fetchall()
    drawn = sorted({row[1] for row in rows}, key=lambda customer: crc32(str(customer).encode()))[:customers]
    kept = set(drawn)
    return ShopHistory(
        tuple(Order(row[0], f"customer-{row[1]}", row[2], row[3].replace(tzinfo=UTC), row[4]) for row in rows if row[1] in kept)
    )


def _written(path: Path, header: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)
    return path
