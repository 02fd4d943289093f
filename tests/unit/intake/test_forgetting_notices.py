"""What providers told is forgotten once nobody can tell it again, by the router, once a day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import insert, select

from sojourn.clock import VirtualClock
from sojourn.delivery.webhooks.forgetting import KEPT_FOR, forget
from sojourn.intake.router import Router
from sojourn.language.loader import load
from sojourn.store.tables import notices
from sojourn.testing import Shop
from sojourn.travel.registry import Registry

NOW = datetime(2027, 3, 2, 12, tzinfo=UTC)
CONTENT = """---
subject: Hello
---
<mjml><mj-body><mj-section><mj-column><mj-text>Hi. <a href="{{ unsubscribe_url }}">Stop</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
JOURNEY = "journey: hello\ndescription: One mail.\nenter: {on: Began}\nsteps: [{send: note}, {end: done}]\n"


@pytest.fixture
def store() -> Any:
    """Return a store with seven notices of one message, received on as many days up to a day before the limit."""
    with Shop(journeys=[JOURNEY], contents={"note": CONTENT}) as shop:
        shop.identify("ann", {"email": "ann@shop-customers.example"})
        shop.track("ann", "Began")
        key = shop.inbox("ann")[0].key
        oldest = NOW - KEPT_FOR - timedelta(days=5)
        told = {"provider": "resend", "send_key": key, "kind": "delivered", "at": oldest, "detail": {}}
        rows = [{**told, "id": f"n{day}", "received_at": oldest + timedelta(days=day)} for day in range(7)]
        shop._engine.store.write_now(lambda connection: connection.execute(insert(notices), rows))
        yield shop._engine.store


def left(store: Any) -> list[str]:
    return list(store.read_now(lambda connection: connection.execute(select(notices.c.id).order_by(notices.c.id)).scalars().all()))


def test_those_past_their_retention_go_a_page_at_a_time_and_no_others(store: Any) -> None:
    assert [store.write_now(forget, NOW, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert left(store) == ["n5", "n6"]
    assert store.write_now(forget, NOW + timedelta(days=1)) == 1
    assert left(store) == ["n6"]


async def test_the_router_forgets_them(store: Any) -> None:
    registry = Registry(load(Path(__file__).parents[3] / "journeys"))
    clock: Any = VirtualClock(NOW)
    clock.scale = SimpleNamespace(real_duration=lambda _: timedelta(days=1))
    expiring = asyncio.create_task(Router(store, registry, runner=None, clock=clock)._expire())  # type: ignore[arg-type]
    while len(left(store)) > 2:
        await asyncio.sleep(0.01)
        assert not expiring.done()  # it raises what stopped it
    expiring.cancel()
    assert left(store) == ["n5", "n6"]
