"""A brake's release on the real road: what it held goes on within seconds, though it was to look again in an hour."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from stack import ROOT, Stack, running, until

from sojourn.launch import PYTHON
from sojourn.store.database import Database
from sojourn.store.tables import brakes

pytestmark = pytest.mark.real
SOON = 30.0  # seconds; it takes about one
SHOP = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
compete_within: 0s
"""
NOTE = """---
subject: A note
---
<mjml><mj-body><mj-section><mj-column><mj-text>A note. {{ shop.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a>
</mj-text></mj-column></mj-section></mj-body></mjml>
"""
JOURNEY = "journey: hello\ndescription: One mail.\nenter: {on: Began}\nsteps: [{send: note}, {end: greeted}]\n"
BROADCAST = 'broadcast: news\ndescription: News.\nto: profile.plan == "gold"\ncontent: note\nat: %s\n'


@pytest.fixture(scope="module")
def journeys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    journeys = tmp_path_factory.mktemp("journeys")
    for folder in ("content", "broadcasts"):
        (journeys / folder).mkdir()
    (journeys / "shop.yaml").write_text(SHOP)
    (journeys / "hello.yaml").write_text(JOURNEY)
    (journeys / "content" / "note.mjml").write_text(NOTE)
    at = (datetime.now(UTC) - timedelta(minutes=1)).strftime("%Y-%m-%d %H:%M")
    (journeys / "broadcasts" / "news.yaml").write_text(BROADCAST % at)
    return journeys


@pytest.fixture(scope="module")
def stack(journeys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("brake") / "var", "--journeys-dir", str(journeys)) as stack:
        yield stack


def command(stack: Stack, *words: str) -> str:
    done = subprocess.run([*PYTHON, *words, "--data-dir", str(stack.data_dir)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def brake(stack: Stack, journey: str) -> None:
    """Put a brake on, as too many bounces would."""
    database = Database(f"sqlite:///{stack.data_dir / 'sojourn.db'}")
    row = {"id": f"of-{journey}", "journey": journey, "kind": "bounce", "level": "halt", "share": 0.5, "bad": 5, "sent": 10}
    database.write_now(lambda c: c.execute(insert(brakes).values(**row, because="a test", at=datetime.now(UTC))))
    database.close_now()


def states(stack: Stack, journey: str) -> list[str]:
    return [row[0] for row in stack.rows("select state from sends where journey = ?", journey)]


def test_what_it_held_goes_on_within_seconds_of_its_release(stack: Stack, journeys: Path) -> None:
    brake(stack, "hello")
    brake(stack, "news")
    with stack.http as http:
        for n in range(3):
            traits = {"email": f"u{n}@customer.example", "plan": "gold", "consent": {"marketing": True}}
            http.post("/v1/identify", json={"userId": f"u{n}", "traits": traits, "messageId": f"i{n}"}).raise_for_status()
            http.post("/v1/track", json={"userId": f"u{n}", "event": "Began", "messageId": f"t{n}"}).raise_for_status()
    until(lambda: states(stack, "hello") == ["held"] * 3, SOON, "holds of the journey")
    command(stack, "broadcast", "schedule", "news", "--yes", "--journeys", str(journeys))
    until(lambda: states(stack, "news") == ["held"] * 3, SOON, "holds of the broadcast")
    for journey in ("hello", "news"):
        assert command(stack, "brakes", "release", journey, "--because", "a test").endswith("within a minute: 3\n")
        until(lambda journey=journey: states(stack, journey) == ["accepted"] * 3, SOON, "what was held")
    assert until(lambda: len(stack.mails()) == 6, SOON, "the mails")
    until(lambda: stack.rows("select count(*) from entries where journey = 'hello' and outcome = 'greeted'") == [(3,)], SOON, "the ends")
