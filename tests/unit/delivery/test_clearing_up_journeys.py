"""What nobody knows is cleared up under the rules of the journey that sent it: its consent, its exit, its goal."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from sojourn.delivery import ledger, reconciling
from sojourn.delivery.ledger import State
from sojourn.delivery.manual_settlement import As, settle_by_hand
from sojourn.delivery.providers.base import Klass, Receipt
from sojourn.delivery.providers.memory import Memory
from sojourn.errors import ProviderUnclear
from sojourn.language.loader import DefinitionError, load
from sojourn.store.tables import entries, sends
from sojourn.testing import Shop

JOURNEYS = Path(__file__).parents[3] / "journeys"


class Evidential(Memory):
    """Takes a message, or not, and loses its own answer; says afterwards what it has."""

    klass = Klass.EVIDENTIAL
    key_window = timedelta(0)
    index_lag = timedelta(minutes=15)

    def __init__(self) -> None:
        super().__init__()
        self.loses, self.keeps = True, True

    async def deliver(self, message):
        if self.keeps or not self.loses:
            await super().deliver(message)
        if self.loses:
            raise ProviderUnclear("reset")
        return Receipt(message.key)

    async def look_up(self, sought):
        assert sought.message_id.startswith(f"<{sought.key}@")
        return Receipt(f"id-{sought.key}") if sought.key in self.messages else None


@pytest.fixture
def town():
    with Shop(journeys_dir=JOURNEYS) as shop:
        provider = Evidential()
        shop._engine.journeys = replace(shop._engine.journeys, provider=provider)
        yield shop, provider


def first_send(shop: Shop) -> ledger.SendRow:
    shop.identify("ann", {"email": "ann@example.com", "consent": {"marketing": True}})
    shop.track("ann", "Product Added", {"cart_id": "c1", "product_id": "p1", "name": "A jug", "price": 60})
    for _ in range(48):
        shop.advance("1h")
        found = [row for row in rows(shop) if row.attempts]
        if found:
            return found[0]
    raise AssertionError("nothing was sent")


def rows(shop: Shop) -> list[ledger.SendRow]:
    keys = shop._read(lambda conn: conn.execute(select(sends.c.key).order_by(sends.c.created_at)).scalars().all())
    return [shop._read(ledger.look, key) for key in keys]


def clear(shop: Shop) -> reconciling.Cleared:
    engine = shop._engine
    return shop._run(reconciling.reconcile(engine.store, engine.journeys.provider, engine.clock, engine.journeys.send_again))


def state(shop: Shop, key: str) -> State:
    return shop._read(ledger.look, key).state


def test_a_lost_answer_is_found_by_a_look_up_while_the_journey_goes_on(town) -> None:
    shop, provider = town
    send = first_send(shop)
    assert send.state is State.UNKNOWN
    assert clear(shop).accepted == 1
    assert (state(shop, send.key), shop._read(ledger.look, send.key).provider_message_id) == (State.ACCEPTED, f"id-{send.key}")
    assert len(provider.messages) == 1


def test_what_never_arrived_is_sent_once_it_would_have_been_found(town) -> None:
    shop, provider = town
    provider.keeps = False
    send = first_send(shop)
    assert (clear(shop).open, state(shop, send.key)) == (1, State.UNKNOWN)
    provider.loses = False
    shop.advance("16m")
    assert (clear(shop).unsent, state(shop, send.key)) == (1, State.ACCEPTED)
    assert list(provider.messages) == [send.key]


@pytest.mark.parametrize("klass", [Klass.SMTP, Klass.EVIDENTIAL])
def test_what_a_person_wants_sent_again_goes_out_once_though_its_journey_came_to_its_end(town, klass: Klass) -> None:
    shop, provider = town
    provider.keeps, provider.klass = False, klass
    send = first_send(shop)
    provider.loses = False
    shop.advance("30d")
    assert shop._read(lambda conn: conn.execute(select(entries.c.outcome).where(entries.c.id == send.entry_id)).scalar()) == "no_response"
    first = set(provider.messages)
    settled = shop._run(shop._engine.store.write(settle_by_hand, send.key, As.AGAIN, "none is in the log", shop.now))
    assert (settled.state, settled.reason) == (State.PLANNED, "settled by hand as again: none is in the log")
    assert (clear(shop).again, state(shop, send.key)) == (1, State.ACCEPTED)
    assert set(provider.messages) == {*first, send.key}


def test_a_purchase_in_between_keeps_it_from_being_sent_again(town) -> None:
    shop, provider = town
    provider.keeps = False
    send = first_send(shop)
    provider.loses = False
    shop.track("ann", "Order Completed", {"order_id": "o1", "cart_id": "c1", "revenue": 60})
    shop.advance("16m")
    clear(shop)
    assert (state(shop, send.key), provider.messages) == (State.SUPPRESSED, {})


def test_consent_withdrawn_in_between_keeps_it_from_being_sent_again(town) -> None:
    shop, provider = town
    provider.keeps = False
    send = first_send(shop)
    provider.loses = False
    shop.identify("ann", {"consent": {"marketing": False}})
    shop.advance("16m")
    clear(shop)
    assert (state(shop, send.key), provider.messages) == (State.SUPPRESSED, {})


def test_a_mistake_in_delivery_yaml_is_among_those_that_check_tells(tmp_path: Path) -> None:
    shutil.copytree(JOURNEYS, tmp_path / "journeys")
    (tmp_path / "journeys" / "delivery.yaml").write_text("providers:\n  - provider: pigeon\n")
    with pytest.raises(DefinitionError) as error:
        load(tmp_path / "journeys")
    (problem,) = error.value.problems
    assert (Path(problem.file).name, problem.line) == ("delivery.yaml", 2)
