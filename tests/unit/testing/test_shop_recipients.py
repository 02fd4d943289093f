"""Whom a message goes to is judged anew when it goes: its address, its name, its language, whatever it waited for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from shop_definitions import journey
from sqlalchemy import select, update

from sojourn.delivery import ledger, reconciling
from sojourn.delivery.ledger import State
from sojourn.delivery.manual_settlement import As, settle_by_hand
from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import Klass
from sojourn.delivery.providers.memory import Memory
from sojourn.errors import ProviderUnclear
from sojourn.store.tables import links, profiles, sends
from sojourn.testing import Shop

SHOP = "name: Night Shop\nsender: {name: Night, address: night@shop.example}\npostal_address: 1 Night Street, 10115 Berlin\n"
QUIET = SHOP + "quiet_hours: 08:00-22:00\nrelease_over: 0s\n"
NIGHT = datetime(2026, 1, 5, 22, 5, tzinfo=UTC)
ANN = {"email": "ann@old.example", "first_name": "Ann"}
SENDS = "enter: {on: Began}\nsteps: [{send: note}, {wait: 3d}]\n"
NOTE = (
    "---\nsubject: Hello {{ profile.first_name | default('you') }}\n---\n<mjml><mj-body>"
    '<mj-section><mj-column><mj-text>Dear {{ profile.first_name | default("you") }}, '
    '<a href="https://shop.example/{{ profile.plan | default("tin") }}">look'
    '</a>. {{ shop.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>'
)
BROADCAST = 'broadcast: news\ndescription: News.\nto: profile.first_name != "Bob"\ncontent: note\nat: 2026-01-05 10:00\n'


class Failing(Memory):
    """Fails as it is told to."""

    def __init__(self, klass: Klass = Klass.KEYED) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.klass = klass

    async def deliver(self, message: Message):
        if self.error is not None:
            raise self.error
        return await super().deliver(message)


def opened(settings: str = SHOP, provider: Failing | None = None) -> Shop:
    shop = Shop(journeys=[journey("j0", SENDS)], contents={"note": NOTE}, settings=settings)
    if provider is not None:
        enter = type(shop).__enter__

        def entered(self: Shop) -> Shop:
            made = enter(self)
            made._engine.journeys = replace(made._engine.journeys, provider=provider)
            return made

        shop.__class__ = type("Providing", (type(shop),), {"__enter__": entered})
    return shop


def mails(shop: Shop) -> list[Message]:
    return list(shop._engine.journeys.provider.messages.values())


def clear(shop: Shop) -> None:
    engine = shop._engine
    shop._run(reconciling.reconcile(engine.store, engine.journeys.provider, engine.clock, engine.journeys.send_again))


def row(shop: Shop) -> ledger.SendRow:
    key = shop._read(lambda connection: connection.execute(select(sends.c.key)).scalar_one())
    return shop._read(ledger.look, key)


def move(shop: Shop) -> None:
    shop.advance("1m")
    shop.identify("ann", {"email": "ann@new.example", "first_name": "Anna", "plan": "gold"})


def test_what_quiet_hours_held_goes_to_the_address_and_the_name_of_now_and_links_lead_where_they_do_now() -> None:
    with opened(QUIET) as shop:
        shop.identify("ann", ANN)
        shop.track("ann", "Began")
        assert row(shop).state is State.HELD
        move(shop)
        shop.advance_to(NIGHT)
        (mail,) = mails(shop)
        assert (mail.to_address, mail.to_name, mail.subject) == ("ann@new.example", "Anna", "Hello Anna")
        urls = shop._read(lambda connection: connection.execute(select(links.c.url)).scalars().all())
        assert "https://shop.example/gold" in urls
        assert not [url for url in urls if url == "https://shop.example/tin"]
        assert row(shop).state is State.ACCEPTED


def test_what_was_held_for_an_address_that_is_deleted_meanwhile_goes_nowhere() -> None:
    with opened(QUIET) as shop:
        shop.identify("ann", ANN)
        shop.track("ann", "Began")
        without = {"first_name": "Ann"}
        shop._run(shop._engine.store.write(lambda conn: conn.execute(update(profiles).values(traits=without))))
        shop.advance_to(NIGHT)
        assert mails(shop) == []
        assert (row(shop).state, row(shop).reason) == (State.SUPPRESSED, "address: the profile has no e-mail address")


@pytest.mark.parametrize("address", ["Ann@Customers.EXAMPLE.com", "ann@exämple.de", "ann@xn--exmple-cua.de"])
def test_an_address_is_the_same_however_it_is_spelt(address: str) -> None:
    with opened(QUIET) as shop:
        shop.identify("ann", {**ANN, "email": address})
        shop.track("ann", "Began")
        shop.advance_to(NIGHT)
        assert row(shop).state is State.ACCEPTED


def test_a_broadcast_that_was_held_goes_to_the_address_of_now() -> None:
    with opened(QUIET) as shop:
        shop.identify("ann", ANN)
        shop.broadcast(BROADCAST)
        shop.advance_to(NIGHT - timedelta(hours=10))
        assert row(shop).state is State.HELD
        move(shop)
        shop.advance_to(NIGHT + timedelta(hours=1))
        assert [(mail.to_address, mail.to_name) for mail in mails(shop)] == [("ann@new.example", "Anna")]


def test_what_a_person_wants_sent_again_goes_to_the_address_of_now() -> None:
    provider = Failing(Klass.SMTP)
    with opened(provider=provider) as shop:
        shop.identify("ann", ANN)
        provider.error = ProviderUnclear("reset")
        shop.track("ann", "Began")
        assert row(shop).state is State.UNKNOWN
        provider.error = None
        shop._run(shop._engine.store.write(settle_by_hand, row(shop).key, As.AGAIN, "none is in the log", shop.now))
        move(shop)
        clear(shop)
        assert [(mail.to_address, mail.to_name) for mail in mails(shop)] == [("ann@new.example", "Anna")]
        assert row(shop).state is State.ACCEPTED


def test_a_confirmation_that_went_to_another_address_confirms_nothing() -> None:
    double = SHOP + "url: https://shop.example\n"
    double += "consent:\n  marketing: {required: true, double_opt_in: true, wording: 2026-01, description: News until I say stop.}\n"
    topics = "topics: {reminders: {title: Reminders}, guides: {title: Guides}, news: {title: News}}\n"
    with Shop(journeys_dir="journeys", settings=double + topics) as shop:
        shop.identify("ann", ANN)
        (question,) = shop.inbox("ann")
        shop.advance("1m")
        shop.identify("ann", {"email": "ann@new.example"})
        shop.confirm(question)
        assert shop.profile("ann").consents.get("marketing") is not True
