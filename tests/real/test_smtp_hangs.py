"""A mail server that stands still while many messages go out: what is proven not to have been accepted waits as planned."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/delivery"))
from delivery_world import NOON, DeliveryWorld, make_world
from smtp_server import free_port

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, routing
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted
from sojourn.delivery.providers.smtp import Smtp
from sojourn.delivery.routing import Only
from sojourn.delivery.sending_many import Asked, Deliveries
from sojourn.errors import ProviderBusy

pytestmark = pytest.mark.real
MANY = 40


class Stalling(Server):
    """Speaks SMTP, and stands still at a stage for as long as it is told to."""

    stage = ""

    async def _at(self, stage: str) -> None:
        if self.stage == stage:
            self.event_handler.hits[stage] += 1
            while self.event_handler.stalls:
                await asyncio.sleep(0.02)

    async def _handle_client(self):
        self.stage = self.event_handler.stage
        await self._at("greeting")
        await super()._handle_client()

    async def smtp_EHLO(self, arg):
        await self._at("ehlo")
        await super().smtp_EHLO(arg)

    async def smtp_MAIL(self, arg):
        await self._at("mail")
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg):
        await self._at("rcpt")
        await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg):
        await self._at("data")
        await super().smtp_DATA(arg)


class Mailbox:
    """Keeps what it accepts."""

    def __init__(self, stage: str) -> None:
        self.stage, self.stalls = stage, True
        self.hits: Counter[str] = Counter()
        self.stored: list[bytes] = []

    async def handle_DATA(self, server, session, envelope):
        await server._at("end")
        self.stored.append(envelope.content)
        return "250 OK"


class Post(Controller):
    def factory(self):
        return Stalling(self.handler, hostname="mx.test.example")


class Road:
    """Many messages on their way to one server."""

    def __init__(self, stage: str, **patience: float) -> None:
        self.world: DeliveryWorld = make_world()
        self.mailbox = Mailbox(stage)
        self.server = Post(self.mailbox, hostname="127.0.0.1", port=free_port())
        self.smtp = Smtp("127.0.0.1", self.server.port, **patience)
        self.deliveries = Deliveries(self.world.db, Only(self.smtp), VirtualClock(NOON), lambda *_: None)
        self.orders = [self.world.another(str(step)) for step in range(MANY)]

    async def __aenter__(self) -> Road:
        await asyncio.to_thread(self.server.start)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.mailbox.stalls = False
        await asyncio.to_thread(self.server.stop)

    async def attempt(self) -> Counter[str]:
        asked = [Asked(self.world.made(order), self.world.rules) for order in self.orders]
        came = await asyncio.gather(*map(self.deliveries.deliver, asked), return_exceptions=True)
        return Counter(type(each).__name__ for each in came)

    def states(self) -> Counter[State]:
        return Counter(self.world.db.write_now(ledger.load, order.key).state for order in self.orders)


@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data"])
async def test_a_server_that_hangs_before_the_messages_end_leaves_all_of_them_planned_and_they_go_out_once(stage: str) -> None:
    async with Road(stage, step_seconds=0.5, total_seconds=6) as road:
        assert await road.attempt() == {"ProviderBusy": MANY}
        assert road.mailbox.hits[stage] >= MANY
        assert road.states() == {State.PLANNED: MANY}
        road.mailbox.stalls, road.mailbox.stage = False, ""
        while (road.states()[State.ACCEPTED]) < MANY:
            await road.attempt()
        assert len(road.mailbox.stored) == MANY


async def test_a_server_that_hangs_at_the_messages_end_costs_one_unknown_message_and_the_others_wait_as_planned() -> None:
    async with Road("end", step_seconds=3, total_seconds=1) as road:
        assert await road.attempt() == {"ProviderBusy": MANY - 1, "Unclear": 1}
        assert road.mailbox.hits["end"] == 1
        assert road.states() == {State.PLANNED: MANY - 1, State.UNKNOWN: 1}
        road.mailbox.stalls, road.mailbox.stage = False, ""
        while road.states()[State.PLANNED]:
            await road.attempt()
        assert road.states() == {State.ACCEPTED: MANY - 1, State.UNKNOWN: 1}
        assert road.smtp.answers.size > 1  # it answers, and gets more at once


async def test_a_server_that_stands_still_for_a_while_and_then_answers_costs_no_message() -> None:
    async with Road("end", answer_seconds=30, total_seconds=0.5) as road:
        under_way = asyncio.create_task(road.attempt())
        while not road.mailbox.hits["end"]:
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        road.mailbox.stalls = False
        assert set(await under_way) <= {"Accepted", "ProviderBusy"}  # whoever waited on this side in vain comes again
        while road.states()[State.PLANNED]:
            await road.attempt()
        assert road.states() == {State.ACCEPTED: MANY}
        assert len(road.mailbox.stored) == MANY


async def test_a_server_that_has_yet_to_answer_gets_nothing_more_and_a_message_that_is_asked_for_stays_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Road("end", step_seconds=20, total_seconds=0.5) as road:
        road.orders = road.orders[:1]
        under_way = asyncio.create_task(road.attempt())
        while not road.mailbox.hits["end"]:
            await asyncio.sleep(0.02)
        monkeypatch.setattr("sojourn.delivery.providers.answers.HANGS_SECONDS", 0.0)
        other = Asked(road.world.made(road.world.another("other")), road.world.rules)
        with pytest.raises(ProviderBusy, match="yet to answer"):
            await road.deliveries.deliver(other)
        assert road.world.states(other.key) == ["planned"]  # and not even claimed
        road.mailbox.stalls = False
        assert await under_way == {"Accepted": 1}
        assert isinstance(await road.deliveries.deliver(other), Accepted)


async def test_a_large_message_that_the_server_reads_no_further_is_proof_that_nothing_was_accepted() -> None:
    """Its beginning fills what the machines between keep; the last line has never left."""

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx\r\n")
        while (line := await reader.readline()) and line != b"DATA\r\n":
            writer.write(b"250 OK\r\n")
        writer.write(b"354 go on\r\n")
        await asyncio.sleep(30)

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    world = make_world()
    made = world.made(world.order)
    made.message["html"] = "<p>" + "a long letter " * 1_000_000 + "</p>"
    smtp = Smtp("127.0.0.1", server.sockets[0].getsockname()[1], step_seconds=1, total_seconds=1)
    deliveries = Deliveries(world.db, smtp, VirtualClock(NOON), lambda *_: None)
    with pytest.raises(ProviderBusy, match="before the message's end"):
        await deliveries.deliver(Asked(made, world.rules))
    assert world.states() == ["planned", "claimed", "planned"]
    server.close()


def test_the_mail_server_of_the_settings_is_left_alone_while_it_fails_and_then_tried_by_one_message() -> None:
    seconds = [1000.0]
    only = Only(Smtp("127.0.0.1", 9), routing.Breaker(lambda: seconds[0]))
    world = make_world()
    sends = [world.plan(world.another(str(step))) for step in range(8)]
    for _ in range(5):
        only.told("smtp", routing.NotAccepted("refused"))
    asking = lambda send: world.db.write_now(only.choose, send, "ann@example.com", NOON)  # noqa: E731
    for send in sends:
        with pytest.raises(ProviderBusy, match="rests after failures"):
            asking(send)
    seconds[0] += 31
    assert asking(sends[0]) is only.provider
    for send in sends[1:]:
        with pytest.raises(ProviderBusy):
            asking(send)
    assert asking(sends[0]) is only.provider  # its own transaction, made again
    only.told("smtp", Accepted("id"))
    assert [asking(send) for send in sends] == [only.provider] * 8
