"""A shop's first day: it imports its customers and their orders, starts `sojourn up`, and goes on selling meanwhile.

The history is Online Retail's, moved so that it ends today; the shipped journeys and segments are in force, with some more
segments. Everybody imported said yes to the newsletter, most have not bought for two months, and nobody may be mailed for it.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from pathlib import Path
from typing import Any

import httpx
import pytest
from mail_sink import mail_sink
from shop_history import ORDERS, ShopHistory, excerpt, whole
from stack import ROOT, Stack, running, until

from sojourn.launch import PYTHON

pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]

SEGMENTS = 30
ROLES = ("api", "router", "worker", "temporal")
DORMANT_AFTER = timedelta(days=60)  # as segments/dormant.yaml says
LASTS = timedelta(minutes=30)  # nobody becomes dormant by the mere passing of so long
MINE = {  # a shop's own, beside those that are shipped
    **{f"spent_{sum_}": f'sum("Order Completed", "revenue", within="365d") >= {sum_}' for sum_ in (100, 250, 1000, 5000)},
    **{f"bought_{times}_times": f'count("Order Completed", within="180d") >= {times}' for times in (2, 4, 8)},
    "one_big_order": 'count("Order Completed", where="event.revenue >= 1000") >= 1',
    "germans": 'profile.country == "DE" and did("Order Completed")',
    "good_and_gone": "segment.spent_1000 and segment.dormant",
    "new_this_quarter": 'days_since(first("Order Completed")) < 90',
}
CART_WAIT = ("  - wait: 1h\n    reset_on: Product Added\n", "  - wait: 3s\n    reset_on: Product Added\n")

A_LITTLE, LONG = timedelta(minutes=10), timedelta(days=45)
CASES = {
    "excerpt": (excerpt, LONG),  # four weeks of 360 customers; it ended so long ago that some are dormant
    "some": (lambda: whole(1000), A_LITTLE) if ORDERS.exists() else (excerpt, LONG),
    "all": (whole, A_LITTLE),
}
all_ = pytest.param(
    "all", marks=[pytest.mark.exhaustive, pytest.mark.skipif(not ORDERS.exists(), reason="shared/data/online_retail is absent")]
)


@pytest.mark.parametrize("case", ["some", pytest.param("excerpt", marks=pytest.mark.exhaustive), all_])
def test_a_shops_first_day_ends_no_role_and_mails_only_whom_a_journey_promised_it(case: str, tmp_path: Path) -> None:
    first_day(case, tmp_path, meanwhile=False)


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", ["some", all_])
def test_a_shop_that_imports_while_it_runs_has_no_role_end_and_mails_nobody_else(case: str, tmp_path: Path) -> None:
    first_day(case, tmp_path, meanwhile=True)


def first_day(case: str, tmp_path: Path, *, meanwhile: bool) -> None:
    """Import a history before `sojourn up`, or while it runs, sell meanwhile, and look at what came of it."""
    read, ago = CASES[case]
    history = read().ended(datetime.now(UTC) - ago, quiet=DORMANT_AFTER - ago, around=LASTS)
    journeys, data = folder(tmp_path), tmp_path / "var"
    if not meanwhile:
        import_all(history, journeys, data, tmp_path)
    silent = [who for who, last in history.last_orders.items() if last.at < datetime.now(UTC) - DORMANT_AFTER]
    assert len(silent) > 30
    assert len(silent) < len(history.last_orders)
    come_back, lookers = silent[:3], silent[3:13]
    with mail_sink() as (mails, url), running(data, "--journeys-dir", str(journeys), "--smtp-url", url) as stack:
        pids = {role: stack.pid_of(role) for role in ROLES}
        with visitors(stack, lookers) as sent:
            fill_carts(stack, [*come_back[:2], "fresh-early"])
            if meanwhile:
                until(lambda: sent.calls > len(lookers) and routed(stack), 60, "that all of them are known")
                import_all(history, journeys, data, tmp_path, known=2 + len(lookers))
            until(lambda: sent.calls > 20 and built(stack), 900, "the segments")
            fill_carts(stack, [come_back[2], "fresh-late"], buys=["fresh-buyer"])
            carts = [*come_back, "fresh-early", "fresh-late"]
            until(lambda: mails.to(carts) >= len(carts), 60, "a reminder for each cart")
            until(lambda: ended(stack, "purchased") == 1, 30, "the purchase")
            until(lambda: routed(stack), 60, "that all events are routed")
        until(lambda: health(stack)["status"] == "ok", 60, "health to be well")

        assert sent.statuses == {200: sent.calls}
        assert sent.down == []
        assert {role: stack.pid_of(role) for role in ROLES} == pids, stack.said
        assert "ended" not in stack.said
        assert Counter(address for address, _ in mails.got) == {f"{who}@shop.example": 1 for who in carts}
        assert set(stack.rows("select journey, count(*) from entries group by journey")) == {("cart_abandonment", len(carts) + 1)}
        gone = set(silent) - set(come_back) - set(lookers)
        until(lambda: asked(stack, "/api/health")["parts"]["segments"]["detail"] == f"{SEGMENTS} segments are live", 120, "all judgements")
        assert {who for (who,) in stack.rows(MEMBERS, "dormant")} == gone
        assert len(stack.rows(MEMBERS, "spent_100")) > 30
        assert segments(stack) == SEGMENTS
        assert "Traceback" not in stack.log()


MEMBERS = (
    "select i.value from segment_members m join identifiers i on i.profile_id = m.profile_id where i.kind = 'user_id' and m.segment = ?"
)


def folder(tmp_path: Path) -> Path:
    """Return the shipped folder with a cart that waits for seconds, and with segments of the shop's own."""
    journeys = tmp_path / "journeys"
    shutil.copytree(ROOT / "journeys", journeys)
    cart = journeys / "cart_abandonment.yaml"
    assert CART_WAIT[0] in cart.read_text()
    cart.write_text(cart.read_text().replace(*CART_WAIT))
    for name, members in MINE.items():
        (journeys / "segments" / f"{name}.yaml").write_text(f"segment: {name}\ndescription: One of the shop's own.\nmembers: {members}\n")
    return journeys


def import_all(history: ShopHistory, journeys: Path, data: Path, tmp_path: Path, known: int = 0) -> None:
    """Import the customers, of whom some are known, and their orders, by the commands of the README."""
    customers, orders = history.customers_csv(tmp_path / "customers.csv"), history.orders_csv(tmp_path / "orders.csv")
    of_customers = ("customer=user_id", "first=first_name", "since=first_seen", "newsletter=consent.marketing")
    said = sojourn("import", "profiles", str(customers), *mapped(*of_customers), "--journeys", str(journeys), "--data-dir", str(data))
    assert f"{len(history.last_orders) - known:,} new people, {known} known" in said
    of_orders = ("customer=user_id", "placed=time", "action=event")
    said = sojourn("import", "events", str(orders), *mapped(*of_orders), "--journeys", str(journeys), "--data-dir", str(data))
    assert f"{len(history.orders):,} new events, 0 known" in said


def mapped(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--map", pair)]


def sojourn(*arguments: str) -> str:
    done = subprocess.run([*PYTHON, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Sent:
    """What visitors sent, and how it was answered."""

    def __init__(self) -> None:
        self.calls = 0
        self.statuses: Counter[int] = Counter()
        self.down: list[dict[str, Any]] = []  # each time at which health said that a part was down


@contextmanager
def visitors(stack: Stack, lookers: Sequence[str]) -> Iterator[Sent]:
    """Let unknown visitors and customers look at products, and look at health, until the block is left."""
    sent, leave = Sent(), threading.Event()

    def go() -> None:
        with stack.http as http:
            for number, who in zip(count(), cycle(lookers)):
                seen = {"type": "track", "event": "Product Viewed", "properties": {"product_id": f"p{number % 40}", "price": 12.5}}
                batch = [{**seen, "userId": who}, {**seen, "anonymousId": f"visitor-{number % 200}"}]
                sent.statuses[http.post("/v1/batch", json={"batch": batch}).status_code] += 1
                sent.calls += 1
                parts = health(stack)["parts"]
                sent.down += [part for part in parts.values() if part["state"] == "down"]
                if leave.wait(0.1):
                    return

    visiting = threading.Thread(target=go)
    visiting.start()
    try:
        yield sent
    finally:
        leave.set()
        visiting.join(60)
        assert not visiting.is_alive()


def fill_carts(stack: Stack, people: Sequence[str], buys: Sequence[str] = ()) -> None:
    """Let people put something into a cart; some of them buy it at once."""
    batch: list[dict[str, Any]] = []
    put = datetime.now(UTC) - timedelta(seconds=1)
    for who in [*people, *buys]:
        traits = {"email": f"{who}@shop.example"}
        context = {"consent": {"categoryPreferences": {"marketing": True}}, "timezone": daylight_zone()}
        batch.append({"type": "identify", "userId": who, "traits": traits, "context": context})
        jug = {"cart_id": f"cart-{who}", "product_id": "p1", "name": "A jug", "price": 24.5}
        batch.append({"type": "track", "userId": who, "event": "Product Added", "properties": jug, "timestamp": put.isoformat()})
        if who in buys:
            batch.append({"type": "track", "userId": who, "event": "Order Completed", "properties": {"revenue": 24.5}})
    with stack.http as http:
        assert http.post("/v1/batch", json={"batch": batch}).status_code == 200


def daylight_zone() -> str:
    """Return a zone in which it is about noon, so that `send_between` holds nothing back."""
    offset = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/UTC"


def asked(stack: Stack, path: str) -> Any:
    return httpx.get(f"{stack.url}{path}", headers={"authorization": f"Bearer {stack.admin_token}"}, timeout=30).json()


def health(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = asked(stack, "/api/health")
    return found


def built(stack: Stack) -> bool:
    """Tell whether all segments are in force, as the admin API says."""
    return all(view["build"] and view["build"]["state"] == "live" for view in asked(stack, "/api/segments"))


def segments(stack: Stack) -> int:
    return len(asked(stack, "/api/segments"))


def routed(stack: Stack) -> bool:
    return bool(health(stack)["parts"]["routing"]["detail"].startswith("0 "))


def ended(stack: Stack, outcome: str) -> int:
    return int(stack.rows("select count(*) from entries where outcome = ?", outcome)[0][0])
