"""One mailbox under two user ids is one: for broadcasts, for caps, and for the pace that its reader chose."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from shop_definitions import NOTE, journey

from sojourn.testing import Shop

SHOP = (
    "name: Test Shop\nurl: https://shop.example\nsender: {name: Test Shop, address: hello@shop.example}\n"
    "postal_address: Test Shop, 1 Sample Street, 10115 Berlin\n"
)
CAP = "caps: [{max: 1, within: 7d}]\n"
PERSON = "count_by: person\n"
SENDS = "enter: {on: Began, key: event.n}\nsteps: [{send: note}]\n"
BROADCAST = 'broadcast: news\ndescription: News.\nto: profile.plan == "gold"\ncontent: note\nat: 2026-01-05 10:00\n'
SPELLINGS = ["Ann@Customers.example", "ann@customers.example"]


def opened(settings: str, addresses: Sequence[str] = SPELLINGS) -> Shop:
    shop = Shop(journeys=[journey("j0", SENDS)], contents={"note": NOTE}, settings=settings)
    shop.__enter__()
    for number, address in enumerate(addresses):
        shop.identify(f"u{number}", {"email": address, "plan": "gold"})
    return shop


def states(shop: Shop) -> list[str]:
    return sorted(send.state for number in range(len(SPELLINGS)) for send in shop.sends(f"u{number}"))


@pytest.mark.parametrize(("settings", "mails"), [(SHOP, 1), (SHOP + PERSON, len(SPELLINGS))])
def test_a_broadcast_goes_once_to_a_mailbox_unless_the_shop_counts_people(settings: str, mails: int) -> None:
    shop = opened(settings)
    shop.broadcast(BROADCAST)
    shop.advance("3h")
    assert len(shop._engine.provider.messages) == mails
    if mails == 1:
        reasons = [str(send.reason) for number in range(2) for send in shop.sends(f"u{number}") if send.state == "suppressed"]
        assert len(reasons) == len(SPELLINGS) - 1
        assert all("went to this mailbox already" in reason for reason in reasons)
    shop.broadcast(BROADCAST.replace("broadcast: news", "broadcast: more").replace("10:00", "14:00"))
    shop.advance("5h")
    assert len(shop._engine.provider.messages) == 2 * mails  # the next one is another
    shop.__exit__(None, None, None)


@pytest.mark.parametrize(("settings", "mails"), [(SHOP + CAP, 1), (SHOP + CAP + PERSON, len(SPELLINGS))])
def test_a_cap_counts_what_a_mailbox_got_unless_the_shop_counts_people(settings: str, mails: int) -> None:
    shop = opened(settings)
    for number in range(len(SPELLINGS)):
        shop.track(f"u{number}", "Began", {"n": number})
        shop.advance("1m")
    assert states(shop) == ["accepted"] * mails + ["suppressed"] * (len(SPELLINGS) - mails)
    shop.__exit__(None, None, None)


def test_two_mailboxes_have_a_cap_each() -> None:
    shop = opened(SHOP + CAP, ["ann@customers.example", "bob@customers.example"])
    for number in range(2):
        shop.track(f"u{number}", "Began", {"n": number})
    assert [shop.sends(f"u{number}")[0].state for number in range(2)] == ["accepted", "accepted"]
    shop.__exit__(None, None, None)


def test_a_pause_that_a_reader_chose_holds_for_the_mailbox_and_only_while_it_is_hers() -> None:
    shop = opened(SHOP, ["ann@customers.example", "Ann@customers.example"])
    shop.track("u0", "Began", {"n": 1})
    (send,) = shop.sends("u0")
    shop.prefer(send, frequency="paused", purpose_marketing="on")
    shop.advance("1m")
    shop.track("u1", "Began", {"n": 2})
    assert str(shop.sends("u1")[0].reason).startswith("frequency: the person paused messages")
    shop.identify("u0", {"email": "new@customers.example"})
    shop.advance("1m")
    shop.track("u1", "Began", {"n": 3})
    assert "accepted" in [one.state for one in shop.sends("u1")]
    shop.__exit__(None, None, None)
