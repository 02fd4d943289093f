"""People and senders at international domains: A-labels go out, whatever was written, and every spelling is one person."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from typing import Any

import pytest
from delivery_world import NOON, DeliveryWorld
from fake_api import FakeApi, serving
from fake_providers import FAKES, PATIENT
from smtp_server import Mailbox, running
from sqlalchemy import Connection, insert, update
from test_dkim import pem

from sojourn.clock import VirtualClock
from sojourn.customers import suppression
from sojourn.delivery import bounces, sending
from sojourn.delivery.dkim import Dkim
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.outcomes import Accepted, Claimed, Suppressed
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.providers.smtp import Smtp
from sojourn.delivery.webhooks.taking import take
from sojourn.intake.emit import emit
from sojourn.language.email_address import NO_SMTPUTF8
from sojourn.store.tables import messages, suppressions

SECRET = "s" * 32
TO, FROM, REPLY = "ann@exämple.de", "hallo@bücher.example", "hilfe@BÜCHER.example"
WIRE_TO, WIRE_FROM, WIRE_REPLY = "ann@xn--exmple-cua.de", "hallo@xn--bcher-kva.example", "hilfe@xn--bcher-kva.example"
SHARP = "a@xn--fuball-cta.de"
TWO = [("a@fußball.de", "a@fussball.de"), ("a@fussball.de", "a@fußball.de"), ("a@βόλος.gr", "a@βόλοσ.gr")]
SPELLINGS = [TO, "Ann@EXÄMPLE.DE", WIRE_TO, "ANN@XN--EXMPLE-CUA.DE", "ann@exa\u0308mple\u3002de"]


def message() -> Message:
    return Message(
        key="93b4cb67-d9ae-5771-ac4e-52cf272f971e", to_address=TO, to_name="Änn", from_address=FROM, from_name="Bücher", subject="s",
        html="<p>h</p>", text="t", date=NOON, headers={"Reply-To": WIRE_REPLY},
    )  # fmt: skip


def anything(api: FakeApi, asked: Any) -> tuple[int, Any]:
    if asked.path.endswith("send-raw.json"):
        return 200, [{"status": "queued", "_id": "1"}]
    return 200, dict.fromkeys(("id", "messageId", "MessageID", "MessageId"), "1")


@pytest.mark.parametrize("name", [name for name in FAKES if name != "blind"])
async def test_every_providers_call_bears_a_labels(name: str) -> None:
    async with serving(anything) as api:
        provider = FAKES[name].make(api.url, PATIENT)
        await provider.deliver(message())
        if hasattr(provider, "api"):
            await provider.api.aclose()
    (asked,) = api.asked
    body = asked.body.decode()
    if name == "ses":  # raw MIME in Base64 beside the addresses
        assert asked.json["Destination"]["ToAddresses"] == [WIRE_TO]
        assert asked.json["FromEmailAddress"] == WIRE_FROM
    else:
        assert WIRE_TO in body
        assert WIRE_FROM in body
    assert "exämple" not in body
    assert "ücher.example" not in body
    assert "\\u00" not in body.replace("\\u00c4nn", "").replace('B\\u00fccher"', "").replace('B\\u00fccher\\"', "")


async def test_headers_envelope_message_id_and_dkim_bear_a_labels(world: DeliveryWorld) -> None:
    order = world.another("2", to_address=TO, from_address=FROM, reply_to=REPLY)
    mailbox = Mailbox()
    envelopes = []

    class Kept(Mailbox):
        async def handle_DATA(self, server, session, envelope):
            envelopes.append((session.host_name, envelope.mail_from, envelope.rcpt_tos))
            return await super().handle_DATA(server, session, envelope)

    mailbox = Kept()
    world.plan(order)
    with running(mailbox) as server:
        smtp = Smtp("127.0.0.1", server.port, sign=Dkim(pem(), "s1"))
        outcome = await sending.deliver(world.db, smtp, order.key, VirtualClock(NOON), world.rules)
    assert isinstance(outcome, Accepted)
    assert envelopes == [("xn--bcher-kva.example", WIRE_FROM, [WIRE_TO])]
    read = message_from_bytes(mailbox.stored[0], policy=policy.default)
    assert mailbox.stored[0].partition(b"\r\n\r\n")[0].isascii()
    assert [read[name].addresses[0].addr_spec for name in ("To", "From", "Reply-To")] == [WIRE_TO, WIRE_FROM, WIRE_REPLY]
    assert read["Message-ID"] == f"<{order.key}@xn--bcher-kva.example>"
    assert "d=xn--bcher-kva.example;" in read["DKIM-Signature"]


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("other", SPELLINGS)
def test_a_word_about_one_spelling_stops_every_other(world: DeliveryWorld, spelling: str, other: str) -> None:
    world.db.write_now(suppression.suppress, SECRET, spelling, "manual", NOON)
    assert world.db.read_now(suppression.suppressed, SECRET, other) == "manual"
    assert world.db.read_now(suppression.on_list, SECRET, [other, "ann@example.de"]) == {other}
    assert world.db.write_now(suppression.unsuppress, SECRET, other)
    assert world.db.read_now(suppression.look, SECRET, spelling) is None


@pytest.mark.parametrize(("one", "other"), TWO)
def test_two_domains_that_fold_alike_stay_two(world: DeliveryWorld, one: str, other: str) -> None:
    world.db.write_now(suppression.suppress, SECRET, one, "manual", NOON)
    assert world.db.read_now(suppression.suppressed, SECRET, one) == "manual"
    assert world.db.read_now(suppression.suppressed, SECRET, other) is None


@pytest.mark.parametrize(
    ("listed", "asked"),
    [(TO, WIRE_TO), (WIRE_TO, TO), ("a@fußball.de", "a@fußball.de"), ("a@fußball.de", "a@xn--fuball-cta.de"), (SHARP, "a@fußball.de")],
)
def test_what_stood_on_the_list_before_addresses_had_one_form_is_found_and_can_be_taken_off(
    world: DeliveryWorld, listed: str, asked: str
) -> None:
    before = suppression._hash(SECRET, suppression._fold(listed))  # as it was written then

    def write(conn: Connection) -> None:
        conn.execute(insert(suppressions).values(address_hash=before, reason="complaint", at=NOON, folded=True))

    world.db.write_now(write)
    assert world.db.read_now(suppression.suppressed, SECRET, asked) == "complaint"
    assert asked in world.db.read_now(suppression.on_list, SECRET, [asked])
    assert world.db.write_now(suppression.unsuppress, SECRET, asked)
    assert world.db.read_now(suppression.suppressed, SECRET, asked) is None


def test_an_address_that_only_smtputf8_could_carry_is_refused_with_that_reason(world: DeliveryWorld) -> None:
    row = world.plan(world.another("2", to_address="änn@example.com"))
    refused = world.db.write_now(sending.claim, row.key, NOON, world.rules, Memory())
    assert isinstance(refused, Suppressed)
    assert NO_SMTPUTF8 in refused.reason


@pytest.mark.parametrize("named", ["ann@exämple.de", "ANN@xn--exmple-cua.de"])
@pytest.mark.parametrize("kind", ["rfc822", "utf-8"])
def test_a_bounce_may_name_the_address_in_either_form(world: DeliveryWorld, named: str, kind: str) -> None:
    order = world.another("2", to_address=TO)
    world.plan(order)
    assert isinstance(world.db.write_now(sending.claim, order.key, NOON, world.rules, Memory()), Claimed)
    raw = (
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n'
        f"Reporting-MTA: dns; mx.example\n\nFinal-Recipient: {kind}; {named}\nAction: failed\nStatus: 5.1.1\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{order.key}@shop.example>\n\n--b--\n"
    ).encode()
    found = bounces.read(raw)
    assert found is not None
    taken = world.db.write_now(take, "bounce-mail", [bounces.notice(found, raw)], NOON, SECRET, emit)
    assert taken.new == 1
    assert world.db.read_now(suppression.suppressed, SECRET, TO) == "hard_bounce"


def test_a_message_that_was_frozen_in_unicode_before_goes_out_in_a_labels(world: DeliveryWorld) -> None:
    row = world.plan()
    world.db.write_now(lambda conn: conn.execute(update(messages).values(to_address=TO, from_address=FROM)))
    claimed = world.db.write_now(sending.claim, row.key, NOON, world.rules, Memory())
    assert isinstance(claimed, Claimed)
    assert (claimed.message.to_address, claimed.message.from_address) == (WIRE_TO, WIRE_FROM)
    assert b"xn--exmple-cua.de" in to_bytes(claimed.message)


def test_an_address_in_quotes_is_written_as_rfc_5321_has_it(world: DeliveryWorld) -> None:
    raw = to_bytes(replace(message(), to_name=None, to_address='"ann lee"@exämple.de'))
    assert message_from_bytes(raw, policy=policy.default)["To"].addresses[0].addr_spec == '"ann lee"@xn--exmple-cua.de'
