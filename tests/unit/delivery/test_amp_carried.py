"""An AMP part goes with those providers that say that they carry it, and with no others; all carry the message."""

from __future__ import annotations

import base64
import quopri
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

import pytest
from fake_api import serving
from fake_providers import FAKES, PATIENT

from sojourn.delivery.message import Message

MARK = "only in the AMP part"
MESSAGE = Message(
    key="6a1c4a50-1111-5222-8333-944455556666", to_address="ann@example.com", from_address="hello@shop.example", subject="Hello",
    html="<p>Hello</p>", text="Hello\n", date=datetime(2026, 3, 2, 12, tzinfo=UTC), amp=f"<!doctype html><html ⚡4email>{MARK}</html>",
)  # fmt: skip


def readable(body: bytes) -> bytes:
    """Return a request's body with whatever a raw message may be wrapped in taken off."""
    plain = unquote_to_bytes(body.replace(b"+", b"%20"))
    found = [body, plain, quopri.decodestring(plain)]
    long = (part for part in body.split(b'"') if len(part) > 200 and part.isascii())
    found += [quopri.decodestring(base64.b64decode(part.rstrip(b"=") + b"==")) for part in long]
    return b"\n".join(found)


@pytest.mark.parametrize("name", list(FAKES))
async def test_a_provider_carries_the_amp_part_where_it_says_so(name: str) -> None:
    fake = FAKES[name]
    async with serving(fake.answer) as api:
        provider = fake.make(api.url, PATIENT)
        await provider.deliver(MESSAGE)
        carried = any(MARK.encode() in readable(asked.body) for asked in api.asked)
        assert carried is getattr(provider, "carries_amp", False)
        await provider.deliver(replace(MESSAGE, key="6a1c4a50-2222-5222-8333-944455556666", amp=None))
        assert len(api.accepted) == 2
