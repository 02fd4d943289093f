"""Bounces that come by mail: what is hard, what is soft, and what is nobody's business."""

from __future__ import annotations

from datetime import timedelta

import pytest
from delivery_world import NOON, DeliveryWorld
from httpx import ASGITransport, AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.clock import VirtualClock
from sojourn.customers import suppression
from sojourn.delivery import bounces, ledger, sending
from sojourn.delivery.engagement import Engagement
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, Unclear
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.webhooks.base import Kind, Notice
from sojourn.delivery.webhooks.bounce_mail import BounceMail
from sojourn.delivery.webhooks.door import WebhookDoor
from sojourn.delivery.webhooks.taking import take
from sojourn.store.tables import engagements

SECRET = "the secret of the shop, which is long enough"
TOKEN = "a token of many letters"
KEY = "93b4cb67-d9ae-5771-ac4e-52cf272f971e"


def report(key: str = KEY, *, status: str = "5.1.1", action: str = "failed", address: str = "ann@example.com") -> bytes:
    """A report as RFC 3464, appendix E, and Postfix write it."""
    return f"""From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: hello@shop.example
Subject: Undelivered Mail Returned to Sender
Message-Id: <20260302120100.1@mx.example.com>
Date: Mon, 02 Mar 2026 12:01:00 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
Arrival-Date: Mon, 02 Mar 2026 12:00:00 +0000

Final-Recipient: rfc822; {address}
Original-Recipient: rfc822;{address}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 {status} <{address}>: rejected

--b
Content-Type: text/rfc822-headers

From: "The Shop" <hello@shop.example>
To: {address}
Message-ID: <{key}@shop.example>
Subject: Your cart waits

--b--
""".encode()


def qmail(key: str = KEY) -> bytes:
    """A bounce of qmail's, which has words and no report."""
    return f"""From: MAILER-DAEMON@mx.example.com
To: hello@shop.example
Subject: failure notice
Date: Mon, 02 Mar 2026 12:01:00 +0000

Hi. This is the qmail-send program at mx.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@example.com>:
192.0.2.1 does not like recipient.
Remote host said: 550 5.1.1 unknown user

--- Below this line is a copy of the message.

Return-Path: <hello@shop.example>
Message-ID: <{key}@shop.example>
Subject: Your cart waits

""".encode()


@pytest.mark.parametrize(
    ("status", "action", "kind", "hard"),
    [
        ("5.1.1", "failed", Kind.BOUNCED, True),  # no such mailbox
        ("5.1.2", "failed", Kind.BOUNCED, True),  # no such host
        ("5.2.1", "failed", Kind.BOUNCED, True),  # the mailbox is closed
        ("5.2.2", "failed", Kind.BOUNCED, False),  # it is full
        ("5.3.4", "failed", Kind.BOUNCED, False),  # the message is too large
        ("5.4.4", "failed", Kind.BOUNCED, False),  # no way there
        ("5.7.1", "failed", Kind.BOUNCED, False),  # a policy, such as taking us for spam
        ("4.4.1", "failed", Kind.BOUNCED, False),  # given up after days of trying
        ("4.4.1", "delayed", Kind.DEFERRED, False),
        ("2.0.0", "delivered", Kind.DELIVERED, False),
        ("2.0.0", "relayed", Kind.ACCEPTED, False),
    ],
)
def test_hard_and_soft_are_told_by_the_status_code(status: str, action: str, kind: Kind, hard: bool) -> None:
    found = bounces.read(report(status=status, action=action))
    assert found is not None
    assert (found.send_key, found.addresses, found.kind, found.hard) == (KEY, {"ann@example.com"}, kind, hard)


def test_words_without_a_report_are_understood() -> None:
    found = bounces.read(qmail())
    assert found is not None
    assert (found.send_key, found.addresses, found.status, found.hard) == (KEY, {"ann@example.com"}, "5.1.1", True)


def test_an_answer_from_a_person_and_a_bounce_of_anothers_message_are_none() -> None:
    answer = f"From: ann@example.com\r\nIn-Reply-To: <{KEY}@shop.example>\r\nSubject: Re: Your cart\r\n\r\n5.1.1 is my lucky number.\r\n"
    assert bounces.read(answer.encode()) is None
    quoting = answer + f"> Message-ID: <{KEY}@shop.example>\r\n> To: ann@example.com\r\n"
    assert bounces.read(quoting.encode()) is None
    assert bounces.read(report(key="not-one-of-ours")) is None


@given(st.binary(max_size=2000))
def test_no_mail_breaks_the_reader(raw: bytes) -> None:
    bounces.read(raw)
    bounces.read(report() + raw)
    found = bounces.read(report()[:700] + raw + report()[700:])
    assert found is None or found.send_key == KEY


@pytest.fixture
def town(world: DeliveryWorld) -> DeliveryWorld:
    world.plan()
    world.db.write_now(sending.claim, world.key, NOON, world.rules, Memory())
    return world


async def post(world: DeliveryWorld, raw: bytes, token: str = TOKEN) -> tuple[int, list]:
    emitted: dict = {}

    def emit(_conn: object, event: Engagement) -> None:
        emitted.setdefault(event.message_id, event)

    hooks, clock = {"bounce-mail": BounceMail(TOKEN)}, VirtualClock(NOON + timedelta(minutes=5))
    door = WebhookDoor(world.db, hooks, clock, emit, secret=SECRET, public_url="https://mail.example", real=lambda: NOON)
    async with AsyncClient(transport=ASGITransport(Starlette(routes=door.routes())), base_url="http://test") as web:
        answer = await web.post("/v1/webhooks/bounce-mail", content=raw, headers={"authorization": f"Bearer {token}"})
    return answer.status_code, [(event.name, event.properties.get("bounce")) for event in emitted.values()]


def listed(world: DeliveryWorld) -> str | None:
    return world.db.read_now(suppression.suppressed, SECRET, "ann@example.com")


async def test_a_hard_bounce_suppresses_the_address_once_and_proves_that_the_message_went_out(town: DeliveryWorld) -> None:
    town.db.write_now(sending.settle, town.key, Unclear("lost"), NOON, 1)
    assert await post(town, report(town.key)) == (200, [("Email Bounced", "hard")])
    assert await post(town, report(town.key)) == (200, [])
    assert listed(town) == "hard_bounce"
    assert town.db.write_now(ledger.load, town.key).state is State.ACCEPTED


async def test_a_soft_bounce_suppresses_nothing(town: DeliveryWorld) -> None:
    town.db.write_now(sending.settle, town.key, Accepted("id"), NOON, 1)
    assert await post(town, report(town.key, status="5.2.2")) == (200, [("Email Bounced", "soft")])
    assert listed(town) is None


async def test_a_forged_bounce_changes_nothing(town: DeliveryWorld) -> None:
    assert await post(town, report(town.key), token="another token of letters") == (401, [])
    assert await post(town, report(town.key, address="someone@else.example")) == (200, [])
    assert listed(town) is None
    assert town.db.write_now(ledger.load, town.key).state is State.CLAIMED


@pytest.mark.parametrize(("agent", "robot"), [(None, False), ("", False), ("  ", False), ("Googlebot/2.1", True)])
def test_an_open_whose_provider_passes_on_no_agent_is_not_a_robots_for_that(town: DeliveryWorld, agent: str | None, robot: bool) -> None:
    town.db.write_now(sending.settle, town.key, Accepted("id"), NOON, 1)
    opened = Notice("1", Kind.OPENED, NOON + timedelta(minutes=1), town.key, agent=agent)
    town.db.write_now(take, Memory().name, [opened], NOON + timedelta(minutes=2), SECRET, lambda _conn, _event: None)
    because = town.db.read_now(lambda conn: conn.execute(select(engagements.c.machine)).scalar_one())
    assert (because is not None) is robot
