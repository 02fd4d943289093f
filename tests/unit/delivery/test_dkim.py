"""Mail for a plain mail server is signed, and what receives it finds the signature good."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from email import policy
from email.parser import BytesParser
from functools import cache
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from delivery_world import NOON, DeliveryWorld
from hypothesis import given
from hypothesis import strategies as st
from laws import law
from smtp_server import Mailbox, running

from sojourn.clock import VirtualClock
from sojourn.commands.dns import _public_key
from sojourn.delivery import sending
from sojourn.delivery.dkim import SIGNED, Dkim
from sojourn.delivery.message import Message, UnsafeHeader, to_bytes
from sojourn.delivery.outcomes import Accepted
from sojourn.delivery.providers.smtp import Smtp
from sojourn.errors import ProviderLocked, SettingsError
from sojourn.language.shop import TRANSACTIONAL


@cache
def pem() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def message(subject: str = "Your cart waits", name: str = "Ann") -> Message:
    return Message(
        key="93b4cb67-d9ae-5771-ac4e-52cf272f971e", to_address="ann@example.com", to_name=name, from_address="hello@shop.example",
        from_name="The Shop", subject=subject, html="<p>Hello</p>", text="Hello\n", date=NOON,
        headers={
            "List-Unsubscribe": "<https://mail.example/u/x>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Feedback-ID": "a:b",
        },
    )  # fmt: skip


@cache
def record(folder: Path) -> bytes:
    path = folder / "key.pem"
    path.write_bytes(pem())
    return b"v=DKIM1; k=rsa; p=" + _public_key(str(path)).encode()


def verified(raw: bytes, tmp_path: Path) -> bool:
    def txt(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.shop.example."
        return record(tmp_path)

    return dkim.verify(raw, dnsfunc=txt)


def signature(raw: bytes) -> str:
    return raw.partition(b"\r\nFrom:")[0].decode().replace("\r\n", "")


def test_a_signature_is_good_and_covers_what_unsubscribes(tmp_path: Path) -> None:
    raw = Dkim(pem(), "s1")(to_bytes(message()))
    assert verified(raw, tmp_path)
    covered = signature(raw).split("h=")[1].split(";")[0].replace(" ", "").lower().split(":")
    assert {"from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"} <= set(covered)
    assert {name.decode().lower() for name in SIGNED} >= set(covered)


@pytest.mark.parametrize("part", [b"List-Unsubscribe: <https://mail", b"Subject: Your", b"<p>Hello</p>", b"To: "])
def test_whoever_changes_a_part_breaks_the_signature(tmp_path: Path, part: bytes) -> None:
    raw = Dkim(pem(), "s1")(to_bytes(message()))
    assert raw.count(part) == 1
    assert not verified(raw.replace(part, part + b"x"), tmp_path)


@law(40)
@given(subject=st.text(min_size=1, max_size=60), name=st.text(max_size=30))
def test_whatever_a_message_says_its_signature_is_good(tmp_path_factory: pytest.TempPathFactory, subject: str, name: str) -> None:
    try:
        raw = to_bytes(message(subject, name))
    except UnsafeHeader:
        return
    assert verified(Dkim(pem(), "s1")(raw), tmp_path_factory.mktemp("key"))


@pytest.mark.parametrize("key", [b"", b"no key", b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"])
def test_what_is_no_key_is_said_at_the_start(key: bytes) -> None:
    with pytest.raises(SettingsError, match="SOJOURN_DKIM_KEY"):
        Dkim(key, "s1")


def test_a_key_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SOJOURN_DKIM_KEY"):
        Dkim.read(str(tmp_path / "none.pem"), "s1")


async def test_a_mail_server_is_handed_signed_mail(tmp_path: Path) -> None:
    mailbox = Mailbox()
    with running(mailbox) as server:
        await Smtp("127.0.0.1", server.port, sign=Dkim(pem(), "s1")).deliver(message())
    (raw,) = mailbox.stored
    assert verified(raw, tmp_path)


@pytest.mark.parametrize("name", ["From", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post", "Content-Type"])
def test_whoever_adds_a_second_header_breaks_the_signature(tmp_path: Path, name: str) -> None:
    raw = Dkim(pem(), "s1")(to_bytes(message()))
    assert verified(raw, tmp_path)
    assert not verified(f"{name}: <https://evil.example/>\r\n".encode() + raw, tmp_path)
    assert verified(b"Feedback-ID: a relay's own\r\n" + raw, tmp_path)


@pytest.mark.parametrize("purpose", ["marketing", TRANSACTIONAL])
async def test_what_a_send_hands_to_a_mail_server_bears_a_signed_feedback_id_and_a_signed_way_out(
    world: DeliveryWorld, tmp_path: Path, purpose: str
) -> None:
    order = replace(world.order, purpose=purpose)
    world.plan(order)
    mailbox = Mailbox()
    with running(mailbox) as server:
        smtp = Smtp("127.0.0.1", server.port, sign=Dkim(pem(), "s1"))
        assert isinstance(await sending.deliver(world.db, smtp, order.key, VirtualClock(NOON), world.rules), Accepted)
    (raw,) = mailbox.stored
    assert verified(raw, tmp_path)
    read = BytesParser(policy=policy.default).parsebytes(raw)
    covered = [name.strip().lower() for name in re.search(r"\bh=([^;]+);", re.sub(r"\s", "", read["DKIM-Signature"]))[1].split(":")]
    assert read.get_all("Feedback-ID") == [f"reminder:cart:{purpose}:sojourn"]
    assert 5 <= len(read["Feedback-ID"].split(":")[3]) <= 15
    personal = (order.key, order.profile_id, order.entry_id, order.to_address, order.to_name)
    assert not any(part in read["Feedback-ID"].split(":") or "@" in read["Feedback-ID"] for part in personal)
    assert covered.count("feedback-id") == 1
    ways_out = ["list-unsubscribe", "list-unsubscribe-post"] if purpose == "marketing" else []
    assert [name for name in covered if name.startswith("list-")] == ways_out * 2  # as they are, and no second one
    assert read.get_all("List-Unsubscribe") == ([f"<{world.links.unsubscribe(order.key)}>"] if ways_out else None)
    assert read.get_all("List-Unsubscribe-Post") == (["List-Unsubscribe=One-Click"] if ways_out else None)
    for name in ["Feedback-ID", *(["List-Unsubscribe", "List-Unsubscribe-Post"] if ways_out else [])]:
        line = next(line for line in raw.split(b"\r\n") if line.startswith(f"{name}: ".encode()))
        assert not verified(raw.replace(line + b"\r\n", b""), tmp_path)
        assert not verified(raw.replace(line, line[:-1] + b"x"), tmp_path)


async def test_a_message_that_cannot_be_signed_is_not_sent_unsigned() -> None:
    def broken(raw: bytes) -> bytes:
        raise ValueError("the key is gone")

    mailbox = Mailbox()
    with running(mailbox) as server, pytest.raises(ProviderLocked, match="SOJOURN_DKIM_KEY"):
        await Smtp("127.0.0.1", server.port, sign=broken).deliver(message())
    assert (mailbox.stored, mailbox.hits) == ([], {})


async def test_nobody_else_waits_while_a_message_is_signed() -> None:
    def slow(raw: bytes) -> bytes:
        time.sleep(0.2)
        return raw

    mailbox, longest, before = Mailbox(), 0.0, time.monotonic()
    with running(mailbox) as server:
        sending = asyncio.create_task(Smtp("127.0.0.1", server.port, sign=slow).deliver(message()))
        while not sending.done():
            await asyncio.sleep(0.01)
            longest, before = max(longest, time.monotonic() - before), time.monotonic()
        await sending
    assert longest < 0.15
