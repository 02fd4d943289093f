"""SES against moto's server, which answers as AWS does: what boto3 really sends, and that it is sent once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from moto.ses.models import ses_backends

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/delivery"))
from delivery_world import NOON, DeliveryWorld, make_world

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, sending
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, AlreadySettled
from sojourn.delivery.providers.ses import Ses
from sojourn.errors import ProviderBusy

pytestmark = pytest.mark.real
REGION = "eu-west-1"
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture
def server() -> Iterator[str]:
    moto = ThreadedMotoServer("127.0.0.1", 0)
    moto.start()
    host, port = moto.get_host_and_port()
    ses_backends.reset()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture
def world() -> DeliveryWorld:
    made = make_world()
    made.plan()
    return made


def sent() -> list[Any]:
    return list(ses_backends[DEFAULT_ACCOUNT_ID][REGION].sent_messages)


async def deliver(world: DeliveryWorld, server: str) -> object:
    return await sending.deliver(world.db, Ses(REGION, endpoint=server, **KEYS), world.key, VirtualClock(NOON), world.rules)


async def test_a_verified_sender_is_accepted_once_and_the_message_goes_out_as_it_was_written(world: DeliveryWorld, server: str) -> None:
    boto3.client("sesv2", region_name=REGION, endpoint_url=server, **KEYS).create_email_identity(EmailIdentity="shop.example")
    outcome = await deliver(world, server)
    assert isinstance(outcome, Accepted)
    assert isinstance(await deliver(world, server), AlreadySettled)
    (message,) = sent()
    assert (message.id, message.source) == (outcome.provider_message_id, "hello@shop.example")
    assert f"Message-ID: <{world.key}@shop.example>" in message.raw_data
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in message.raw_data


async def test_a_sender_that_is_not_verified_is_our_fault_and_the_message_waits(world: DeliveryWorld, server: str) -> None:
    with pytest.raises(ProviderBusy):
        await deliver(world, server)
    assert (world.db.write_now(ledger.load, world.key).state, sent()) == (State.PLANNED, [])
