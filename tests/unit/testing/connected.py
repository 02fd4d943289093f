"""A shop that other services answer to, and what its messages are made of, for the tests of this folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sojourn.store.tables import messages
from sojourn.testing import Shop

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


@contextmanager
def connected_shops(folder: Path) -> Iterator[Any]:
    """Give what opens shops over a small catalogue, each by its steps and contents; they are closed in the end."""
    (folder / "catalog.csv").write_text(CATALOG)
    (folder / "recommendations.yaml").write_text(RULES)
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
    return shop._read(lambda c: c.execute(select(messages.c.tokens).where(messages.c.send_key == key)).scalar_one())
