"""Recommendations, live parts, AMP, fetched facts and calls on the whole road, in virtual time."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sojourn.errors import Unanswered
from sojourn.outbound import Got
from sojourn.testing import Shop
from sojourn.testing.engine import CALL_KEY
from sojourn.travel.state import Advance

SETTINGS = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
connected: {hosts: [api.shop.example]}
consent: {marketing: {required: false}}
"""
CATALOG = """\
id,name,url,price,stock,category
mug,A mug,https://shop.example/mug,22,3,table
jug,A jug,https://shop.example/jug,60,9,table
tea,Some tea,https://shop.example/tea,9,9,tea
pot,A pot,https://shop.example/pot,30,0,table
"""
RULES = "rules:\n  - bought: {item: mug}\n    then: [jug, pot]\nbest_sellers: [tea, mug]\n"
MAIL = """\
---
subject: Hello
commercial: false
{front}
---
<mjml><mj-body><mj-section><mj-column><mj-text>{body}</mj-text>
{more}
</mj-column></mj-section></mj-body></mjml>
"""
AMP = """\
<!doctype html>
<html ⚡4email data-css-strict>
<head>
<meta charset="utf-8">
<script async src="https://cdn.ampproject.org/v0.js"></script>
<script async custom-element="amp-list" src="https://cdn.ampproject.org/v0/amp-list-0.1.js"></script>
<script async custom-template="amp-mustache" src="https://cdn.ampproject.org/v0/amp-mustache-0.2.js"></script>
<style amp4email-boilerplate>body{visibility:hidden}</style>
</head>
<body>
<a href="https://shop.example/mug">Mug</a> <a href="https://shop.example/else">Else</a> <a href="{{ preferences_url }}">Choose</a>
<amp-list width="300" height="100" layout="fixed" src="{{ live_list(recommend=2) }}">
<template type="amp-mustache"><a href="{% raw %}{{url}}{% endraw %}">{% raw %}{{name}}{% endraw %}</a></template>
</amp-list>
<amp-list width="300" height="100" layout="fixed" src="{{ live_list(items=["mug", "pot", "gone"]) }}"></amp-list>
<amp-list width="300" height="100" layout="fixed" src="{{ live_list(until="2026-01-06T09:00:00+00:00") }}"></amp-list>
</body>
</html>
"""
JOURNEY = """\
journey: bought
description: Writes to whoever bought.
enter: {on: Order Completed}
steps:
%s
  - end: done
"""


def mail(body: str, front: str = "", more: str = "") -> str:
    return MAIL.replace("{front}", front).replace("{body}", body).replace("{more}", more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalog.csv").write_text(CATALOG)
    (tmp_path / "recommendations.yaml").write_text(RULES)
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Iterator[Any]:
    shops: list[Shop] = []

    def open_(steps: str, **contents: str) -> Shop:
        shop = Shop(journeys_dir=folder, journeys=[JOURNEY % steps], contents=contents, settings=SETTINGS)
        shops.append(shop)
        shop.__enter__()
        shop.identify("ann", {"email": "ann@example.com", "city": "Bad Tölz & more/../"})
        return shop

    yield open_
    for shop in shops:
        shop.__exit__()


def buy(shop: Shop, *names: str) -> None:
    shop.track("ann", "Order Completed", {"revenue": 1, "products": [{"product_id": name} for name in names]})


def tokens(shop: Shop, key: str) -> dict[str, Any]:
    from sqlalchemy import select

    from sojourn.store.tables import messages

    return shop._read(lambda c: c.execute(select(messages.c.tokens).where(messages.c.send_key == key)).scalar_one())


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


# -- live --------------------------------------------------------------------------------------------

PICTURE = '<mj-image src="{{ live_stock("mug") }}" alt="Whether the mug is in stock" />\n'
PICTURE += '<mj-image src="{{ live_countdown(until=event.ends) }}" alt="It ends soon" />'
LIVE = mail('<a href="https://shop.example/mug">Mug</a>', "sample: {event.ends: \"2026-01-06T09:00:00+00:00\"}", PICTURE)
SENDER = {"AMP-Email-Sender": "hello@shop.example"}


def live(shop: Shop) -> Any:
    shop.track("ann", "Order Completed", {"revenue": 1, "product_id": "mug", "ends": "2026-01-06T09:00:00+00:00"})
    return shop.inbox("ann")[0]


def addresses(text: str, start: str) -> list[str]:
    return [part.split('"')[0] for part in text.split('src="')[1:] if part.startswith(f"https://mail.shop.example/{start}")]


def get(shop: Shop, url: str, headers: dict[str, str] | None = None) -> Any:
    return shop._run(shop._engine.request("GET", url, headers or {}))


def test_an_amp_part_goes_along_with_tracked_links_and_a_list_that_is_asked_at_open(opened: Any) -> None:
    shop = opened("  - send: live", live=LIVE, **{"live.amp.html": AMP})
    sent = live(shop)
    assert sent.amp is not None
    assert list(sent.links) == ["https://shop.example/mug", "https://shop.example/else"]
    for link in sent.links:
        assert f'href="{link.tracked}"' in sent.amp  # one number for one address, in HTML and AMP alike
    assert 'href="https://mail.shop.example/p/' in sent.amp
    assert sent.amp.count("<amp-img src=\"https://mail.shop.example/o/") == 1
    first, named, until = addresses(sent.amp, "l/")
    assert [item["name"] for item in get(shop, first, SENDER).json()["items"]] == ["A jug", "Some tea"]
    buy(shop, "jug")
    assert [item["name"] for item in get(shop, first, SENDER).json()["items"]] == ["Some tea"]
    assert [(item["id"], item["in_stock"]) for item in get(shop, named, SENDER).json()["items"]] == [("mug", True), ("pot", False)]
    (item,) = get(shop, until, SENDER).json()["items"]
    assert (item["seconds_left"], item["ended"], item["words"]) == (86_400, False, "1 d 00:00:00")
    shop.advance("2d")
    assert get(shop, until, SENDER).json()["items"][0]["ended"] is True


def test_a_list_is_for_the_sender_of_its_message_only_by_either_version_of_the_rules(opened: Any) -> None:
    shop = opened("  - send: live", live=LIVE, **{"live.amp.html": AMP})
    url = addresses(live(shop).amp, "l/")[0]
    good = get(shop, url, {"AMP-Email-Sender": "Hello@Shop.example"})
    assert good.headers["AMP-Email-Allow-Sender"] == "Hello@Shop.example"
    assert "no-store" in good.headers["Cache-Control"]
    old = get(shop, f"{url}?__amp_source_origin=hello@shop.example", {"Origin": "https://mail.google.com"})
    assert old.status_code == 200
    assert old.headers["Access-Control-Allow-Origin"] == "https://mail.google.com"
    assert old.headers["AMP-Access-Control-Allow-Source-Origin"] == "hello@shop.example"
    assert old.headers["Access-Control-Expose-Headers"] == "AMP-Access-Control-Allow-Source-Origin"
    refused: list[tuple[str, dict[str, str]]] = [
        (url, {}),
        (url, {"Origin": "https://mail.google.com"}),
        (url, {"AMP-Email-Sender": "evil@shop.example"}),
        (url, {"AMP-Email-Sender": "*"}),
        (url, {"AMP-Email-Sender": "evil@evil.example", "Origin": "https://mail.google.com"}),
        (f"{url}?__amp_source_origin=hello@shop.example", {}),
        (f"{url}?__amp_source_origin=hello@shop.example", {"Origin": "null"}),
        (f"{url}?__amp_source_origin=hello@shop.example", {"Origin": "http://mail.google.com"}),
        (f"{url}?__amp_source_origin=evil@evil.example", {"Origin": "https://mail.google.com"}),
        (f"{url}?__amp_source_origin=hello@shop.example", {"Origin": "https://x.example", "AMP-Email-Sender": "evil@evil.example"}),
    ]
    for each, headers in refused:
        answer = get(shop, each, headers)
        assert (answer.status_code, "items" in answer.text) == (403, False), (each, headers)
        assert not {"access-control-allow-origin", "amp-email-allow-sender"} & {name.lower() for name in answer.headers}


def test_a_picture_says_how_it_is_when_it_is_opened_and_a_look_is_no_open_and_no_click(opened: Any) -> None:
    shop = opened("  - send: live", live=LIVE)
    sent = live(shop)
    stock, countdown = addresses(sent.html, "live/")
    assert len(sent.links) == 1  # the pictures are none
    one, two = get(shop, stock), get(shop, countdown)
    assert (one.content[:4], one.headers["Content-Type"], two.content[:4]) == (b"\x89PNG", "image/png", b"\x89PNG")
    assert "no-store" in one.headers["Cache-Control"]
    assert get(shop, countdown).content == two.content
    shop.advance("1h")
    assert get(shop, countdown).content != two.content
    counting = get(shop, countdown.replace(".png", ".gif"))
    assert counting.content[:4] == b"GIF8"
    shop.advance("3d")
    from sqlalchemy import func, select

    from sojourn.store.tables import engagements

    assert shop._read(lambda c: c.execute(select(func.count()).select_from(engagements)).scalar_one()) == 0


def test_a_live_address_opens_nothing_but_what_it_is_for(opened: Any) -> None:
    shop = opened("  - send: live", live=LIVE, **{"live.amp.html": AMP})
    sent = live(shop)
    picture, listed = addresses(sent.html, "live/")[0], addresses(sent.amp, "l/")[0]
    token, other = picture.removesuffix(".png").rpartition("/")[2], listed.rpartition("/")[2]
    base = "https://mail.shop.example"
    for wrong in (f"l/{token}", f"live/{other}.png", f"u/{token}", f"c/{token}", f"live/{token[:-2]}.png", f"l/{other}x"):
        assert get(shop, f"{base}/{wrong}", SENDER).status_code == 404


# -- fetched -----------------------------------------------------------------------------------------

FETCH = "fetches:\n  weather: {url: \"https://api.shop.example/w?city={{ profile.city }}\", %s}"
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
    body = 'Here.{% if fetched.weather %} It is {{ fetched.weather.sky }}.{% endif %}'
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


def test_the_shipped_amp_part_shows_three_items_of_the_shipped_catalogue_at_open() -> None:
    folder = Path(__file__).parents[3] / "journeys"
    steps = JOURNEY % "  - send: whats_new"
    with Shop(journeys_dir=folder, journeys=[steps]) as shop:
        shop.identify("ann", {"email": "ann@example.com"}, consent={"marketing": True})
        shop.track("ann", "Order Completed", {"revenue": 45, "products": [{"product_id": "linen-throw"}]})
        sent = next(each for each in shop.inbox("ann") if each.content == "whats_new")
        (url,) = addresses(sent.amp or "", "l/")
        items = get(shop, url, SENDER).json()["items"]
        assert [item["id"] for item in items] == ["linen-tea-towels", "linen-apron", "linden-soap"]  # napkins are sold out
