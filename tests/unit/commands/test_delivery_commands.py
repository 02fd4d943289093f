"""`sojourn sends`, `sojourn bounces` and `sojourn dns`, as they are typed."""

from __future__ import annotations

import mailbox
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "delivery"))
from delivery_world import NOON, DeliveryWorld, make_world
from test_bounces import report
from test_dns_check import zone

from sojourn.clock import TimeScale, real_now
from sojourn.commands import bounces, dns, sends
from sojourn.customers import suppression
from sojourn.delivery import ledger, sending
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, Unclear
from sojourn.delivery.providers.memory import Memory
from sojourn.settings import load_settings
from sojourn.timekeeping import FILE


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeliveryWorld:
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    return make_world(f"sqlite:///{tmp_path}/sojourn.db")


def run(*arguments: str):  # type: ignore[no-untyped-def]
    app = typer.Typer()
    app.callback()(lambda: None)
    for module in (sends, bounces, dns):
        module.register(app)
    return CliRunner().invoke(app, list(arguments))


def claimed(world: DeliveryWorld, step: str, at: timedelta = timedelta(0)) -> str:
    key = world.db.write_now(sending.plan, world.another(step), _rendered(), NOON + at, world.links).key
    world.db.write_now(sending.claim, key, NOON + at, world.rules, Memory())
    return key


def _rendered():  # type: ignore[no-untyped-def]
    from delivery_world import FakeRendered

    return FakeRendered()


def test_unknown_sends_are_listed_by_themselves_and_pages_follow_each_other(shop: DeliveryWorld) -> None:
    keys = [claimed(shop, str(step), timedelta(minutes=step)) for step in range(5)]
    for key in keys[:2]:
        shop.db.write_now(sending.settle, key, Accepted("id"), NOON, 1)
    for key in keys[2:]:
        shop.db.write_now(sending.settle, key, Unclear("the answer was lost"), NOON, 1)
    said = run("sends", "--unknown").output
    assert [key for key in keys if key in said] == keys[2:]
    assert "the answer was lost" in said
    seen: list[str] = []
    after: list[str] = []
    for _ in range(3):
        page = run("sends", "--limit", "2", *after).output
        seen += [key for key in reversed(keys) if key in page]
        after = page.split("sojourn sends ")[1].split() if "more:" in page else []
    assert (seen, after) == (list(reversed(keys)), [])
    assert "no such sends" in run("sends", "--journey", "other").output
    assert keys[0] in run("sends", "--provider", "memory", "--state", "accepted").output


def test_a_key_is_whole_in_a_terminal_of_eighty_columns(shop: DeliveryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    key = claimed(shop, "1")
    assert key in run("sends").output.split()


def test_a_send_shows_each_step_with_its_because(shop: DeliveryWorld) -> None:
    key = claimed(shop, "1")
    shop.db.write_now(sending.settle, key, Unclear("the answer was lost"), NOON, 1)
    said = run("sends", "show", key).output
    for part in ("rendered cart_reminder", "attempt 1 by memory", "the answer was lost", "unknown"):
        assert part in said


def test_a_person_settles_what_nobody_knows_and_the_ledger_keeps_how_they_know(shop: DeliveryWorld) -> None:
    one, other, known, given_up = (claimed(shop, str(step)) for step in range(4))
    for key in (one, other, given_up):
        shop.db.write_now(sending.settle, key, Unclear("the answer was lost"), NOON, 1)
    shop.db.write_now(sending.settle, known, Accepted("id"), NOON, 1)
    said = run("sends", "settle", one, "--as", "sent", "--because", "the mail log has it").output
    assert "1 message kept as sent" in said
    row = shop.db.write_now(ledger.load, one)
    assert (row.state, row.reason) == (State.ACCEPTED, "settled by hand as sent: the mail log has it")
    shop.db.write_now(lambda conn: ledger.move(conn, ledger.load(conn, given_up), State.ABANDONED, "nothing was heard", NOON))
    said = run("sends", "settle", "--provider", "memory", "--since", "2026-03-02T12:00", "--as", "again", "--because", "none is in the log")
    assert "2 messages planned again" in said.output
    for key in (other, given_up):
        row = shop.db.write_now(ledger.load, key)
        assert (row.state, row.reason, row.claimed_at) == (State.PLANNED, "settled by hand as again: none is in the log", None)
    assert "settled by hand as again: none is in the log" in run("sends", "--state", "planned").output
    assert shop.db.write_now(ledger.load, known).state is State.ACCEPTED
    said = run("sends", "settle", "--provider", "memory", "--since", "2026-03-02", "--as", "sent", "--because", "x")
    assert "nothing by memory" in said.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("KEY", "--as", "sent"), "how you know"),
        (("KEY", "--because", "x"), "--as sent or --as again"),
        (("--as", "sent", "--because", "x"), "give a send's key"),
        (("--provider", "memory", "--as", "sent", "--because", "x"), "--since"),
        (("KEY", "--as", "sent", "--because", "x"), "is accepted"),
        (("--provider", "memory", "--since", "lately", "--as", "sent", "--because", "x"), "no moment"),
    ],
)
def test_what_cannot_be_settled_is_a_sentence_and_changes_nothing(shop: DeliveryWorld, arguments: tuple[str, ...], says: str) -> None:
    key = claimed(shop, "1")
    shop.db.write_now(sending.settle, key, Accepted("id"), NOON, 1)
    result = run("sends", "settle", *(key if each == "KEY" else each for each in arguments))
    assert result.exit_code == 1
    assert says in result.output
    assert shop.states(key) == ["planned", "claimed", "accepted"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(("--state", "lost"), "unknown state"), (("--after", "nonsense"), "cursor"), (("show", "none"), "no send has this key")],
)
def test_what_is_not_there_is_a_sentence(shop: DeliveryWorld, arguments: tuple[str, ...], says: str) -> None:
    result = run("sends", *arguments)
    assert result.exit_code == 1
    assert says.lower() in result.output.lower()


def test_a_mailbox_of_bounces_is_read_once_and_nothing_is_deleted(shop: DeliveryWorld, tmp_path: Path) -> None:
    key = claimed(shop, "1")
    box = mailbox.Maildir(tmp_path / "box")
    for raw in (report(key), report(key), report(), b"Subject: hello\n\nno bounce\n"):
        box.add(raw)
    said = run("bounces", "read", str(tmp_path / "box")).output
    assert "mails: 4, new bounces: 1, known: 1, of no send of ours: 1, no bounces: 1" in said
    assert "new bounces: 0, known: 2" in run("bounces", "read", str(tmp_path / "box")).output
    assert len(box) == 4
    secret = load_settings().secret_key
    assert shop.db.read_now(suppression.suppressed, secret, "ann@example.com") == "hard_bounce"
    (tmp_path / "one.eml").write_bytes(report(key))
    assert "mails: 1, new bounces: 0, known: 1" in run("bounces", "read", str(tmp_path / "one.eml")).output
    assert run("bounces", "read", str(tmp_path / "none")).exit_code == 1


def test_a_folder_that_is_no_maildir_is_a_sentence(shop: DeliveryWorld, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    result = run("bounces", "read", str(tmp_path / "plain"))
    assert isinstance(result.exception, SystemExit)
    assert "is no Maildir" in " ".join(result.output.split())


def test_the_shops_clock_dates_a_bounce_that_is_read(shop: DeliveryWorld, tmp_path: Path) -> None:
    key = claimed(shop, "1")
    fast = TimeScale(scale=1e-9, real_origin=real_now(), shop_origin=NOON + timedelta(days=400))
    (tmp_path / FILE).write_text(fast.model_dump_json())
    (tmp_path / "one.eml").write_bytes(report(key))
    run("bounces", "read", str(tmp_path / "one.eml"))
    found = shop.db.read_now(suppression.look, load_settings().secret_key, "ann@example.com")
    assert found is not None
    assert found.at.date() == (NOON + timedelta(days=400)).date()


def test_dns_says_what_is_there_and_fails_where_something_is_missing(shop: DeliveryWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    records = zone()
    monkeypatch.setattr(dns, "resolver", lambda: lambda name, kind: records.get((name, kind), []))
    good = run("dns", "shop.example", "--selector", "s1")
    assert good.exit_code == 0, good.output
    assert good.output.count("good") == 5
    del records["_dmarc.shop.example", "TXT"]
    missing = run("dns", "shop.example")
    assert missing.exit_code == 1
    assert '_dmarc.shop.example. TXT "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"' in missing.output
    assert "--selector" in missing.output


def test_dns_asks_for_our_own_dkim_key(shop: DeliveryWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_dkim import pem

    (tmp_path / "dkim.pem").write_bytes(pem())
    monkeypatch.setenv("SOJOURN_DKIM_KEY", str(tmp_path / "dkim.pem"))
    monkeypatch.setenv("SOJOURN_DKIM_SELECTOR", "s9")
    monkeypatch.setattr(dns, "resolver", lambda: lambda name, kind: zone().get((name, kind), []))
    said = run("dns", "shop.example").output
    assert 's9._domainkey.shop.example. TXT "v=DKIM1; k=rsa; p=MII' in said
