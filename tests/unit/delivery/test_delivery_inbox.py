"""The local inbox: a Maildir, idempotent by key, and its pages."""

from __future__ import annotations

import mailbox
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from sojourn.delivery.inbox_page import InboxPages
from sojourn.delivery.message import Message
from sojourn.delivery.providers.inbox import Inbox

MESSAGE = Message(
    key="6a1c4a50-1111-4222-8333-944455556666", to_address="ann@example.com", to_name="Ann", from_address="hello@shop.example",
    from_name="The <b>Shop</b>", subject="Your <script>cart</script> waits", text="Plain words\n",
    html="<html><head><title>x</title></head><body><p>Rich words</p><script>alert(1)</script></body></html>",
    date=datetime(2026, 3, 2, 12, tzinfo=UTC), headers={"Feedback-ID": "a:b:c:sojourn"},
)  # fmt: skip


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=InboxPages(tmp_path / "inbox", time_scale=3600).routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://inbox.example") as client:
        yield client


async def test_a_second_delivery_under_a_key_is_no_second_message(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    first = await inbox.deliver(MESSAGE)
    assert await inbox.deliver(replace(MESSAGE, subject="Another")) == first
    (stored,) = mailbox.Maildir(tmp_path / "inbox", create=False)
    assert stored["Subject"] == MESSAGE.subject
    assert first.delivered


async def test_a_message_that_a_mail_program_has_read_is_not_delivered_again(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    await inbox.deliver(MESSAGE)
    (tmp_path / "inbox/new" / MESSAGE.key).rename(tmp_path / "inbox/cur" / f"{MESSAGE.key}:2,S")
    await inbox.deliver(MESSAGE)
    assert len(list(mailbox.Maildir(tmp_path / "inbox", create=False))) == 1


async def test_an_inbox_in_which_nothing_has_arrived_says_so(http: httpx.AsyncClient) -> None:
    answer = await http.get("/inbox")
    assert (answer.status_code, "Nothing here yet" in answer.text) == (200, True)


async def test_the_list_shows_the_newest_first_in_pages_with_everything_escaped(http: httpx.AsyncClient, tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "inbox")
    for i in range(51):
        await inbox.deliver(replace(MESSAGE, key=f"6a1c4a50-1111-4222-8333-{i:012d}", subject=f"Message {i:02d} <script>"))
    first, second = (await http.get("/inbox")).text, (await http.get("/inbox?page=2")).text
    assert first.index("Message 50") < first.index("Message 49") < first.index("Message 01")
    assert "Message 00" in second
    assert "Message 00" not in first
    assert "<script>" not in first
    assert "The &lt;b&gt;Shop" in first
    assert "3,600 times as fast" in first
    for odd in ("0", "-1", "x", "99999999999999999999", "7"):
        assert (await http.get(f"/inbox?page={odd}")).status_code == 200


async def test_beside_the_subject_stands_the_preheader_else_how_the_text_begins_without_its_addresses(
    http: httpx.AsyncClient, tmp_path: Path
) -> None:
    inbox = Inbox(tmp_path / "inbox")
    text = "The Shop <http://127.0.0.1:8080/c/abc>\n\nGood morning, Ann\n"
    await inbox.deliver(replace(MESSAGE, text=text))
    assert "The Shop Good morning, Ann<" in (await http.get("/inbox")).text
    hidden = '<div style="display:none;max-height:0">Two &amp; <b>a half</b> things wait.&#847;&zwnj;&nbsp;&#847;&zwnj;&nbsp;</div>'
    await inbox.deliver(replace(MESSAGE, key=MESSAGE.key.replace("6a", "6b"), text=text, html=f"<body>{hidden}<p>Rich words</p></body>"))
    assert "Two &amp; a half things wait.<" in (await http.get("/inbox")).text


async def test_the_bare_address_leads_to_the_inbox(http: httpx.AsyncClient) -> None:
    assert (await http.get("/")).headers["location"] == "/inbox"


async def test_a_message_is_shown_in_a_frame_that_can_do_nothing(http: httpx.AsyncClient, tmp_path: Path) -> None:
    await Inbox(tmp_path / "inbox").deliver(MESSAGE)
    around = await http.get(f"/inbox/{MESSAGE.key}")
    assert "<script>" not in around.text
    assert f'src="/inbox/{MESSAGE.key}/html"' in around.text
    assert "allow-scripts" not in around.text
    inside = await http.get(f"/inbox/{MESSAGE.key}/html")
    assert "Rich words" in inside.text
    rules = inside.headers["content-security-policy"]
    assert rules.startswith("sandbox ")
    assert "default-src 'none'" in rules
    assert "allow-scripts" not in rules
    assert "allow-same-origin" not in rules


async def test_the_text_part_and_the_headers_have_their_tabs(http: httpx.AsyncClient, tmp_path: Path) -> None:
    await Inbox(tmp_path / "inbox").deliver(MESSAGE)
    assert "<pre>Plain words" in (await http.get(f"/inbox/{MESSAGE.key}?tab=text")).text
    headers = (await http.get(f"/inbox/{MESSAGE.key}?tab=headers")).text
    assert "Feedback-ID" in headers
    assert f"&lt;{MESSAGE.key}@shop.example&gt;" in headers


@pytest.mark.parametrize("key", ["nothing", "..%2f..%2fetc%2fpasswd", "6a1c4a50-1111-4222-8333-000000000000", "%2e%2e"])
async def test_what_is_not_there_is_not_found(http: httpx.AsyncClient, key: str, tmp_path: Path) -> None:
    await Inbox(tmp_path / "inbox").deliver(MESSAGE)
    assert (await http.get(f"/inbox/{key}")).status_code == 404
