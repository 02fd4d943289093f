"""`sojourn why`, `sojourn deliverability` and health: what is said of messages, and of those that no provider takes."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "delivery"))
from dataclasses import replace

from delivery_world import NOON, DeliveryWorld, make_world
from smtp_server import free_port

from sojourn.clock import SystemClock
from sojourn.commands import deliverability, up, why
from sojourn.console.health import health
from sojourn.delivery import sending
from sojourn.delivery.gate import NamedHours
from sojourn.delivery.outcomes import Accepted, NotAccepted
from sojourn.delivery.providers.memory import Memory
from sojourn.language.moments import Hours
from sojourn.settings import load_settings


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeliveryWorld:
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    return make_world(f"sqlite:///{tmp_path}/sojourn.db")


def run(*arguments: str):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.callback()(lambda: None)
    for module in (why, deliverability):
        module.register(app)
    return CliRunner().invoke(app, list(arguments))


def claim(world: DeliveryWorld, hours: int = 0) -> None:
    world.db.write_now(sending.claim, world.key, NOON + timedelta(hours=hours), world.rules, Memory())


@pytest.mark.parametrize("person", ["u-ann", "ann"])
def test_why_takes_a_person_by_any_id_and_shows_each_message_with_its_because(shop: DeliveryWorld, person: str) -> None:
    shop.plan()
    claim(shop)
    shop.db.write_now(sending.settle, shop.key, NotAccepted("the server is away"), NOON, 1)
    said = run("why", person).output
    assert shop.key in said
    assert "the server is away" in said
    assert "sojourn why KEY" in said


def test_why_says_what_to_give_where_it_is_neither_and_what_there_is_where_nothing_was_made(shop: DeliveryWorld) -> None:
    result = run("why", "nobody")
    assert result.exit_code == 1
    assert "a user id" in " ".join(result.output.split())
    assert "no message was ever planned for u-ann" in run("why", "u-ann").output


def test_why_shows_the_last_asking_whole_and_what_was_said_before_in_a_line(shop: DeliveryWorld) -> None:
    shop.rules = replace(shop.rules, hours=(NamedHours("quiet", Hours.parse("09:00-12:00")),))
    shop.plan()
    for minutes in range(30):
        shop.db.write_now(sending.claim, shop.key, NOON + timedelta(minutes=minutes), shop.rules, Memory())
    claim(shop, hours=21)
    said = run("why", shop.key).output
    assert said.count("its headers are safe") == 1
    line = next(line for line in said.splitlines() if "hold (quiet_hours)" in line)
    assert line.split()[:5] == ["2026-03-02", "12:00:00", "2026-03-02", "12:29:00", "30"]


def test_deliverability_says_its_period_and_finds_what_a_fast_clock_sent(shop: DeliveryWorld) -> None:
    said = run("deliverability").output
    assert "UTC, the shop's time" in said
    assert "nothing was sent" in said
    ahead = SystemClock().now() + timedelta(days=400) - NOON
    shop.plan()
    shop.db.write_now(sending.claim, shop.key, NOON + ahead, shop.rules, Memory())
    shop.db.write_now(sending.settle, shop.key, Accepted("id"), NOON + ahead, 1)
    said = run("deliverability").output
    assert f"{NOON + ahead:%Y-%m-%d}" in said
    assert "cart_reminder" in said


async def test_health_is_degraded_while_a_provider_takes_nothing_and_says_why(shop: DeliveryWorld) -> None:
    async def answers() -> bool:
        return True

    async def part() -> tuple[str, str]:
        found = await health(shop.db, SystemClock(), answers)
        assert found.parts is not None
        return found.parts["delivery"].state, found.parts["delivery"].detail

    shop.plan()
    assert (await part())[0] == "ok"
    await shop.db.write(sending.claim, shop.key, NOON, shop.rules, Memory())
    await shop.db.write(sending.settle, shop.key, NotAccepted("the SMTP server could not be reached"), NOON, 1)
    state, detail = await part()
    assert state == "late"
    assert "could not be reached" in detail


def test_up_says_that_the_mail_server_does_not_answer(shop: DeliveryWorld, tmp_path: Path) -> None:
    port = free_port()
    note = up._mail_note(load_settings(keys=False, smtp_url=f"smtp://127.0.0.1:{port}", journeys_dir=tmp_path))
    assert note == f"the mail server 127.0.0.1:{port} does not answer; messages wait until it does (SOJOURN_SMTP_URL)"
    assert up._mail_note(load_settings(keys=False, journeys_dir=tmp_path)) == ""
