"""The robots and readers of tests/attacks/agents.jsonl, each with a message in whole lives: a robot moves nobody, a reader does (P14)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shop_definitions import EMAIL, small_shop
from sqlalchemy import select

from sojourn.store.tables import events
from sojourn.testing import Shop

CORPUS = Path(__file__).parents[2] / "attacks" / "agents.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()]
BODY = """\
enter: {on: Began}
steps:
- send: note
- wait_for:
  - {on: note.clicked, then: [end: clicked]}
  - {on: note.opened, then: [end: opened]}
  up_to: 2d
  else: [end: silent]
"""


def asked(shop: Shop, address: str, row: dict[str, Any], late: bool = True) -> None:
    """Ask for an address of a message as the row's program would."""
    if late:
        shop.advance("10m")
    shop._run(shop._engine.request("GET", address, {"User-Agent": row["agent"], **row.get("headers", {})}))
    shop.advance("1m")


def begun(shop: Shop, person: str) -> None:
    shop.identify(person, EMAIL)
    shop.track(person, "Began")


def machines(shop: Shop) -> list[bool]:
    """Return of every open and click that was told whether a robot did it."""
    query = select(events.c.machine).where(events.c.name.in_(["Email Opened", "Email Link Clicked"])).order_by(events.c.seq)
    return list(shop._read(lambda connection: connection.execute(query).scalars().all()))


def pixel_of(shop: Shop, person: str) -> str:
    html = shop.inbox(person)[0].html
    return next(part.partition('"')[0] for part in html.split('src="')[1:] if "/o/" in part)


def test_no_robot_moves_anybody_by_click_or_open_and_each_is_kept_as_one() -> None:
    robots = [row for row in ROWS if not row.get("reader")]
    assert len(robots) >= 60  # a test of nothing proves nothing
    with small_shop(BODY) as shop:
        for number, row in enumerate(robots):
            begun(shop, f"p{number}")
            asked(shop, pixel_of(shop, f"p{number}"), row)
            asked(shop, shop.inbox(f"p{number}")[0].links[0].tracked, row, late=False)
            assert shop.outcome(f"p{number}", "j0") == "running", row["name"]
        assert machines(shop) == [True] * (2 * len(robots))
        shop.advance("3d")
        assert {shop.outcome(f"p{number}", "j0") for number in range(len(robots))} == {"silent"}


def test_each_reader_moves_by_a_click_and_by_an_open() -> None:
    readers = [row for row in ROWS if row.get("reader")]
    assert len(readers) >= 20
    with small_shop(BODY) as shop:
        for number, row in enumerate(readers):
            begun(shop, f"c{number}")
            asked(shop, shop.inbox(f"c{number}")[0].links[0].tracked, row)
            assert shop.outcome(f"c{number}", "j0") == "clicked", row["name"]
            begun(shop, f"o{number}")
            asked(shop, pixel_of(shop, f"o{number}"), row)
            assert shop.outcome(f"o{number}", "j0") == "opened", row["name"]
        assert machines(shop) == [False] * (2 * len(readers))


def test_a_reader_within_two_seconds_of_the_message_is_a_scanner_that_does_not_say_so() -> None:
    readers = [row for row in ROWS if row.get("reader")]
    with small_shop(BODY) as shop:
        for number, row in enumerate(readers):
            begun(shop, f"p{number}")
            asked(shop, shop.inbox(f"p{number}")[0].links[0].tracked, row, late=False)
            assert shop.outcome(f"p{number}", "j0") == "running", row["name"]
        assert machines(shop) == [True] * len(readers)
