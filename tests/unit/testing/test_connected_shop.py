"""Recommendations, fetched facts and calls on the whole road, in virtual time."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from connected import buy, connected_shops, mail, tokens

from sojourn.errors import Unanswered
from sojourn.outbound import Got
from sojourn.testing import Shop
from sojourn.testing.engine import CALL_KEY
from sojourn.travel.state import Advance


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    with connected_shops(tmp_path) as opens:
        yield opens


SEND = "  - send: goes_with"
GOES = mail("{% for item in recommend(2) %}[{{ item.name }} {{ item.price | money }}]{% else %}nothing{% endfor %}")


def test_a_mail_shows_what_goes_with_the_purchase_that_began_it_and_keeps_why(opened: Any) -> None:
    shop = opened(SEND, goes_with=GOES)
    buy(shop, "mug")
    (sent,) = shop.inbox("ann")
    assert "[A jug €60][Some tea €9]" in sent.text
    kept = tokens(shop, sent.key)
    assert kept["recommended[0]"] == {"value": "jug", "source": "recommendation", "because": "bought A mug just now; the rule for mug"}
    assert kept["recommended[1]"]["because"] == "a best seller"
    assert kept["recommended[0].name"] == {"value": "A jug", "source": "recommendation"}


def test_where_fewer_are_found_than_are_needed_the_block_is_dropped_and_that_is_kept(opened: Any) -> None:
    shop = opened(SEND, goes_with=GOES.replace("recommend(2)", "recommend(3, at_least=3)"))
    buy(shop, "mug", "tea")  # only the jug is left
    (sent,) = shop.inbox("ann")
    assert "nothing" in sent.text
    assert tokens(shop, sent.key)["recommended"]["because"] == "only 1 of at least 3 were found"


def test_an_unclear_number_of_items_is_said_where_it_stands() -> None:
    from sojourn.content import Contents

    contents = Contents(Path("x"), {"a.mjml": mail("{% for item in recommend(event.n) %}{{ item.name }}{% endfor %}")})
    assert [problem.line for problem in contents.check("a")] == [6]


# -- fetched -----------------------------------------------------------------------------------------

FETCH = 'fetches:\n  weather: {url: "https://api.shop.example/w?city={{ profile.city }}", %s}'
URL = "https://api.shop.example/w?city=Bad%20T%C3%B6lz%20%26%20more%2F..%2F"


def test_what_another_service_says_stands_in_the_mail_and_no_value_leads_the_question_elsewhere(opened: Any) -> None:
    shop = opened("  - send: sky", sky=mail("It is {{ fetched.weather.sky }}.", FETCH % "default: {sky: fair}"))
    shop.services.answer("https://api.shop.example/", {"sky": "wrong"})
    shop.services.answer(URL, {"sky": "<b>grey</b>"})
    buy(shop, "mug")
    (sent,) = shop.inbox("ann")
    assert "It is &lt;b&gt;grey&lt;/b&gt;." in sent.html
    kept = tokens(shop, sent.key)
    assert kept["fetched.weather"] == {"value": "answered", "source": "fetch", "because": "answered by this test"}
    assert kept["fetched.weather.sky"]["source"] == "fetch"


@pytest.mark.parametrize(
    ("declared", "state", "says"),
    [("default: {sky: fair}", "accepted", "It is fair."), ("on_failure: do_not_send", "suppressed", None)],
)
def test_where_nobody_answers_what_was_declared_happens_and_why_is_kept(opened: Any, declared: str, state: str, says: str | None) -> None:
    shop = opened("  - send: sky", sky=mail("It is {{ fetched.weather.sky }}.", FETCH % declared))
    buy(shop, "mug")
    (sent,) = shop.sends("ann")
    assert sent.state == state
    if says is None:
        assert sent.reason == "sky needs fetched.weather, which is missing: no answer was given in this test"
    else:
        assert says in sent.text
        assert tokens(shop, sent.key)["fetched.weather"]["because"] == "no answer was given in this test"


def test_a_dropped_answer_is_missing_as_any_fact_is(opened: Any) -> None:
    body = "Here.{% if fetched.weather %} It is {{ fetched.weather.sky }}.{% endif %}"
    shop = opened("  - send: sky", sky=mail(body, FETCH % "on_failure: drop"))
    buy(shop, "mug")
    assert shop.inbox("ann")[0].text.strip() == "Here."


# -- calls -------------------------------------------------------------------------------------------

CALL = """\
  - call: https://api.shop.example/loyalty
    with: {points: 10}
    keep: loyalty
    on_failure:
      - send: failed
      - end: failed
  - if: call.loyalty.tier == "gold"
    then:
      - send: gold
"""


def test_a_call_is_signed_over_what_it_says_and_its_answer_is_asked_by_conditions(opened: Any) -> None:
    shop = opened(CALL, gold=mail("Gold"), failed=mail("Failed"))
    shop.services.answer("https://api.shop.example/loyalty", {"tier": "gold"})
    buy(shop, "mug")
    assert [sent.content for sent in shop.inbox("ann")] == ["gold"]
    assert shop.outcome("ann", "bought") == "done"
    (posted,) = shop.services.posted
    assert posted.body["with"] == {"points": 10}
    assert (posted.body["user_id"], posted.body["journey"], posted.body["event"]["name"]) == ("ann", "bought", "Order Completed")
    assert posted.headers["Idempotency-Key"] == posted.headers["webhook-id"] == posted.body["id"]
    trail = [(line, line.because) for line in shop.entries("ann")[0].trail]
    assert trail[0] == ("call https://api.shop.example/loyalty", "answered by this test")
    assert 'tier == "gold": yes' in trail[1][0]


def test_the_signature_is_that_of_standard_webhooks() -> None:
    from standardwebhooks.webhooks import Webhook

    from sojourn.clock import real_now
    from sojourn.travel.calling import signed

    headers = signed("a-key", CALL_KEY, b'{"a":1}', real_now())
    assert Webhook(CALL_KEY).verify('{"a":1}', headers) == {"a": 1}
    raw = base64.b64decode(CALL_KEY.removeprefix("whsec_"))
    said = f"a-key.{headers['webhook-timestamp']}.".encode() + b'{"a":1}'
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.new(raw, said, hashlib.sha256).digest()).decode()


def test_a_call_that_fails_for_good_takes_its_branch_with_its_because(opened: Any) -> None:
    shop = opened(CALL, gold=mail("Gold"), failed=mail("Failed"))
    buy(shop, "mug")
    assert [sent.content for sent in shop.inbox("ann")] == ["failed"]
    assert shop.outcome("ann", "bought") == "failed"
    assert shop.entries("ann")[0].trail[0].because == "no answer was given in this test"


def test_without_a_branch_the_journey_goes_on_after_a_call_that_failed(opened: Any) -> None:
    shop = opened("  - call: https://api.shop.example/loyalty\n  - send: gold", gold=mail("Gold"))
    buy(shop, "mug")
    assert [sent.content for sent in shop.inbox("ann")] == ["gold"]


class Flaky:
    """Services of which nobody answers until a test lets them."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.keys: list[str] = []

    async def get_all(self, questions: Any) -> list[Any]:
        raise AssertionError("nothing is fetched")

    async def post(self, url: str, body: bytes, headers: Any, seconds: float) -> Got:
        self.keys.append(headers["Idempotency-Key"])
        if self.answer is None:
            raise Unanswered("api.shop.example answered 503")
        return Got(self.answer, "answered 200")


@pytest.fixture
def waiting(opened: Any) -> tuple[Shop, Flaky, Any]:
    """Return a shop, its services, and what an activity does for the call of an entry that waits before it."""
    shop = opened("  - wait: 9d\n" + CALL, gold=mail("Gold"), failed=mail("Failed"))
    buy(shop, "mug")
    flaky = Flaky()
    ask = Advance(entry_id=shop.entries("ann")[0].id, cursor="1")
    return shop, flaky, lambda: shop._run(replace(shop._engine.journeys, outbound=flaky).advance(ask))


def test_a_call_that_nobody_answers_is_tried_again_under_one_key_and_answered_once(waiting: Any) -> None:
    shop, flaky, advance = waiting
    for _ in range(3):
        with pytest.raises(Unanswered):
            advance()
        shop.advance("1m")
    flaky.answer = {"tier": "gold"}
    progress = advance()
    assert (progress.cursor, progress.trail[-1].because, progress.trail[-1].took) == ("2", "answered 200", None)
    assert len(flaky.keys) == 4
    assert len(set(flaky.keys)) == 1
    again = advance()  # a worker died before it told of it: the answer stands, and nobody is asked
    assert (again.cursor, again.trail[-1].because, len(flaky.keys)) == ("2", "answered 200", 4)


def test_a_call_is_given_up_after_its_time_and_says_so(waiting: Any) -> None:
    shop, flaky, advance = waiting
    with pytest.raises(Unanswered):
        advance()
    shop.advance("61m")
    progress = advance()
    assert (progress.cursor, progress.trail[-1].took) == ("1.failed.0", "failed")
    assert progress.trail[-1].because == "api.shop.example answered 503; tried 2 times in 1h"
    flaky.answer = {"tier": "gold"}
    assert advance().cursor == "1.failed.0"  # what was given up stays so


def test_many_messages_ask_what_they_need_together_and_each_gets_its_own_answer(opened: Any) -> None:
    shop = opened("  - wait: 9d\n  - send: sky", sky=mail("It is {{ fetched.weather.sky }}.", FETCH % "default: {sky: fair}"))
    asks = []
    for name, city in (("ann", "Rome"), ("ben", "Oslo"), ("cat", "Nowhere")):
        shop.identify(name, {"email": f"{name}@example.com", "city": city})
        shop.track(name, "Order Completed", {"revenue": 1})
        asks.append(Advance(entry_id=shop.entries(name)[0].id, cursor="1"))
    shop.services.answer("https://api.shop.example/w?city=Rome", {"sky": "blue"})
    shop.services.answer("https://api.shop.example/w?city=Oslo", {"sky": "grey"})
    shop._run(shop._engine.journeys.send_all(asks, 5))
    assert [shop.inbox(name)[0].text.strip() for name in ("ann", "ben", "cat")] == ["It is blue.", "It is grey.", "It is fair."]
