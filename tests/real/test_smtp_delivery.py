"""The send protocol against a real SMTP server that misbehaves at every step: never two messages of one key."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/delivery"))
from delivery_world import NOON, DeliveryWorld, make_world

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, sending
from sojourn.delivery.ledger import State
from sojourn.delivery.message import Message
from sojourn.delivery.outcomes import Accepted, AlreadySettled, Claimed, Refused, Unclear
from sojourn.delivery.providers.smtp import Smtp
from sojourn.errors import ProviderBusy, ProviderLocked, SettingsError

pytestmark = pytest.mark.real


class Mailbox:
    """Keeps what it accepts; does at each step what a test tells it to."""

    def __init__(self) -> None:
        self.stored: list[bytes] = []
        self.hits: dict[str, int] = {}
        self.answers: dict[str, str] = {}  # per step: an SMTP answer, `drop`, `hang`, or `keep and drop`

    async def _at(self, step: str, server: Server, fine: str, content: bytes | None = None) -> str:
        self.hits[step] = self.hits.get(step, 0) + 1
        answer = self.answers.get(step, fine)
        if content is not None and (answer == fine or answer.startswith("keep")):
            self.stored.append(content)
        if answer.endswith("drop"):
            server.transport.abort()
        if answer.endswith(("drop", "hang")):
            await asyncio.sleep(0.6)
            return "451 too late to matter"
        return answer

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await self._at("mail", server, "250 OK")
        if answer.startswith("250"):
            envelope.mail_from = address
        return answer

    async def handle_RCPT(self, server, session, envelope, address, options):
        answer = await self._at("rcpt", server, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):
        return await self._at("data", server, "250 OK", envelope.content)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[Controller]:
    controller = Controller(mailbox, hostname="127.0.0.1", port=_free(), server_hostname="mx.test.example")
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def smtp(server: Controller) -> Smtp:
    return Smtp("127.0.0.1", server.port, step_seconds=0.4, total_seconds=2)


@pytest.fixture
def world() -> DeliveryWorld:
    made = make_world()
    made.plan()
    return made


async def deliver(world: DeliveryWorld, smtp: Smtp) -> object:
    try:
        return await sending.deliver(world.db, smtp, world.key, VirtualClock(NOON), world.rules)
    except ProviderBusy as busy:
        return busy


def a_message(world: DeliveryWorld) -> Message:
    order = world.order
    return Message(key=order.key, to_address=order.to_address, from_address=order.from_address, subject="s", html="h", text="t", date=NOON)


def state(world: DeliveryWorld) -> State:
    return world.db.write_now(ledger.load, world.key).state


async def test_a_message_arrives_as_it_was_frozen(world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox) -> None:
    assert await deliver(world, smtp) == Accepted(f"<{world.key}@shop.example>")
    (raw,) = mailbox.stored
    read = message_from_bytes(raw, policy=policy.default)
    assert (read["Subject"], str(read["To"])) == ("Your cart waits", "Ann <ann@example.com>")
    assert read["Message-ID"] == f"<{world.key}@shop.example>"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert world.links.click(world.key, 0) in read.get_body(("html",)).get_content()


BROKEN_OFF = [("mail", "drop"), ("rcpt", "drop"), ("rcpt", "hang")]
PROOF = [("mail", "451 4.3.0 later"), ("rcpt", "450 4.2.1 busy"), ("data", "452 4.2.2 full"), *BROKEN_OFF]
NO = [("rcpt", "550 5.1.1 no such user ann@example.com"), ("data", "554 5.6.0 spam")]
OURS = [("mail", "550 5.7.1 not your sender"), ("rcpt", "530 5.7.0 log in first"), ("data", "535 5.7.8 log in again")]
NOBODY_KNOWS = [("data", "drop"), ("data", "keep and drop"), ("data", "hang"), ("data", "keep and hang")]


@pytest.mark.parametrize(("step", "answer"), PROOF)
async def test_proof_that_nothing_was_accepted_leaves_it_planned_and_the_next_attempt_delivers_once(
    world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox, step: str, answer: str
) -> None:
    mailbox.answers[step] = answer
    assert isinstance(await deliver(world, smtp), ProviderBusy)
    assert (state(world), mailbox.hits[step], mailbox.stored) == (State.PLANNED, 1, [])
    mailbox.answers.clear()
    assert isinstance(await deliver(world, smtp), Accepted)
    assert len(mailbox.stored) == 1


@pytest.mark.parametrize(("step", "answer"), NO)
async def test_a_definite_refusal_is_final_and_its_words_are_not_kept(
    world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox, step: str, answer: str
) -> None:
    mailbox.answers[step] = answer
    refused = await deliver(world, smtp)
    assert isinstance(refused, Refused)
    assert refused.reason.endswith(answer[:9])
    assert isinstance(await deliver(world, smtp), AlreadySettled)
    assert (state(world), mailbox.hits[step], mailbox.stored) == (State.REJECTED, 1, [])


@pytest.mark.parametrize(("step", "answer"), OURS)
async def test_a_refusal_of_who_sends_is_nobodys_fault_but_ours_and_the_message_waits(
    world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox, step: str, answer: str
) -> None:
    mailbox.answers[step] = answer
    with pytest.raises(ProviderLocked, match=answer[:9]):
        await smtp.deliver(a_message(world))
    assert isinstance(await deliver(world, smtp), ProviderBusy)
    assert (state(world), mailbox.hits[step], mailbox.stored) == (State.PLANNED, 2, [])
    mailbox.answers.clear()
    assert isinstance(await deliver(world, smtp), Accepted)


@pytest.mark.parametrize(("step", "answer"), NOBODY_KNOWS)
async def test_a_lost_answer_is_unknown_and_never_posted_again(
    world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox, step: str, answer: str
) -> None:
    mailbox.answers[step] = answer
    assert isinstance(await deliver(world, smtp), Unclear)
    mailbox.answers.clear()
    for _ in range(3):
        assert isinstance(await deliver(world, smtp), Unclear)
    assert (state(world), mailbox.hits[step]) == (State.UNKNOWN, 1)
    assert len(mailbox.stored) == answer.startswith("keep")


async def test_killed_between_claim_and_post_nothing_is_sent_and_nothing_is_claimed_to_be(
    world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox
) -> None:
    assert isinstance(world.db.write_now(sending.claim, world.key, NOON, world.rules, smtp), Claimed)  # and its worker dies
    assert isinstance(await deliver(world, smtp), Unclear)
    assert (state(world), mailbox.stored) == (State.UNKNOWN, [])


async def test_a_zombie_that_wakes_and_posts_is_the_only_one_who_posts(world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox) -> None:
    claimed = world.db.write_now(sending.claim, world.key, NOON, world.rules, smtp)
    assert isinstance(claimed, Claimed)
    assert isinstance(await deliver(world, smtp), Unclear)  # the retry elsewhere finds the claim
    outcome = await sending.post(smtp, claimed.message, claimed_at=sending.monotonic())
    world.db.write_now(sending.settle, world.key, outcome, NOON, claimed.attempt)
    assert (state(world), len(mailbox.stored)) == (State.ACCEPTED, 1)
    assert isinstance(await deliver(world, smtp), AlreadySettled)


async def test_many_at_once_under_one_key_post_one_message(world: DeliveryWorld, smtp: Smtp, mailbox: Mailbox) -> None:
    results = await asyncio.gather(*(deliver(world, smtp) for _ in range(12)))
    assert sum(isinstance(result, Accepted) for result in results) == 1
    assert (len(mailbox.stored), mailbox.hits["data"]) == (1, 1)


async def test_a_server_that_is_not_there_or_speaks_no_tls_proves_that_nothing_was_accepted(
    world: DeliveryWorld, server: Controller, mailbox: Mailbox
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = Smtp("127.0.0.1", probe.getsockname()[1], step_seconds=0.4)
        assert isinstance(await deliver(world, nobody), ProviderBusy)
    for demanding in (Smtp("127.0.0.1", server.port, tls=True, step_seconds=0.4), Smtp("127.0.0.1", server.port, starttls=True)):
        assert isinstance(await deliver(world, demanding), ProviderBusy)
    assert isinstance(await deliver(world, Smtp("127.0.0.1", server.port, username="u", password="p")), ProviderBusy)
    assert (state(world), mailbox.stored) == (State.PLANNED, [])


async def test_a_server_that_greets_with_a_no_or_takes_no_log_in_of_ours_is_our_fault_and_the_message_waits(world: DeliveryWorld) -> None:
    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 no service for you\r\n")
        await writer.drain()
        writer.close()

    refusing = await asyncio.start_server(refuse, "127.0.0.1", 0)
    nobody = Smtp("127.0.0.1", refusing.sockets[0].getsockname()[1], step_seconds=0.4)
    with pytest.raises(ProviderLocked, match="554"):
        await nobody.deliver(a_message(world))
    refusing.close()

    mailbox = Mailbox()
    no = AuthResult(success=False, handled=False)
    strict = Controller(mailbox, hostname="127.0.0.1", port=_free(), auth_require_tls=False, authenticator=lambda *_: no)
    strict.start()
    try:
        stranger = Smtp("127.0.0.1", strict.port, username="u", password="wrong", step_seconds=2)
        with pytest.raises(ProviderLocked, match="535"):
            await stranger.deliver(a_message(world))
        assert isinstance(await deliver(world, stranger), ProviderBusy)
    finally:
        strict.stop()
    assert (state(world), mailbox.stored) == (State.PLANNED, [])


@pytest.mark.parametrize(
    ("url", "port", "tls", "starttls"),
    [
        ("smtp://mail.example", 25, False, None),
        ("smtp://u:p%40ss@mail.example:587?starttls=always", 587, False, True),
        ("smtps://mail.example", 465, True, False),
        ("smtp://mail.example:2525/?starttls=never", 2525, False, False),
    ],
)
def test_an_smtp_url_says_all_there_is_to_say(url: str, port: int, tls: bool, starttls: bool | None) -> None:
    made = Smtp.from_url(url)
    assert (made.host, made.port, made._tls, made._starttls) == ("mail.example", port, tls, starttls)
    assert made._password == ("p@ss" if "@ss" in url.replace("%40", "@") else None)


@pytest.mark.parametrize(
    "url",
    ["", "mail.example", "http://mail.example", "smtp://", "smtp://h:99999", "smtp://h?starttls=maybe", "smtp://h?x=1", "smtp://secret@h"],
)
def test_a_bad_smtp_url_is_a_sentence_that_repeats_nothing_of_it(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Smtp.from_url(url)
    assert "SOJOURN_SMTP_URL" in str(refused.value)
    assert "secret" not in str(refused.value)
