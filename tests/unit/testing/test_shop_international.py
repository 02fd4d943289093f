"""A shop at an international domain writes to people at international domains; their address is one, however it is spelt."""

from __future__ import annotations

import pytest

from sojourn.language.loader import load_shop
from sojourn.language.problems import DefinitionError
from sojourn.testing import Shop

SETTINGS = "name: Bücher\nsender: {name: Bücher, address: hallo@bücher.example}\nreply_to: hilfe@BÜCHER.example\npostal_address: S 1\n"
JOURNEY = "journey: hello\ndescription: d\nenter: {on: Began, key: event.n}\nsteps: [{send: note}]\n"
NOTE = """\
---
subject: A note
---
<mjml><mj-body><mj-section><mj-column><mj-text>Hello <a href="https://shop.example/one">One</a>
<a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>
"""


def test_one_person_is_found_written_to_and_unsubscribed_under_every_spelling() -> None:
    with Shop(journeys=[JOURNEY], contents={"note": NOTE}, settings=SETTINGS) as shop:
        first = shop.identify(None, {"email": "ann@exämple.de"}, anonymous_id="a-1")
        second = shop.identify(None, {"email": "Ann@XN--EXMPLE-CUA.DE"}, anonymous_id="a-2")
        assert first.id == second.id
        assert shop.profile("ann@exa\u0308mple\u3002de").id == first.id
        assert shop.identify("other", {"email": "ann@exaemple.de"}).id != first.id
        shop.track(None, "Began", {"n": 1}, anonymous_id="a-1")
        (mail,) = shop.inbox("a-1")
        shop.unsubscribe(mail)
        shop.identify("new", {"email": "ann@EXÄMPLE.de"}, consent=())
        shop.track(None, "Began", {"n": 2}, anonymous_id="a-2")
        assert len(shop.inbox("a-2")) == 1


@pytest.mark.parametrize(
    "address",
    ["hällo@shop.example", "hello@shop.example.", "hello@a_b.example", "hello@xn--a.example", "hello@[8.8.8.8]", "h" * 65 + "@x.de"],
)
def test_a_sender_that_no_mail_can_be_from_is_an_error_of_the_file(address: str) -> None:
    with pytest.raises(DefinitionError):
        load_shop(SETTINGS.replace("hallo@bücher.example", f"'{address}'").encode(), "shop.yaml")
