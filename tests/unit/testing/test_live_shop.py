"""Live pictures, AMP parts and their lists on the whole road, in virtual time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from connected import JOURNEY, buy, connected_shops, mail
from sqlalchemy import func, select

from sojourn.store.tables import engagements
from sojourn.testing import Shop

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
PICTURE = '<mj-image src="{{ live_stock("mug") }}" alt="Whether the mug is in stock" />\n'
PICTURE += '<mj-image src="{{ live_countdown(until=event.ends) }}" alt="It ends soon" />'
LIVE = mail('<a href="https://shop.example/mug">Mug</a>', 'sample: {event.ends: "2026-01-06T09:00:00+00:00"}', PICTURE)
SENDER = {"AMP-Email-Sender": "hello@shop.example"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    with connected_shops(tmp_path) as opens:
        yield opens


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
    assert sent.amp.count('<amp-img src="https://mail.shop.example/o/') == 1
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
    assert shop._read(lambda c: c.execute(select(func.count()).select_from(engagements)).scalar_one()) == 0


def test_a_live_address_opens_nothing_but_what_it_is_for(opened: Any) -> None:
    shop = opened("  - send: live", live=LIVE, **{"live.amp.html": AMP})
    sent = live(shop)
    picture, listed = addresses(sent.html, "live/")[0], addresses(sent.amp, "l/")[0]
    token, other = picture.removesuffix(".png").rpartition("/")[2], listed.rpartition("/")[2]
    base = "https://mail.shop.example"
    for wrong in (f"l/{token}", f"live/{other}.png", f"u/{token}", f"c/{token}", f"live/{token[:-2]}.png", f"l/{other}x"):
        assert get(shop, f"{base}/{wrong}", SENDER).status_code == 404


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
