"""What became of messages, by every way of telling them apart, as figures and as a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from sqlalchemy import Connection, insert

from sojourn.delivery import brakes
from sojourn.reports.deliverability import By, Row, by_day, deliverability, total
from sojourn.reports.page import page, percent
from sojourn.store.database import Database
from sojourn.store.tables import definitions, entries, events, messages, profiles, segment_members, sends

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=7)
PEOPLE = ("ann", "bob")


def furnish(conn: Connection) -> None:
    for person in PEOPLE:
        conn.execute(insert(profiles).values(id=person, traits={}, first_seen=NOW, last_seen=NOW))
    conn.execute(insert(definitions).values(version="v", journey="cart", body={}, first_seen=NOW))
    conn.execute(
        insert(entries).values(
            id="e", journey="cart", version="v", profile_id="ann", key="", workflow_id="w", trigger_id="t", trigger={}, variants={},
            started_at=NOW, state="running",
        )
    )  # fmt: skip
    members = (("vip", "ann"), ("all", "ann"), ("all", "bob"))
    conn.execute(insert(segment_members), [{"segment": segment, "profile_id": person, "since": NOW} for segment, person in members])


class Shop:
    """A store into which messages and what became of them are written."""

    def __init__(self) -> None:
        self.db = Database("sqlite://")
        self.db.write_now(furnish)
        self.count = 0

    def send(self, person: str = "ann", *happened: str, state: str = "accepted", ago: float = 1, **given: str) -> str:
        self.count += 1
        key, at = f"{self.count:036}", NOW - timedelta(days=ago)
        row = {"journey": "cart", "content": "reminder", "provider": "smtp", **{k: v for k, v in given.items() if k != "to"}}
        self.write(
            sends, key=key, entry_id="e", profile_id=person, step=key, send_id="s", purpose="marketing", state=state, attempts=1,
            created_at=at, claimed_at=at, **row,
        )  # fmt: skip
        to = given.get("to", f"{person}@Mail.Example")
        self.write(
            messages, send_key=key, to_address=to, from_address="s@s.example", subject="s", html="", text="", headers={}, tokens={},
            rendered_at=at,
        )  # fmt: skip
        for name in happened:
            self.tell(key, person, name)
        return key

    def tell(self, key: str, person: str, name: str, *, machine: bool = False, **properties: str) -> None:
        self.count += 1
        self.write(
            events, id=f"m{self.count}", seq=self.count, profile_id=person, kind="track", name=name, time=NOW, properties=properties,
            send_key=key, machine=machine,
        )  # fmt: skip

    def write(self, table: object, **values: object) -> None:
        self.db.write_now(lambda conn: conn.execute(insert(table).values(**values)))

    def by(self, by: By) -> dict[str, Row]:
        return {row.name: row for row in self.db.read_now(deliverability, by, SINCE, NOW)}


@pytest.fixture
def shop() -> Shop:
    made = Shop()
    made.send("ann", "Email Delivered", "Email Opened", "Email Opened", "Email Link Clicked")
    made.send("bob", "Email Delivered", "Unsubscribed", to="bob@other.example", content="offer", journey="news", provider="ses")
    bounced = made.send("ann", content="offer")
    made.tell(bounced, "ann", "Email Bounced", type="hard")
    made.tell(bounced, "ann", "Email Bounced", type="soft")
    soft = made.send("bob", content="offer")
    made.tell(soft, "bob", "Email Bounced", bounce_type="Transient")
    spam = made.send("bob", "Email Delivered", "Email Marked as Spam")
    made.tell(spam, "bob", "Email Opened", machine=True)
    made.send("ann", state="suppressed")
    made.send("ann", ago=8)
    return made


def test_each_message_counts_once_for_each_thing_and_machines_for_nothing(shop: Shop) -> None:
    assert shop.by(By.CONTENT) == {
        "reminder": Row("reminder", sent=2, delivered=2, complained=1, opened=1, clicked=1),
        "offer": Row("offer", sent=3, delivered=1, hard=1, soft=1, unsubscribed=1),
    }


def test_messages_are_told_apart_by_journey_provider_domain_and_segment(shop: Shop) -> None:
    assert {name: row.sent for name, row in shop.by(By.JOURNEY).items()} == {"cart": 4, "news": 1}
    assert {name: row.sent for name, row in shop.by(By.PROVIDER).items()} == {"smtp": 4, "ses": 1}
    assert {name: row.sent for name, row in shop.by(By.DOMAIN).items()} == {"mail.example": 4, "other.example": 1}
    assert {name: (row.sent, row.opened) for name, row in shop.by(By.SEGMENT).items()} == {"all": (5, 1), "vip": (2, 1)}


@pytest.mark.parametrize("by", [by for by in By if by is not By.SEGMENT])
def test_whatever_they_are_told_apart_by_the_sum_is_the_same(shop: Shop, by: By) -> None:
    assert total(shop.by(by).values()) == Row("all", sent=5, delivered=3, hard=1, soft=1, complained=1, opened=1, clicked=1, unsubscribed=1)


def test_days_follow_each_other_also_those_without_a_message(shop: Shop) -> None:
    days = shop.db.read_now(by_day, SINCE, NOW)
    assert [day.isoformat() for day, _ in days][0::7] == ["2026-02-23", "2026-03-02"]
    assert [row.sent for _, row in days] == [0, 0, 0, 0, 0, 0, 5, 0]
    assert total(row for _, row in days).delivered == 3


def test_the_page_stands_alone_says_what_stands_in_the_table_and_escapes_names(shop: Shop) -> None:
    shop.send("ann", content="<script>x")
    groups = {by: shop.db.read_now(deliverability, by, SINCE, NOW) for by in By}
    days = shop.db.read_now(by_day, SINCE, NOW)
    halted = brakes.Brake("cart", "bounce", "halt", 0.2, 1, 5, "1 of 5 messages in 24h bounced", NOW)
    html = page("Linden & Loom", total(groups[By.CONTENT]), groups, days, [halted], SINCE, NOW)
    assert "Linden &amp; Loom" in html
    assert "&lt;script&gt;x" in html
    assert "<script" not in html
    assert not re.search(r'(src|href)="', html)
    assert '<meta name="viewport"' in html
    assert "cart: halted." in html
    for domain in ("mail.example", "other.example"):
        assert domain in html
    assert percent(3 / 6) in html
    picture = ElementTree.fromstring(re.search(r"<svg.*?</svg>", html, re.DOTALL)[0])
    assert len(picture.findall("g")) == 8


def test_a_shop_that_sent_nothing_has_a_page_all_the_same() -> None:
    empty = Shop()
    assert empty.by(By.CONTENT) == {}
    html = page("New", Row("all"), {by: [] for by in By}, empty.db.read_now(by_day, SINCE, NOW), [], SINCE, NOW)
    assert "0 messages were accepted" in html


@pytest.mark.parametrize(("share", "said"), [(0, "0.0%"), (0.001, "0.10%"), (0.5, "50.0%"), (1, "100.0%")])
def test_small_shares_have_more_digits(share: float, said: str) -> None:
    assert percent(share) == said
