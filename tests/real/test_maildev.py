"""Mail over SMTP to maildev, which other people wrote: what its parser reads, and tells over its own API, is what was frozen."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import policy
from email.parser import BytesParser
from functools import cache
from pathlib import Path
from typing import Any

import dkim
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from npm_clients import node_modules
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/delivery"))
from delivery_world import HTML, NOON, DeliveryWorld, FakeRendered, make_world

from sojourn.clock import VirtualClock
from sojourn.commands.dns import _public_key
from sojourn.delivery import sending
from sojourn.delivery.dkim import Dkim
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.outcomes import Accepted, AlreadySettled
from sojourn.delivery.providers.smtp import Smtp
from sojourn.store.tables import messages

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

VERSION, OLDEST_NODE = "3.0.0", 20
START_SECONDS, STOP_SECONDS, CALL_SECONDS = 60, 10, 10
SUBJECT = "Jürgen, your cart waits — 50 % off the “Äpfel & Birnen” until Sunday 🎉 and not a day longer"
AMP = '<!doctype html>\n<html ⚡4email><body><p>Grüße, only in the AMP part</p><a href="https://shop.example/help">Help</a></body></html>'
TEXT = "Schöne Grüße =?utf-8?q?x?=\n.\n..\n.leading dots\nFrom here\n" + "long " * 300 + "\nhttps://shop.example/cart?id=7&x=1\n"


@cache
def pem() -> bytes:
    return rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


class MailDev:
    """A running maildev."""

    def __init__(self, smtp: int, web: int) -> None:
        self.smtp = smtp
        self.api = f"http://127.0.0.1:{web}/api"

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.api}{path}", timeout=CALL_SECONDS, trust_env=False)

    def mails(self) -> list[dict[str, Any]]:
        found = self.get("/email").raise_for_status().json()
        assert isinstance(found, list)
        return found

    def clear(self) -> None:
        httpx.delete(f"{self.api}/email/all", timeout=CALL_SECONDS, trust_env=False).raise_for_status()


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailDev]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node and npm are not installed")
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=CALL_SECONDS, check=True).stdout
    if int(said.strip().lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"maildev {VERSION} needs Node {OLDEST_NODE}, and this is {said.strip()}")
    modules = node_modules({"maildev": VERSION})
    folder = tmp_path_factory.mktemp("maildev")
    smtp, web = free_ports()
    command = [node, str(modules / "maildev/dist/bin/maildev.js"), "--ip", "127.0.0.1", "--smtp", str(smtp), "--web-ip", "127.0.0.1"]
    command += ["--web", str(web), "--mail-directory", str(folder / "mails")]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAILDEV_")}
    with (folder / "log").open("wb") as log, subprocess.Popen(command, cwd=folder, env=plain, stdout=log, stderr=log) as process:
        try:
            running, until = MailDev(smtp, web), time.monotonic() + START_SECONDS
            while not _answers(running):
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, "maildev did not start in time"
                time.sleep(0.2)
            yield running
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _answers(server: MailDev) -> bool:
    try:
        return server.get("/healthz").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def maildev(server: MailDev) -> MailDev:
    server.clear()
    return server


@pytest.fixture
def world() -> Iterator[DeliveryWorld]:
    made = make_world()
    yield made
    made.db.close_now()


async def send(world: DeliveryWorld, maildev: MailDev, **changes: Any) -> Any:
    """Send Ann's message as a journey does, and return what was frozen of it."""
    order = replace(world.order, **changes)
    world.plan(order, FakeRendered(subject=SUBJECT, html=HTML.replace("Hello Ann", "Schöne Grüße & 🎉"), text=TEXT, amp=AMP))
    smtp = Smtp.from_url(f"smtp://127.0.0.1:{maildev.smtp}?starttls=never", Dkim(pem(), "s1"))
    outcomes = [await sending.deliver(world.db, smtp, order.key, VirtualClock(NOON), world.rules) for _ in range(2)]
    assert [type(outcome) for outcome in outcomes] == [Accepted, AlreadySettled]
    return world.db.read_now(lambda conn: conn.execute(select(messages).where(messages.c.send_key == order.key)).one())


def lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


NAMES = [
    "Müller, Jürgen", 'Ann "the Great" \\ O\'Neil', "Ann (VIP) <ann@evil.example>, Bob", "安娜 🎉", "a name of many words " * 5 + "Ä", "",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_what_maildev_reads_is_what_was_frozen(world: DeliveryWorld, maildev: MailDev, name: str) -> None:
    address = "o'neil+tag/x=1@example.com"
    sender = {"from_name": 'Käse & Söhne, "Inc."', "reply_to": "help@shop.example"}
    frozen = await send(world, maildev, to_name=name or None, to_address=address, **sender)
    (mail,) = maildev.mails()
    assert mail["subject"] == frozen.subject == SUBJECT
    assert [(each["name"], each["address"]) for each in mail["to"]] == [(" ".join(name.split()), address)]
    assert [(each["name"], each["address"]) for each in mail["from"]] == [('Käse & Söhne, "Inc."', "hello@shop.example")]
    assert [each["address"] for each in mail["envelope"]["to"]] == [address]  # and nobody else, whatever the name says
    assert (mail["envelope"]["from"]["address"], mail["calculatedBcc"]) == ("hello@shop.example", [])
    assert lines(mail["text"]) == lines(frozen.text)
    assert mail["html"].strip() == frozen.html
    (amp,) = mail["attachments"]  # to maildev any third alternative is one
    assert amp["contentType"] == "text/x-amp-html"
    read = maildev.get(f"/email/{mail['id']}/attachment/{amp['generatedFileName']}").content.decode()
    assert read.replace("\r\n", "\n").strip() == frozen.amp
    assert "only in the AMP part" not in mail["text"] + mail["html"]


async def test_what_maildev_kept_is_to_the_byte_what_was_signed(world: DeliveryWorld, maildev: MailDev, tmp_path: Path) -> None:
    frozen = await send(world, maildev, to_name="Müller, Jürgen")
    (mail,) = maildev.mails()
    raw = maildev.get(f"/email/{mail['id']}/source").content
    signature, from_, rest = raw.partition(b"\r\nFrom:")
    sent = Message(
        key=frozen.send_key, to_address=frozen.to_address, to_name=frozen.to_name, from_address=frozen.from_address,
        from_name=frozen.from_name, subject=frozen.subject, html=frozen.html, text=frozen.text, headers=frozen.headers, amp=frozen.amp,
        date=NOON,
    )  # fmt: skip
    assert signature.startswith(b"DKIM-Signature: ")
    assert (from_ + rest).removeprefix(b"\r\n") == to_bytes(sent)
    path = tmp_path / "key.pem"
    path.write_bytes(pem())
    record = b"v=DKIM1; k=rsa; p=" + _public_key(str(path)).encode()
    assert dkim.verify(raw, dnsfunc=lambda _name, timeout=5: record)
    assert not dkim.verify(raw.replace(b"List-Unsubscribe: <https", b"List-Unsubscribe: <http"), dnsfunc=lambda _name, timeout=5: record)


async def test_the_headers_that_a_mail_program_acts_on_are_read_as_they_were_meant(world: DeliveryWorld, maildev: MailDev) -> None:
    frozen = await send(world, maildev)
    (mail,) = maildev.mails()
    assert mail["headers"] | {"feedback-id": "reminder:cart:marketing:sojourn", "mime-version": "1.0"} == mail["headers"]
    raw = BytesParser(policy=policy.default).parsebytes(maildev.get(f"/email/{mail['id']}/source").content)  # it tells of no others
    assert raw.get_all("List-Unsubscribe") == [f"<{world.links.unsubscribe(frozen.send_key)}>"]
    assert raw.get_all("List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    assert raw.get_all("Message-ID") == [f"<{frozen.send_key}@shop.example>"]
    assert raw.get_all("Date") == ["Mon, 02 Mar 2026 12:00:00 +0000"]
    assert [part.get_content_type() for part in raw.iter_parts()] == ["text/plain", "text/x-amp-html", "text/html"]


async def test_twenty_messages_arrive_each_once(world: DeliveryWorld, maildev: MailDev) -> None:
    orders = [world.another(str(step), to_address=f"ann+{step}@example.com") for step in range(20)]
    for order in orders:
        world.plan(order)
    smtp = Smtp("127.0.0.1", maildev.smtp, starttls=False)
    for order in orders:
        outcome = await sending.deliver(world.db, smtp, order.key, VirtualClock(NOON + timedelta(minutes=1)), world.rules)
        assert outcome == Accepted(f"<{order.key}@shop.example>")
    found = [mail["to"][0]["address"] for mail in maildev.mails()]
    assert sorted(found) == sorted(order.to_address for order in orders)
