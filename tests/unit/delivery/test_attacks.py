"""The attacks of tests/attacks/, each tried on the real pages and the real message (P12, P13, P16)."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email import message_from_bytes, policy
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from delivery_world import ANN, NOON, DeliveryWorld
from sqlalchemy import func, select, update
from starlette.applications import Starlette
from test_delivery_message import NAMES, PLAIN, mailboxes, meant

from sojourn.clock import VirtualClock
from sojourn.customers import consent
from sojourn.customers.consent import Said
from sojourn.delivery import sending
from sojourn.delivery.engagement import Engagement
from sojourn.delivery.message import UnsafeHeader, check_headers, to_bytes
from sojourn.delivery.outcomes import Accepted
from sojourn.delivery.preference_pages import PreferencePages
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.rules import GateRules
from sojourn.delivery.tokens import Purpose
from sojourn.delivery.tracking import Tracking
from sojourn.language import email_address
from sojourn.language.loader import load_shop
from sojourn.store.tables import consents, engagements, entries, metadata, preferences, suppressions

CORPUS = Path(__file__).parents[2] / "attacks"
SECRET = "a secret of the unit tests"
SHOP = load_shop(
    "name: The <Shop>\nsender: {name: S, address: s@shop.example}\npostal_address: 1 Street\n"
    "topics: {offers: {title: 'Offers <b>&</b>'}, tips: {title: Tips, default: out}}\n"
)
LEAST = {"header_values.jsonl": 110, "tokens.jsonl": 75, "harmless_requests.jsonl": 60, "forms.jsonl": 15}
OTHERS = [table for table in metadata.sorted_tables if table is not engagements]
COUNTS = select(*(select(func.count()).select_from(table).scalar_subquery().label(table.name) for table in OTHERS))
PAGES = {Purpose.UNSUBSCRIBE: "u", Purpose.PREFERENCES: "p", Purpose.CONFIRM: "k", Purpose.CLICK: "c", Purpose.OPEN: "o"}


def corpus(name: str) -> list[Any]:
    found = [json.loads(line) for line in (CORPUS / name).read_text("utf-8").splitlines()]
    assert len(found) >= LEAST[name]  # a test of nothing proves nothing
    return [pytest.param(one, id=one["name"]) for one in found]


@dataclass
class Target:
    """A message that arrived, its pages, and what has been told."""

    world: DeliveryWorld
    http: httpx.AsyncClient
    told: list[Engagement] = field(default_factory=list)

    def path(self, purpose: Purpose) -> str:
        return f"/{PAGES[purpose]}/{self.world.links.tokens.sign(purpose, self.world.key)}"

    def state(self) -> dict[str, Any]:
        """Return all that a reader's link can change, and how much of everything there is."""

        def read(conn: Any) -> dict[str, Any]:
            words = {table.name: conn.execute(select(table)).all() for table in (consents, preferences, suppressions)}
            return {**words, "counts": dict(conn.execute(COUNTS).mappings().one()), "told": list(self.told)}

        return self.world.db.read_now(read)


@pytest.fixture
async def target(world: DeliveryWorld) -> AsyncIterator[Target]:
    world.plan()
    world.db.write_now(sending.claim, world.key, NOON, GateRules(), Memory())
    world.db.write_now(sending.settle, world.key, Accepted("x"), NOON, 1)
    world.db.write_now(lambda conn: conn.execute(update(entries).values(trigger={"properties": {"purpose": "sms"}})))
    waits = consent.consent_row(ANN, Said("sms", True, "form"), NOON, "m-9", pending=True)
    world.db.write_now(consent.record_all, [waits])
    clock = VirtualClock(NOON + timedelta(minutes=1))
    told: list[Engagement] = []

    def emit(_conn: Any, event: Engagement) -> None:
        told.append(event)

    tracking = Tracking(world.db, world.links.tokens, clock, emit, secret=SECRET, shop_name=SHOP.name)
    choosing = PreferencePages(world.db, world.links.tokens, clock, emit, shop=SHOP, secret=SECRET)
    transport = httpx.ASGITransport(Starlette(routes=[*tracking.routes(), *choosing.routes()]))
    async with httpx.AsyncClient(transport=transport, base_url="https://mail.example") as http:
        yield Target(world, http, told)


@pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.PREFERENCES, Purpose.CONFIRM])
@pytest.mark.parametrize("attack", corpus("harmless_requests.jsonl"))
async def test_nothing_but_a_post_changes_anything(target: Target, attack: dict[str, Any], purpose: Purpose) -> None:
    before = target.state()
    address = target.path(purpose) + (f"?{attack['query']}" if "query" in attack else "")
    answer = await target.http.request(attack["method"], address, headers=attack["headers"], content=attack.get("body"))
    assert answer.status_code == (200 if attack["method"] in ("GET", "HEAD") else 405)
    assert target.state() == before
    if attack["method"] == "GET":
        assert "no-store" in answer.headers["cache-control"]
        assert "<script" not in answer.text
        assert 'method="post"' in answer.text


async def test_and_a_post_does_change_it(target: Target) -> None:
    one_click = {"List-Unsubscribe": "One-Click"}
    for purpose, body in ((Purpose.CONFIRM, {}), (Purpose.PREFERENCES, {"all": "off"}), (Purpose.UNSUBSCRIBE, one_click)):
        before = target.state()
        assert (await target.http.post(target.path(purpose), data=body)).status_code == 200
        assert (target.state() != before) == (purpose is not Purpose.UNSUBSCRIBE)  # by then everything is off
    assert [event.name for event in target.told] == ["Consent Confirmed", "Unsubscribed", "Preferences Updated"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("attack", corpus("tokens.jsonl"))
async def test_a_bent_token_opens_no_page_and_changes_nothing(target: Target, attack: dict[str, Any], method: str) -> None:
    before = target.state()
    for purpose, page in PAGES.items():
        token = target.world.links.tokens.sign(purpose, target.world.key)
        bent = _bend(attack["path"], token, target.world.key)
        assert bent != token
        answer = await target.http.request(method, f"/{page}/{bent}{'.gif' if purpose is Purpose.OPEN else ''}", follow_redirects=False)
        assert answer.status_code in ((404,) if method == "GET" else (404, 405))
        assert "evil" not in answer.headers.get("location", "")
        assert "script>alert" not in answer.text
    assert target.state() == before


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_token_of_one_purpose_opens_no_page_of_another(target: Target, method: str) -> None:
    before, tried = target.state(), 0
    for purpose, page in PAGES.items():
        for other in PAGES.keys() - {purpose}:
            token = target.world.links.tokens.sign(other, target.world.key)
            answer = await target.http.request(method, f"/{page}/{token}{'.gif' if purpose is Purpose.OPEN else ''}")
            assert answer.status_code in ((404,) if method == "GET" else (404, 405))
            tried += 1
    assert tried == 20
    assert target.state() == before


@pytest.mark.parametrize("attack", corpus("forms.jsonl"))
async def test_a_form_that_is_none_of_ours_is_refused_and_changes_nothing(target: Target, attack: dict[str, Any]) -> None:
    before = target.state()
    headers = {"content-type": "application/x-www-form-urlencoded", **attack["headers"]}
    answer = await target.http.post(target.path(Purpose.PREFERENCES), content=attack["body"].encode(), headers=headers)
    assert answer.status_code == 400
    assert target.state() == before


# A header's value is tried in every place by one test: pytest takes longer about a test than such a trial takes.
@pytest.mark.parametrize("attack", corpus("header_values.jsonl"))
def test_a_value_stays_within_its_header_and_loses_no_message(attack: dict[str, Any]) -> None:
    for place, header in {"subject": "Subject", "to_name": "To", "from_name": "From"}.items():
        raw = to_bytes(replace(PLAIN, **{place: attack["value"]}))
        read = message_from_bytes(raw, policy=policy.default)
        assert read.keys() == NAMES, place
        most = 250 if place == "subject" else 200
        said = str(read["Subject"]) if place == "subject" else mailboxes(raw, header)[0][0]
        whole = meant(attack["value"], name=place != "subject")
        assert said == whole if len(whole) <= most else said.endswith("…") and whole.startswith(said[:-1]), place


@pytest.mark.parametrize("attack", corpus("header_values.jsonl"))
def test_an_address_is_one_address_or_the_message_is_refused(attack: dict[str, Any]) -> None:
    patterns = ("{}", "{}@example.com", "ann@{}", "ann{}@example.com", "ann@example.com{}")
    for pattern, (place, header) in product(patterns, {"to_address": "To", "from_address": "From"}.items()):
        address = pattern.replace("{}", attack["value"])
        message = replace(PLAIN, to_name=None, from_name=None, **{place: address})
        assert "evil" not in (check_headers(message) or ""), (place, pattern)
        try:
            raw = to_bytes(message)
        except UnsafeHeader:
            continue
        assert attack.get("meant"), (place, pattern)
        assert message_from_bytes(raw, policy=policy.default).keys() == NAMES, (place, pattern)
        assert mailboxes(raw, header) == [("", email_address.wire(address))], (place, pattern)


@pytest.mark.parametrize("attack", corpus("header_values.jsonl"))
def test_a_value_of_a_header_of_ours_stands_as_it_is_or_the_message_is_refused(attack: dict[str, Any]) -> None:
    for name in ("Reply-To", "List-Unsubscribe", "X-Shop"):
        message = replace(PLAIN, headers={**PLAIN.headers, name: attack["value"]})
        if not attack.get("meant") or not attack["value"].isascii():
            with pytest.raises(UnsafeHeader):
                to_bytes(message)
            continue
        raw = to_bytes(message)
        read = message_from_bytes(raw, policy=policy.compat32)
        assert sorted(read.keys()) == sorted({*NAMES, name})
        assert read[name] == attack["value"], name


def _bend(pattern: str, token: str, key: str) -> str:
    last = token[:-1] + chr(ord(token[-1]) ^ 1) if token[-1].isalnum() and chr(ord(token[-1]) ^ 1).isalnum() else token[:-1] + "%7E"
    first = ("B" if token[0] != "B" else "C") + token[1:]
    swapped = token.swapcase()
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    payload, signature = raw[:18], raw[18:]

    def text(parts: bytes) -> str:
        return base64.urlsafe_b64encode(parts).decode().rstrip("=")

    made = {
        "{half}": token[: len(token) // 2], "{same}": "A" * len(token), "{unsigned}": text(payload + bytes(len(signature))),
        "{number}": text(payload[:16] + b"\x00\x07" + signature), "{otherkey}": text(bytes(16) + payload[16:] + signature),
        "{short}": text(raw[:-1]), "{doubled}": text(raw + signature), "{payload}": text(payload), "{signature}": text(signature),
        "{turned}": text(signature + payload), "{base32}": base64.b32encode(raw).decode().rstrip("="), "{hex}": raw.hex(),
        "{token:-1}": token[:-1], "{token}": token, "{swapcase}": swapped, "{reversed}": token[::-1], "{key}": key, "{KEY}": key.upper(),
        "{standard}": token.replace("-", "+").replace("_", "%2F") + "+", "{lastbit}": last, "{firstbit}": first, "{long}": token * 500,
    }  # fmt: skip
    for name, value in made.items():
        pattern = pattern.replace(name, value)
    return pattern
