"""The whole road on the real development server: event, journey, e-mail, click, branch, purchase."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import segment.analytics as segment  # type: ignore[import-untyped]
from stack import BROWSER, Stack, running, until
from temporalio.client import Client

pytestmark = pytest.mark.real
SCALE = 3600.0  # an hour of the shop in a second


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    # send_between would hold mails through the shop's night: these people live where it is day for the next minutes
    with running(tmp_path_factory.mktemp("road") / "var", "--time-scale", str(SCALE)) as stack:
        yield stack


class Shopper:
    """Someone whose browser speaks Segment's Python client."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.id = f"user-{uuid.uuid4().hex[:12]}"
        self.client = segment.Client(stack.write_key, host=stack.url, sync_mode=True, timeout=10, max_retries=3)
        self.client.identify(
            self.id,
            {"email": f"{self.id}@customer.example", "first_name": "Ada"},
            context={"consent": {"categoryPreferences": {"marketing": True}}, "timezone": daylight_zone(stack)},
        )

    def track(self, event: str, **properties: Any) -> None:
        self.client.track(self.id, event, properties)

    def entry(self, journey: str = "cart_abandonment") -> tuple[Any, ...] | None:
        rows = self.stack.rows(
            "select e.workflow_id, e.state, e.outcome, e.id from entries e join identifiers i on i.profile_id = e.profile_id "
            "where i.value = ? and e.journey = ?",
            self.id, journey,
        )  # fmt: skip
        return rows[0] if rows else None

    def outcome(self) -> str | None:
        entry = self.entry()
        return entry[2] if entry and entry[1] == "ended" else None

    def send(self, send_id: str) -> tuple[str, str] | None:
        entry = self.entry()
        rows = entry and self.stack.rows(
            "select s.key, m.html from sends s join messages m on m.send_key = s.key "
            "where s.entry_id = ? and s.send_id = ? and s.state = 'accepted'",
            entry[3], send_id,
        )  # fmt: skip
        return rows[0] if rows else None


def daylight_zone(stack: Stack) -> str:
    """A zone in which the shop's clock now says about 08:00, so that no quiet hours hold a mail for long."""
    shop = datetime.fromisoformat(httpx.get(f"{stack.url}/api/health").json()["shop_time"]).astimezone(UTC)
    offset = (9 - shop.hour + 12) % 24 - 12
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/UTC"


def history(stack: Stack, workflow_id: str) -> list[str]:
    async def fetch() -> list[str]:
        health = httpx.get(f"{stack.url}/api/health", headers={"authorization": f"Bearer {stack.admin_token}"}).json()
        assert health["status"] == "ok", health
        client = await Client.connect(stack.temporal)
        events = client.get_workflow_handle(workflow_id).fetch_history_events()
        from temporalio.api.enums.v1 import EventType

        return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") async for event in events]

    return asyncio.run(fetch())


def test_a_reminder_arrives_and_its_link_leads_to_the_clicked_branch(stack: Stack) -> None:
    ada = Shopper(stack)
    ada.track("Product Added", price=45, cart_id=f"cart-{ada.id}", name="Lamp")
    _, html = until(lambda: ada.send("reminder"), 60, "the reminder")
    assert any(ada.id in str(mail["To"]) for mail in stack.mails())
    click = next(part.split('"')[0] for part in html.split('href="')[1:] if "/c/" in part.split('"')[0])
    answer = httpx.get(click, headers=BROWSER)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://shop.example")
    assert until(ada.outcome, 30, "the end") == "browsed"
    assert ada.send("offer") is None
    assert ada.send("last_call") is None


def test_a_purchase_during_a_wait_ends_the_journey_and_nothing_more_is_sent(stack: Stack) -> None:
    ada = Shopper(stack)
    ada.track("Product Added", price=45, cart_id=f"cart-{ada.id}", name="Lamp")
    until(lambda: ada.send("reminder"), 60, "the reminder")
    ada.track("Order Completed", order_id="o1", revenue=45)
    assert until(ada.outcome, 30, "the end") == "purchased"
    entry = ada.entry()
    assert entry
    assert [row for (row,) in stack.rows("select send_id from sends where entry_id = ?", entry[3])] == ["reminder"]
    assert stack.rows("select goal_value from entries where id = ?", entry[3]) == [(45.0,)]


def test_a_purchase_within_the_hour_costs_temporal_at_most_four_events(stack: Stack) -> None:
    ada = Shopper(stack)
    ada.track("Product Added", price=45, cart_id=f"cart-{ada.id}", name="Lamp")
    ada.track("Order Completed", order_id="o2", revenue=45)
    assert until(ada.outcome, 30, "the end") == "purchased"
    entry = ada.entry()
    assert entry
    until(lambda: "TERMINATED" in history(stack, entry[0])[-1], 10, "the end of its workflow")
    assert len(history(stack, entry[0])) <= 4
    assert ada.send("reminder") is None


def test_a_cart_with_one_mail_and_a_click_costs_temporal_at_most_seventeen_events(stack: Stack) -> None:
    ada = Shopper(stack)
    ada.track("Product Added", price=45, cart_id=f"cart-{ada.id}", name="Lamp")
    _, html = until(lambda: ada.send("reminder"), 60, "the reminder")
    click = next(part.split('"')[0] for part in html.split('href="')[1:] if "/c/" in part.split('"')[0])
    httpx.get(click, headers=BROWSER)
    assert until(ada.outcome, 30, "the end") == "browsed"
    entry = ada.entry()
    assert entry
    events = until(lambda: (found := history(stack, entry[0]))[-1].endswith("COMPLETED") and found, 10, "the end of its workflow")
    held = events.count("TIMER_STARTED") - 1  # a mail held for the recipient's morning waits once more
    assert len(events) <= 17 + held * 8, events


def test_why_a_message_came_is_told_by_the_admin_api(stack: Stack) -> None:
    ada = Shopper(stack)
    ada.track("Product Added", price=45, cart_id=f"cart-{ada.id}", name="Lamp")
    key, _ = until(lambda: ada.send("reminder"), 60, "the reminder")
    answer = httpx.get(f"{stack.url}/api/sends/{key}", headers={"authorization": f"Bearer {stack.admin_token}"})
    assert answer.status_code == 200
    told = answer.text
    assert "consent" in told
    assert "purchase_propensity" in told


def test_without_consent_nobody_enters_and_the_reason_is_kept(stack: Stack) -> None:
    with stack.http as http:
        user = f"user-{uuid.uuid4().hex[:12]}"
        http.post("/v1/identify", json={"userId": user, "traits": {"email": f"{user}@customer.example"}})
        http.post("/v1/track", json={"userId": user, "event": "Product Added", "properties": {"price": 45, "cart_id": user}})
    reasons = until(
        lambda: stack.rows("select r.reason from refusals r join identifiers i on i.profile_id = r.profile_id where i.value = ?", user)
    )
    assert "no consent for marketing" in [reason for (reason,) in reasons]


@pytest.mark.exhaustive
def test_a_second_up_on_the_same_data_goes_on_where_it_was(tmp_path: Path) -> None:
    flags = ("--time-scale", "60")  # the hour's wait takes a minute: it cannot end before the stop
    with running(tmp_path / "var", *flags) as stack:
        ada = Shopper(stack)
        ada.track("Product Added", price=45, cart_id=f"cart-{ada.id}", name="Lamp")
        until(ada.entry, 30, "the entry")
    with running(tmp_path / "var", *flags) as stack:
        ada.stack = stack
        entry = ada.entry()
        assert entry
        assert entry[1] == "running"
        client = segment.Client(stack.write_key, host=stack.url, sync_mode=True, timeout=10)
        client.track(ada.id, "Order Completed", {"order_id": "o3", "revenue": 45})
        assert until(ada.outcome, 30, "the end") == "purchased"
