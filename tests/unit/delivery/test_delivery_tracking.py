"""Clicks, pixels and unsubscribes over HTTP (P12, P13, P14)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from delivery_world import ANN, HTML, NOON, DeliveryWorld, FakeRendered
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.clock import VirtualClock
from sojourn.customers import consent, suppression
from sojourn.delivery import ledger, sending, settling
from sojourn.delivery.engagement import Engagement
from sojourn.delivery.outcomes import Accepted, Suppressed, Unclear
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.rules import GateRules
from sojourn.delivery.tracking import Tracking
from sojourn.store.tables import engagements

SECRET = "a secret of the unit tests"
READER = {"user-agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"}
SIX_LINKS = FakeRendered(html="<html><body>" + "".join(f'<a href="https://shop.example/{i}">{i}</a>' for i in range(6)) + "</body></html>")


@dataclass
class Reader:
    """A message that was accepted a minute ago, and somebody with an HTTP client."""

    world: DeliveryWorld
    clock: VirtualClock
    http: httpx.AsyncClient
    told: list[Engagement] = field(default_factory=list)

    def settle(self, seconds: float = 2) -> list[Engagement]:
        self.clock.move_to(self.clock.now() + timedelta(seconds=seconds))
        self.told.clear()
        self.world.db.write_now(settling.tell, self.clock.now(), lambda _conn, event: self.told.append(event))
        return self.told

    def url(self, position: int = 0) -> str:
        return self.world.links.click(self.world.key, position)

    def pending(self) -> list[Any]:
        return list(self.world.db.read_now(lambda conn: conn.execute(select(engagements)).all()))

    def standing(self) -> Any:
        return self.world.db.read_now(consent.standing, ANN, "marketing")


@pytest.fixture
async def reader(world: DeliveryWorld) -> AsyncIterator[Reader]:
    world.plan(rendered=SIX_LINKS)
    world.db.write_now(sending.claim, world.key, NOON, GateRules(), Memory())
    world.db.write_now(sending.settle, world.key, Accepted("x"), NOON, 1)
    told: list[Engagement] = []
    clock = VirtualClock(NOON)
    tracking = Tracking(world.db, world.links.tokens, clock, lambda _conn, event: told.append(event), secret=SECRET, shop_name="The <Shop>")
    transport = httpx.ASGITransport(Starlette(routes=tracking.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="https://mail.example", headers=READER) as http:
        made = Reader(world, clock, http, told)
        made.settle(60)
        yield made


async def test_a_click_leads_where_the_message_led_and_is_told_once_it_has_settled(reader: Reader) -> None:
    answer = await reader.http.get(reader.url(3))
    assert (answer.status_code, answer.headers["location"]) == (302, "https://shop.example/3")
    assert "no-store" in answer.headers["cache-control"]
    assert reader.settle(1) == []
    (event,) = reader.settle(1)
    assert (event.name, event.user_id, event.time) == ("Email Link Clicked", "u-ann", NOON + timedelta(seconds=60))
    assert event.properties["send_key"] == reader.world.key
    assert (event.properties["link_url"], event.properties.get("machine")) == ("https://shop.example/3", None)
    assert reader.settle() == []


async def test_an_open_is_told_with_the_smallest_of_pictures(reader: Reader) -> None:
    answer = await reader.http.get(reader.world.links.pixel(reader.world.key))
    assert (answer.headers["content-type"], answer.content[:6]) == ("image/gif", b"GIF89a")
    (event,) = reader.settle()
    assert (event.name, event.properties.get("machine")) == ("Email Opened", None)


async def test_a_head_request_never_counts(reader: Reader) -> None:
    assert (await reader.http.head(reader.url())).status_code == 302
    assert (await reader.http.head(reader.world.links.pixel(reader.world.key))).status_code == 200
    assert reader.pending() == []


async def test_every_link_within_two_seconds_of_acceptance_is_a_robots(reader: Reader) -> None:
    reader.clock._now = NOON + timedelta(seconds=1.9)
    for position in range(2):
        await reader.http.get(reader.url(position))
    assert [event.properties["machine"] for event in reader.settle()] == [True, True]


async def test_four_links_in_a_second_mark_the_earlier_of_them_too(reader: Reader) -> None:
    for position in range(4):
        await reader.http.get(reader.url(position))
        reader.clock.move_to(reader.clock.now() + timedelta(seconds=0.3))
    told = [*reader.settle(0.4), *reader.settle(0.3), *reader.settle(3)]
    assert [event.properties.get("machine") for event in told] == [True] * 4
    assert len({event.message_id for event in told}) == 4


async def test_three_links_in_a_second_and_a_fourth_later_are_a_readers(reader: Reader) -> None:
    for position in range(3):
        await reader.http.get(reader.url(position))
    reader.clock.move_to(reader.clock.now() + timedelta(seconds=1.1))
    await reader.http.get(reader.url(3))
    told = [*reader.settle(0.5), *reader.settle(3)]
    assert [event.properties.get("machine") for event in told] == [None] * 4


@pytest.mark.parametrize("agent", ["Mozilla/5.0", "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko (via ggpht.com GoogleImageProxy)"])
async def test_proxies_opens_are_kept_as_a_robots(reader: Reader, agent: str) -> None:
    await reader.http.get(reader.world.links.pixel(reader.world.key), headers={"user-agent": agent})
    (event,) = reader.settle()
    assert (event.name, event.properties["machine"]) == ("Email Opened", True)


async def test_changed_and_cross_purpose_addresses_are_not_found_and_leave_no_row(reader: Reader) -> None:
    click, pixel, leave = reader.url(), reader.world.links.pixel(reader.world.key), reader.world.links.unsubscribe(reader.world.key)
    tokens = [url.rpartition("/")[2].removesuffix(".gif") for url in (click, pixel, leave)]
    wrong = [f"/c/{tokens[1]}", f"/c/{tokens[2]}", f"/o/{tokens[0]}.gif", f"/u/{tokens[0]}", f"/u/{tokens[1]}", "/c/x"]
    wrong.append(f"/c/{tokens[0][:-1]}")
    wrong += [f"/c/{tokens[0][:5]}{'A' if tokens[0][5] != 'A' else 'B'}{tokens[0][6:]}", reader.url(6), f"{click}?url=https://evil.example"]
    wrong.append(reader.world.links.click("00000000-0000-4000-8000-00000000dead", 0))
    for url in wrong[:-2] + wrong[-1:]:
        assert (await reader.http.get(url)).status_code == 404, url
        assert (await reader.http.post(url)).status_code in (404, 405)
    assert (await reader.http.get(wrong[-2])).headers["location"] == "https://shop.example/0"
    assert len(reader.pending()) == 1
    assert reader.standing().granted


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_the_unsubscribe_page_changes_nothing(reader: Reader, method: str) -> None:
    answer = await reader.http.request(method, reader.world.links.unsubscribe(reader.world.key), headers={"sec-purpose": "prefetch"})
    assert answer.status_code == 200
    if method == "GET":
        assert answer.text.count("<button") == 1
        assert "The &lt;Shop&gt;" in answer.text
    assert reader.standing().granted
    assert reader.told == []
    assert reader.world.db.read_now(suppression.suppressed, SECRET, "ann@example.com") is None


@pytest.mark.parametrize("body", [b"List-Unsubscribe=One-Click", b""])
async def test_a_post_unsubscribes_at_once_and_once(reader: Reader, body: bytes) -> None:
    url = reader.world.links.unsubscribe(reader.world.key)
    for _ in range(2):
        answer = await reader.http.post(url, content=body, headers={"content-type": "application/x-www-form-urlencoded"})
        assert (answer.status_code, "You are unsubscribed" in answer.text) == (200, True)
    assert not reader.standing().granted
    assert reader.world.db.read_now(suppression.suppressed, SECRET, "Ann@Example.com") == "unsubscribed"
    assert [(event.name, event.properties["purpose"]) for event in reader.told] == [("Unsubscribed", "marketing")]
    second = reader.world.plan(reader.world.another("2")).key
    assert isinstance(reader.world.db.write_now(sending.claim, second, reader.clock.now(), GateRules(), Memory()), Suppressed)


AGAIN = consent.Said("marketing", granted=True, source="form", own=True)


async def test_a_consent_given_again_can_be_withdrawn_by_the_same_link(reader: Reader) -> None:
    url = reader.world.links.unsubscribe(reader.world.key)
    await reader.http.post(url)
    reader.clock.move_to(reader.clock.now() + timedelta(hours=1))
    reader.world.db.write_now(consent.record, ANN, AGAIN, reader.clock.now(), "m-9")
    assert reader.standing().granted
    reader.clock.move_to(reader.clock.now() + timedelta(hours=1))
    await reader.http.post(url)
    assert not reader.standing().granted
    assert len({event.message_id for event in reader.told}) == 2


async def test_who_clicks_a_message_whose_answer_was_lost_has_received_it(world: DeliveryWorld, reader: Reader) -> None:
    class Unkeyed(Memory):
        klass = "C"

    lost = world.plan(world.another("7"), FakeRendered(html=HTML)).key
    world.db.write_now(sending.claim, lost, NOON, GateRules(), Unkeyed())
    world.db.write_now(sending.settle, lost, Unclear("lost"), NOON, 1)
    await reader.http.get(world.links.click(lost, 0))
    assert world.db.write_now(ledger.load, lost).state == "accepted"
