"""`call` on the real road: a service over HTTPS, Temporal's development server, and every process of `sojourn up`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from https_service import Asked, Service, serving
from stack import Stack, running, until
from standardwebhooks.webhooks import Webhook

from sojourn.breaker import FAILURES

pytestmark = pytest.mark.real
SCALE = 3600.0  # an hour of the shop in a second
KEY = "whsec_" + base64.b64encode(b"a key by which the tests sign calls").decode()
GOOD, SLOW, BAD = "api.shop.example", "slow.shop.example", "bad.shop.example"
SHOP = f"""\
name: Test Shop
url: https://shop.example
sender: {{name: Test Shop, address: hello@shop.example}}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
connected: {{hosts: [{GOOD}, {SLOW}, {BAD}]}}
"""
JOURNEY = """\
journey: {name}
description: Asks another service who someone is.
enter: {{on: {event}}}
steps:
- call: https://{host}:{port}/loyalty
  with: {{points: 10}}
  keep: loyalty
  up_to: {up_to}
  on_failure:
  - send: sorry
  - end: failed
- if: call.loyalty.tier == "gold"
  then:
  - send: tier
  - end: gold
- send: tier
  id: plainly
- end: plain
"""
MAIL = """---
subject: {subject}
---
<mjml><mj-body><mj-section><mj-column><mj-text>{words} {{{{ shop.postal_address }}}}
<a href="{{{{ unsubscribe_url }}}}">Unsubscribe</a></mj-text></mj-column></mj-section>{more}</mj-body></mjml>
"""
GOLD = """{% section if="call.loyalty.tier == 'gold'" %}<mj-section><mj-column>
<mj-text>A gift waits for gold members.</mj-text></mj-column></mj-section>{% endsection %}"""


@dataclass
class Road:
    """A running Sojourn, and the service that it asks."""

    stack: Stack
    service: Service

    def begin(self, person: str, event: str) -> None:
        with self.stack.http as http:
            traits = {"email": f"{person}@customer.example", "consent": {"marketing": True}}
            http.post("/v1/identify", json={"userId": person, "traits": traits, "messageId": f"i-{person}"}).raise_for_status()
            http.post("/v1/track", json={"userId": person, "event": event, "messageId": f"t-{person}"}).raise_for_status()

    def entry(self, person: str) -> tuple[Any, ...] | None:
        rows = self.stack.rows(
            "select e.id, e.outcome from entries e join identifiers i on i.profile_id = e.profile_id where i.value = ?", person
        )
        return rows[0] if rows else None

    def outcome(self, person: str) -> str | None:
        entry = self.entry(person)
        return entry[1] if entry else None

    def call(self, person: str) -> tuple[Any, ...]:
        """Return state, because and number of tries of someone's call."""
        entry = self.entry(person)
        return self.stack.rows("select state, because, attempts from calls where entry_id = ?", entry and entry[0])[0]

    def mails(self, person: str) -> list[str]:
        found = [mail for mail in self.stack.mails() if f"{person}@" in str(mail["To"])]
        return [part.get_payload(decode=True).decode() for mail in found for part in mail.walk() if part.get_content_type() == "text/plain"]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    failing: list[str] = []

    def answer(asked: Asked) -> tuple[int, Any]:
        host, person = asked.host.partition(":")[0], asked.said["user_id"]
        if host == BAD:
            return 503, {}
        if host == SLOW and failing.count(asked.headers["idempotency-key"]) < 2:
            failing.append(asked.headers["idempotency-key"])
            return 503, {}
        return 200, {"tier": "gold" if person.startswith("gold") else "tin"}

    home = tmp_path_factory.mktemp("service")
    with serving(home, [GOOD, SLOW, BAD], answer) as service:
        journeys = _journeys(tmp_path_factory.mktemp("journeys"), service.port)
        environment = {**service.environment, "SOJOURN_CALL_KEY": KEY}
        flags = ("--time-scale", str(SCALE), "--journeys-dir", str(journeys))
        with running(tmp_path_factory.mktemp("call") / "var", *flags, environment=environment) as stack:
            yield Road(stack, service)


def _journeys(folder: Path, port: int) -> Path:
    (folder / "content").mkdir()
    (folder / "shop.yaml").write_text(SHOP)
    asking = (("asks", "Began", GOOD, "1h"), ("insists", "Insisted", SLOW, "3d"), ("gives_up", "Gave Up", BAD, "2h"))
    for name, event, host, up_to in asking:
        (folder / f"{name}.yaml").write_text(JOURNEY.format(name=name, event=event, host=host, port=port, up_to=up_to))
    (folder / "content" / "tier.mjml").write_text(MAIL.format(subject="Your tier", words="Thank you.", more=GOLD))
    (folder / "content" / "sorry.mjml").write_text(MAIL.format(subject="Sorry", words="We could not ask.", more=""))
    return folder


def test_the_answer_of_a_real_service_is_asked_by_a_branch_and_by_a_mail(road: Road) -> None:
    for person, outcome in (("gold-ann", "gold"), ("tin-ben", "plain")):
        road.begin(person, "Began")
        assert until(lambda who=person: road.outcome(who), 60, "the end") == outcome
        (mail,) = until(lambda who=person: road.mails(who), 30, "the mail")
        assert ("A gift waits" in mail) == (outcome == "gold")
        state, because, attempts = road.call(person)
        assert (state, attempts) == ("answered", 1)
        assert because.startswith(f"{GOOD} answered 200 in ")


def test_what_was_posted_is_signed_over_its_raw_bytes_and_says_whom_it_is_about(road: Road) -> None:
    road.begin("gold-sig", "Began")
    until(lambda: road.outcome("gold-sig"), 60, "the end")
    (asked,) = [one for one in road.service.of(GOOD) if one.said["user_id"] == "gold-sig"]
    assert Webhook(KEY).verify(asked.body, asked.headers) == json.loads(asked.body)
    assert (asked.path, asked.said["journey"], asked.said["with"]) == ("/loyalty", "asks", {"points": 10})
    assert asked.headers["idempotency-key"] == asked.headers["webhook-id"] == asked.said["id"]
    assert "customer.example" not in asked.body.decode()


def test_a_service_that_fails_at_first_is_asked_again_under_one_key_until_it_answers(road: Road) -> None:
    road.begin("gold-cat", "Insisted")
    assert until(lambda: road.outcome("gold-cat"), 60, "the end") == "gold"
    asked = [one for one in road.service.of(SLOW) if one.said["user_id"] == "gold-cat"]
    assert (len(asked), len({one.headers["idempotency-key"] for one in asked})) == (3, 1)
    assert road.call("gold-cat")[::2] == ("answered", 3)


def test_a_service_that_fails_for_good_leads_to_the_declared_steps_and_is_then_left_alone(road: Road) -> None:
    number = 0
    while len(road.service.of(BAD)) < FAILURES:
        number += 1
        assert number <= FAILURES  # each try fails, and each person is tried for at least once
        person = f"dan-{number}"
        road.begin(person, "Gave Up")
        assert until(lambda who=person: road.outcome(who), 60, "the end") == "failed"
        (mail,) = until(lambda who=person: road.mails(who), 30, "the mail")
        assert "We could not ask." in mail
        assert road.call(person)[0] == "failed"
        assert "tried" in road.call(person)[1]
    before = len(road.service.of(BAD))
    road.begin("eve", "Gave Up")
    assert until(lambda: road.outcome("eve"), 60, "the end") == "failed"
    assert road.call("eve")[1].startswith(f"{BAD} failed again and again, and is left alone for a while; tried ")
    assert len(road.service.of(BAD)) == before  # its breaker is open: nobody asked
    road.begin("gold-fay", "Began")  # and another host is asked as ever
    assert until(lambda: road.outcome("gold-fay"), 60, "the end") == "gold"
