"""A shop with one person, one entry and one planned send; nothing of it is mocked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select, update

from sojourn.delivery import sending
from sojourn.delivery.freezing import Made, make
from sojourn.delivery.ledger import SendOrder, SendRow, send_key
from sojourn.delivery.rules import GateRules
from sojourn.delivery.tokens import Links, Tokens
from sojourn.store.database import Database
from sojourn.store.tables import consents, definitions, entries, identifiers, profiles, transitions, verdicts

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WORKSPACE = UUID("00000000-0000-4000-8000-000000000001")
ANN, ENTRY = "ann", "entry-1"
HTML = (
    '<html><body><h1>Hello Ann</h1><a class="b" href="https://shop.example/cart?id=7&amp;x=1">Back to the cart</a>'
    '<a href="https://shop.example/help">Help</a><a href="mailto:help@shop.example">Write</a></body></html>'
)


@dataclass(frozen=True)
class FakeRendered:
    """What rendering would have given."""

    subject: str = "Your cart waits"
    html: str = HTML
    text: str = "Back to the cart: https://shop.example/cart?id=7&x=1\n"
    tokens: Any = None
    amp: str | None = None
    live: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tokens", self.tokens or {"first_name": {"value": "Ann", "from": "profile"}})


class DeliveryWorld:
    """The store with what a send needs around it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.links = Links("https://mail.example", Tokens("a secret of the unit tests"))
        self.rules = GateRules()
        self.order = SendOrder(
            key=send_key(WORKSPACE, ENTRY, "1"), entry_id=ENTRY, profile_id=ANN, journey="cart", step="1", send_id="reminder",
            content="cart_reminder", to_address="ann@example.com", to_name="Ann", from_address="hello@shop.example", from_name="The Shop",
        )  # fmt: skip

    @property
    def key(self) -> str:
        return self.order.key

    def plan(self, order: SendOrder | None = None, rendered: FakeRendered | None = None) -> SendRow:
        return self.db.write_now(sending.plan, order or self.order, rendered or FakeRendered(), NOON, self.links)

    def made(self, order: SendOrder) -> Made:
        return make(order, FakeRendered(), self.links)

    def another(self, step: str, **changes: Any) -> SendOrder:
        return replace(self.order, key=send_key(WORKSPACE, ENTRY, step), step=step, **changes)

    def write(self, table: Any, **values: Any) -> None:
        self.db.write_now(lambda conn: conn.execute(insert(table).values(**values)))

    def set_entry(self, **values: Any) -> None:
        self.db.write_now(lambda conn: conn.execute(update(entries).values(**values)))

    def states(self, key: str | None = None) -> list[str]:
        def read(conn: Connection) -> list[str]:
            query = select(transitions.c.to_state).where(transitions.c.send_key == (key or self.key)).order_by(transitions.c.id)
            return list(conn.execute(query).scalars())

        return self.db.read_now(read)

    def checks(self) -> list[tuple[str, str]]:
        query = select(verdicts.c.check, verdicts.c.verdict).where(verdicts.c.send_key == self.key).order_by(verdicts.c.id)
        return [(row.check, row.verdict) for row in self.db.read_now(lambda conn: conn.execute(query).all())]


def furnish(conn: Connection) -> None:
    conn.execute(insert(profiles).values(id=ANN, traits={}, zone="Europe/Berlin", locale="en", first_seen=NOON, last_seen=NOON))
    conn.execute(insert(identifiers).values(kind="user_id", value="u-ann", profile_id=ANN, since=NOON))
    conn.execute(insert(consents).values(id="consent-1", profile_id=ANN, purpose="marketing", granted=True, source="form", at=NOON))
    conn.execute(insert(definitions).values(version="v1", journey="cart", body={}, first_seen=NOON))
    conn.execute(
        insert(entries).values(
            id=ENTRY, journey="cart", version="v1", profile_id=ANN, key="", workflow_id="journey:cart:ann", trigger_id="m-1", trigger={},
            variants={}, started_at=NOON, state="running",
        )
    )  # fmt: skip


def make_world(url: str = "sqlite://") -> DeliveryWorld:
    db = Database(url)
    db.write_now(furnish)
    return DeliveryWorld(db)
