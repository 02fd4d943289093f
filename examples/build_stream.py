"""Builds `online_retail.jsonl.gz`, a recorded shop stream: real orders, and derived sessions around them.

    python examples/build_stream.py [--orders PATH] [--out PATH]

The orders (who, when, which products, at what price) are facts of the Online Retail data. All else
is derived by the rules in examples/README.md from a seed, and says so: `"context": {"derived": true}`.
The same orders and seed give the same lines.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

HERE = Path(__file__).resolve().parent
ORDERS = HERE.parent.parent / "shared" / "data" / "online_retail" / "orders.parquet"
OUT = HERE / "online_retail.jsonl.gz"

SEED = 20101101
NAMESPACE = UUID("5d0c8a5e-6f0e-5b57-9b0e-3c3f2f0f7a11")
SHOP_ZONE = ZoneInfo("Europe/London")  # the data's times are the shop's wall clock
BEGIN = datetime(2010, 11, 1, tzinfo=SHOP_ZONE)
END = datetime(2010, 11, 29, tzinfo=SHOP_ZONE)

CUSTOMERS = 360  # of those with at least MIN_ORDERS in the excerpt
MIN_ORDERS = 2
CONSENTING = 0.85
SLOW = 0.25  # orders whose cart was filled hours earlier
ABANDONED = 0.55  # chance of a cart never bought, per order
BROWSED = 0.40  # chance of a visit with views only, per order
QUIET_AFTER = timedelta(days=3)  # a cart counts as never bought if no order follows for so long
LINES_KEPT = 20  # products listed per order, by value; revenue counts all of them
LINES_ADDED = 4  # products of an order seen going into its cart

FIRST_NAMES = (
    "Ada", "Aisha", "Alice", "Amir", "Ben", "Carmen", "Chloe", "Daniel", "Elena", "Emil", "Fatima", "Felix", "Grace", "Hana", "Hugo",
    "Ines", "Jack", "Jonas", "Kofi", "Laura", "Leo", "Lucia", "Maya", "Mei",
    "Nadia", "Noah", "Olga", "Oscar", "Priya", "Rosa", "Sam", "Yusuf",
)  # fmt: skip

# One zone a country: the data says no more. Countries that are none ("Unspecified") get the shop's.
ZONES = {
    "United Kingdom": "Europe/London", "EIRE": "Europe/Dublin", "Germany": "Europe/Berlin", "France": "Europe/Paris",
    "Netherlands": "Europe/Amsterdam", "Spain": "Europe/Madrid", "Switzerland": "Europe/Zurich", "Belgium": "Europe/Brussels",
    "Portugal": "Europe/Lisbon", "Australia": "Australia/Sydney", "Channel Islands": "Europe/Jersey", "Sweden": "Europe/Stockholm",
    "Italy": "Europe/Rome", "Cyprus": "Asia/Nicosia", "Finland": "Europe/Helsinki", "Austria": "Europe/Vienna", "Norway": "Europe/Oslo",
    "Greece": "Europe/Athens", "Denmark": "Europe/Copenhagen", "Japan": "Asia/Tokyo", "United Arab Emirates": "Asia/Dubai",
    "Poland": "Europe/Warsaw", "Hong Kong": "Asia/Hong_Kong", "Israel": "Asia/Jerusalem", "Singapore": "Asia/Singapore",
    "Malta": "Europe/Malta", "USA": "America/New_York", "Canada": "America/Toronto", "Iceland": "Atlantic/Reykjavik",
    "Lithuania": "Europe/Vilnius", "Bahrain": "Asia/Bahrain", "RSA": "Africa/Johannesburg", "Brazil": "America/Sao_Paulo",
    "Thailand": "Asia/Bangkok", "Korea": "Asia/Seoul", "Lebanon": "Asia/Beirut", "Bermuda": "Atlantic/Bermuda", "Nigeria": "Africa/Lagos",
    "Czech Republic": "Europe/Prague", "Saudi Arabia": "Asia/Riyadh",
}  # fmt: skip

# The first word found in a product's name decides its category.
CATEGORIES = {
    "christmas": "christmas", "bag": "bags", "light": "lighting", "candle": "lighting", "lantern": "lighting", "mug": "kitchen",
    "cup": "kitchen", "plate": "kitchen", "tea": "kitchen", "cake": "kitchen", "bowl": "kitchen", "bottle": "kitchen", "tin": "storage",
    "box": "storage", "card": "stationery", "wrap": "stationery", "paper": "stationery", "sign": "decoration", "heart": "decoration",
    "frame": "decoration", "clock": "decoration", "cushion": "textiles", "towel": "textiles", "toy": "toys", "game": "toys",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One product of an order."""

    code: str
    name: str
    price: float
    quantity: int

    @property
    def value(self) -> float:
        """What the line cost, in pounds."""
        return round(self.price * self.quantity, 2)

    @property
    def category(self) -> str:
        """A category, by the words of the name."""
        return next((category for word, category in CATEGORIES.items() if word in self.name.lower()), "home")


@dataclass(frozen=True)
class Order:
    """One invoice as the data has it."""

    invoice: str
    customer: int
    country: str
    at: datetime
    lines: tuple[Line, ...]
    shipping: float


def read_orders(path: Path, begin: datetime = BEGIN, end: datetime = END) -> list[Order]:
    """Return the real orders of a period, oldest first: no cancellations, no guests, products with a price only."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    naive = [moment.astimezone(SHOP_ZONE).replace(tzinfo=None) for moment in (begin, end)]
    when = table["invoiced_at"]
    table = table.filter(pc.and_(pc.greater_equal(when, naive[0]), pc.less(when, naive[1])))
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in table.to_pylist():
        if row["customer_id"] is not None and row["invoice"].isdigit() and row["quantity"] > 0 and row["unit_price"] > 0:
            rows[row["invoice"]].append(row)
    orders = []
    for invoice, group in rows.items():
        lines = tuple(
            Line(row["stock_code"], sentence_case(row["description"] or row["stock_code"]), row["unit_price"], row["quantity"])
            for row in group
            if row["stock_code"][:5].isdigit()  # others are postage, manual entries, bank charges
        )
        if lines:
            shipping = sum(row["unit_price"] * row["quantity"] for row in group if row["stock_code"] in {"POST", "DOT", "C2"})
            at = min(row["invoiced_at"] for row in group).replace(tzinfo=SHOP_ZONE).astimezone(UTC)
            orders.append(Order(invoice, group[0]["customer_id"], group[0]["country"], at, lines, round(shipping, 2)))
    return sorted(orders, key=lambda order: (order.at, order.invoice))


def sentence_case(name: str) -> str:
    """Return a product's name without the data's capitals and stray spaces."""
    return " ".join(name.split()).capitalize()


def choose_customers(orders: list[Order], seed: int = SEED) -> dict[int, list[Order]]:
    """Return the orders of the chosen customers: a seeded draw among those who ordered repeatedly."""
    by_customer: dict[int, list[Order]] = defaultdict(list)
    for order in orders:
        by_customer[order.customer].append(order)
    repeating = [customer for customer, theirs in by_customer.items() if len(theirs) >= MIN_ORDERS]
    drawn = sorted(repeating, key=lambda customer: uuid5(NAMESPACE, f"{seed}:draw:{customer}").hex)[:CUSTOMERS]
    return {customer: by_customer[customer] for customer in sorted(drawn)}


class Life:
    """Writes the calls of one customer: who they are, their visits and their orders."""

    def __init__(self, customer: int, orders: list[Order], seed: int) -> None:
        self.customer = customer
        self.orders = orders
        self.chance = random.Random(f"{seed}:{customer}")
        self.user_id = f"customer-{customer}"
        self.anonymous_id = str(uuid5(NAMESPACE, f"{seed}:anonymous:{customer}"))
        self.calls: list[dict[str, Any]] = []

    def between(self, low: float, high: float) -> float:
        """Return a number between two; by `random()` alone, whose values Python promises to keep."""
        return low + (high - low) * self.chance.random()

    def minutes(self, low: float, high: float) -> timedelta:
        """Return some minutes, to the second."""
        return timedelta(seconds=round(60 * self.between(low, high)))

    def call(self, at: datetime, kind: str, derived: bool = True, known: bool = True, **more: Any) -> None:
        """Keep one Segment call; an unknown visitor has an anonymous id only."""
        context = {"derived": True} if derived else {}
        body: dict[str, Any] = {"type": kind, "messageId": "", "originalTimestamp": stamp(at), "anonymousId": self.anonymous_id}
        if known:
            body["userId"] = self.user_id
        self.calls.append(body | {"context": context | more.pop("context", {})} | more)

    def track(self, at: datetime, event: str, known: bool = True, **properties: Any) -> None:
        """Keep one derived event."""
        self.call(at, "track", known=known, event=event, properties=properties)

    def live(self) -> list[dict[str, Any]]:
        """Return all calls of this customer, in order of time, with their message ids."""
        first = self._sessions()
        self._sign_up(first)
        self.calls.sort(key=lambda call: call["originalTimestamp"])
        for number, call in enumerate(self.calls):
            name = call.get("event", call["type"])
            call["messageId"] = str(uuid5(NAMESPACE, f"{self.user_id}:{number}:{call['originalTimestamp']}:{name}"))
        return self.calls

    def _sessions(self) -> datetime:
        for order in self.orders:
            self._order(order)
        for order in self.orders:
            if self.chance.random() < ABANDONED:
                self._abandoned(order)
            if self.chance.random() < BROWSED:
                start = self._evening(order.at)
                if start:
                    self._views(start, self._some(order.lines))
        return min(datetime.fromisoformat(call["originalTimestamp"]) for call in self.calls)

    def _sign_up(self, first: datetime) -> None:
        """Let the customer arrive unknown, look at a product, then sign up just before the first visit."""
        country = self.orders[0].country
        at = first - timedelta(minutes=1)
        self._views(at - self.minutes(2, 5), self.orders[0].lines[:1], known=False)
        traits = {
            "email": f"{self.user_id}@shop.example",
            "first_name": FIRST_NAMES[int(self.chance.random() * len(FIRST_NAMES))],
            "country": country,
        }
        consent = {"categoryPreferences": {"marketing": self.chance.random() < CONSENTING}}
        zone = ZONES.get(country, SHOP_ZONE.key)
        self.call(at, "identify", traits=traits, context={"timezone": zone, "locale": "en-GB", "consent": consent})
        self.track(at + timedelta(seconds=1), "Signed Up", method="email")

    def _order(self, order: Order) -> None:
        cart = f"cart-{order.invoice}"
        added = sorted(order.lines, key=lambda line: (-line.value, line.code))[: 1 + int(self.chance.random() * LINES_ADDED)]
        checkout = order.at - self.minutes(2, 5)
        slow = self.chance.random() < SLOW and checkout - timedelta(hours=21) > BEGIN
        before = self.minutes(180, 1200) if slow else self.minutes(12, 40)
        self._views(checkout - before, tuple(added), cart=cart)
        if slow:
            self.track(checkout - self.minutes(1, 2), "Session Started")
        value = round(sum(line.value for line in order.lines), 2)
        self.track(checkout, "Checkout Started", cart_id=cart, value=value, currency="GBP")
        listed = sorted(order.lines, key=lambda line: (-line.value, line.code))[:LINES_KEPT]
        properties = {
            "order_id": order.invoice,
            "cart_id": cart,
            "revenue": value,
            "shipping": order.shipping,
            "total": round(value + order.shipping, 2),
            "currency": "GBP",
            "product_count": len(order.lines),
            "products": [{"product_id": line.code, "name": line.name, "price": line.price, "quantity": line.quantity} for line in listed],
        }
        self.call(order.at, "track", derived=False, event="Order Completed", properties=properties)

    def _abandoned(self, order: Order) -> None:
        start = self._evening(order.at)
        if start is None or any(start < other.at < start + QUIET_AFTER for other in self.orders):
            return
        cart = f"cart-{order.invoice}-left"
        last = self._views(start, self._some(order.lines), cart=cart)
        if self.chance.random() < 0.5:
            self.track(last + self.minutes(1, 4), "Checkout Started", cart_id=cart, currency="GBP")

    def _evening(self, near: datetime) -> datetime | None:
        """Return a moment between 7:00 and 22:00 of the shop, up to ten days from an order; None outside the excerpt."""
        day = (near + timedelta(days=int(self.between(-4, 10)))).astimezone(SHOP_ZONE)
        start = day.replace(hour=int(self.between(7, 22)), minute=int(self.between(0, 60)), second=int(self.between(0, 60)))
        return start.astimezone(UTC) if BEGIN + timedelta(hours=8) < start < END - timedelta(hours=3) else None

    def _some(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        first = int(self.chance.random() * len(lines))
        return lines[first : first + 1 + int(self.chance.random() * LINES_ADDED)]

    def _views(self, start: datetime, lines: tuple[Line, ...], cart: str | None = None, known: bool = True) -> datetime:
        """Keep a visit: each product is looked at and, where there is a cart, put into it. Return its last moment."""
        self.track(start, "Session Started", known=known)
        at = start
        for line in lines:
            product = {"product_id": line.code, "name": line.name, "category": line.category, "price": line.value, "currency": "GBP"}
            product |= {"unit_price": line.price, "units": line.quantity, "url": f"https://shop.example/products/{line.code}"}
            at += self.minutes(0.3, 1)
            self.track(at, "Product Viewed", known=known, **product)
            if cart:
                at += self.minutes(0.2, 1)
                self.track(at, "Product Added", known=known, cart_id=cart, quantity=1, **product)
        return at


def stamp(at: datetime) -> str:
    """Return a moment as Segment's clients write it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def build(orders: list[Order], seed: int = SEED) -> Iterator[str]:
    """Yield the stream's lines, in order of time."""
    calls = [call for customer, theirs in choose_customers(orders, seed).items() for call in Life(customer, theirs, seed).live()]
    calls.sort(key=lambda call: (call["originalTimestamp"], call["userId"] if "userId" in call else call["anonymousId"]))
    for call in calls:
        yield json.dumps(call, separators=(",", ":"), ensure_ascii=False)


def main() -> None:
    """Write the stream."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--orders", type=Path, default=ORDERS, help="the Online Retail orders, as parquet")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    if not options.orders.exists():
        sys.exit(f"{options.orders} is not there. The built stream is checked in; to build it anew, see examples/README.md for the data.")
    lines = list(build(read_orders(options.orders)))
    text = "".join(line + "\n" for line in lines).encode()
    options.out.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    print(f"{options.out}: {len(lines)} calls, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
