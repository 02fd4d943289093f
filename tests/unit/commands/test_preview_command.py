"""`sojourn preview` and `sojourn seed`, on a shop of their own and on the shipped one."""

from __future__ import annotations

import asyncio
import json
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest
from click.testing import Result
from console_script import app
from sqlalchemy import func, select
from typer.testing import CliRunner

from sojourn.clock import real_now
from sojourn.commands import preview, seed
from sojourn.customers import suppression
from sojourn.delivery.message import Message
from sojourn.delivery.providers import Receipt
from sojourn.errors import ProviderBusy, ProviderUnclear, Rejected
from sojourn.preview import seeding
from sojourn.preview.chromium import ABSENT
from sojourn.settings import load_settings
from sojourn.store.database import Database
from sojourn.store.tables import sends
from sojourn.testing import Shop

SHIPPED = Path(__file__).parents[3] / "journeys"
SETTINGS = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\nlocale: en\n"
JOURNEY = "journey: hello\ndescription: d\nenter: {on: Began}\nsteps: [{send: note}]\n"
NOTE = """\
---
subject: A note
variants: {warm: {subject: A warm note}, cool: {subject: A cool note}}
---
<mjml lang="{{ language }}"><mj-body><mj-section><mj-column><mj-text>Hello {{ profile.first_name | default("you") }}
<a href="https://shop.example/one">One thing</a>
{{ shop.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>
"""
ODD = """\
---
subject: Odd
needs: [event.thing]
commercial: false
---
<mjml lang="{{ language }}"><mj-body><mj-section><mj-column><mj-text>{{ event.thing }}</mj-text></mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop with two contents and a persona; neither Chromium nor SpamAssassin are to be found, and no data is there yet."""
    for name in ("SOJOURN_DATABASE_URL", "SOJOURN_SECRET_KEY", "SOJOURN_SMTP_URL"):
        monkeypatch.delenv(name, raising=False)
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(empty))
    folder = tmp_path / "journeys"
    for inner in ("content", "personas"):
        (folder / inner).mkdir(parents=True)
    (folder / "shop.yaml").write_text(SETTINGS)
    (folder / "hello.yaml").write_text(JOURNEY)
    (folder / "content" / "note.mjml").write_text(NOTE)
    (folder / "content" / "odd.mjml").write_text(ODD)
    (folder / "personas" / "zoe.yaml").write_text("persona: zoe\ndescription: Her name has a letter.\nprofile: {first_name: Zoë}\n")
    (folder / "seeds.yaml").write_text("seeds: [one@seeds.example, {address: two@seeds.example, name: Two}]\n")
    monkeypatch.setenv("SOJOURN_JOURNEYS_DIR", str(folder))
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=input)


def inbox(shop: Path) -> list[EmailMessage]:
    files = sorted((shop / "var" / "inbox" / "new").iterdir())
    return [BytesParser(policy=policy.default).parsebytes(path.read_bytes()) for path in files]


def test_a_preview_is_written_and_told_and_what_this_machine_lacks_is_said_not_failed(shop: Path) -> None:
    result = run("preview", "note", "--persona", "zoe", "--variant", "warm", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "A warm note" in result.output
    assert "persona zoe" in result.output
    assert ABSENT in result.output
    assert "SpamAssassin is not on this machine" in result.output
    assert {path.name for path in (shop / "out").iterdir()} == {
        "message.html", "message.txt", "message.mjml", "message.eml", "report.html", "report.json"
    }  # fmt: skip
    assert "Hello Zoë" in (shop / "out" / "message.txt").read_text("utf-8")
    assert json.loads((shop / "out" / "report.json").read_text("utf-8"))["notes"] == [ABSENT]
    assert not (shop / "var").exists()  # no data folder, no keys, nothing


def test_the_amp_part_is_written_where_its_source_is(shop: Path) -> None:
    (shop / "journeys" / "content" / "note.amp.html").write_text("<!doctype html><html amp4email></html>")
    assert run("preview", "note", "--out", "out").exit_code == 0
    assert "amp4email" in (shop / "out" / "message.amp.html").read_text()


def test_a_message_that_would_not_be_sent_shows_why_and_exits_with_1(shop: Path) -> None:
    result = run("preview", "odd", "--persona", "zoe", "--out", "out")
    assert result.exit_code == 1
    assert "no message: odd needs event.thing, which is missing" in result.output
    assert "odd needs event.thing" in (shop / "out" / "report.html").read_text("utf-8")
    assert not (shop / "out" / "message.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nota"], "did you mean `note`?"),
        (["note", "--persona", "zo"], "did you mean `zoe`?"),
        (["note", "--variant", "warn"], "did you mean `warm`?"),
        (["note", "--language", "fr"], "not translated into fr"),
        (["note", "--person", "ann"], "there is no data"),
        ([], "--all"),
        (["note", "--all"], "--all"),
        (["note", "--person", "ann", "--persona", "zoe"], "not both"),
        (["--all", "--persona", "zoe"], "--all takes every persona"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(shop: Path, arguments: list[str], words: str) -> None:
    result = run("preview", *arguments)
    assert result.exit_code in (1, 2)
    assert words in " ".join(result.output.replace("│", " ").split())
    assert "Traceback" not in result.output


def with_ann(shop: Path) -> Path:
    """Give the shop data in which Ann began; return the database's file."""
    (shop / "var").mkdir()
    url = f"sqlite:///{shop}/var/sojourn.db"
    database = Database(url)
    asyncio.run(database.create())
    asyncio.run(database.close())
    with Shop(journeys=[JOURNEY], contents={"note": NOTE}, settings=SETTINGS, database_url=url) as played:
        played.identify("ann", {"email": "ann@example.com", "first_name": "Ann"})
        played.track("ann", "Began", {"n": 1})
    return shop / "var" / "sojourn.db"


def test_a_person_of_the_data_is_found_by_any_identifier(shop: Path) -> None:
    with_ann(shop)
    for reference in ("ann", "email:ann@example.com"):
        result = run("preview", "note", "--person", reference, "--out", "out")
        assert result.exit_code == 0, result.output
        assert "Hello Ann" in (shop / "out" / "message.txt").read_text("utf-8")
        assert "ann@example.com" in (shop / "out" / "message.eml").read_text("utf-8")
    assert run("preview", "note", "--person", "bob", "--out", "out").exit_code == 1


def test_the_gallery_shows_every_content_for_every_persona_and_marks_what_cannot_be_shown(shop: Path) -> None:
    result = run("preview", "--all", "--out", "out")
    assert result.exit_code == 0, result.output
    assert "3 messages, 1 to mend" in result.output
    page = (shop / "out" / "gallery.html").read_text("utf-8")
    assert page.count("<article") == 3
    assert page.count("<iframe") == 2
    assert "odd needs event.thing, which is missing" in page
    assert ABSENT in page


def test_the_shipped_contents_make_a_gallery_without_anything_to_mend(shop: Path) -> None:
    result = run("preview", "--all", "--no-pictures", "--out", "out", "--journeys", str(SHIPPED))
    assert result.exit_code == 0, result.output
    assert "0 to mend" in result.output


def test_open_opens_the_page(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(preview.webbrowser, "open", opened.append)
    assert run("preview", "note", "--out", "out", "--open").exit_code == 0
    assert opened == [(shop / "out" / "report.html").as_uri()]


def test_seeds_get_every_variant_marked_as_a_test_and_untracked(shop: Path) -> None:
    result = run("seed", "note", "--persona", "zoe")
    assert result.exit_code == 0, result.output
    assert "4 tests went to 2 addresses through inbox" in result.output
    found = inbox(shop)
    assert sorted((str(mail["To"]), str(mail["Subject"])) for mail in found) == [
        ("Two <two@seeds.example>", "[test] A cool note"), ("Two <two@seeds.example>", "[test] A warm note"),
        ("one@seeds.example", "[test] A cool note"), ("one@seeds.example", "[test] A warm note"),
    ]  # fmt: skip
    for mail in found:
        assert mail["X-Sojourn-Test"] == "1"
        assert mail["List-Unsubscribe"] == "<https://unsubscribe.invalid/>"
        body = mail.get_body(("html",))
        assert body is not None
        page = body.get_content()
        assert 'href="https://shop.example/one"' in page  # not through us
        assert ".gif" not in page
        assert "Hello Zoë" in page
    assert len({str(mail["Message-ID"]) for mail in found}) == 4
    again = run("seed", "note", "--variant", "warm", "--to", "one@seeds.example")
    assert again.exit_code == 0
    assert len(inbox(shop)) == 5  # a second run is a second test


def test_seeds_leave_no_row_in_the_ledger_and_pass_over_suppressed_addresses(shop: Path) -> None:
    path = with_ann(shop)
    database = Database(f"sqlite:///{path}")
    before = database.read_now(lambda connection: connection.execute(select(func.count()).select_from(sends)).scalar_one())
    secret = load_settings(data_dir=shop / "var").secret_key
    database.write_now(suppression.suppress, secret, "one@seeds.example", "hard_bounce", real_now())
    database.write_now(suppression.suppress, secret, "two@seeds.example", "unsubscribed", real_now())
    result = run("seed", "note")
    assert result.exit_code == 0, result.output
    assert "left out one@seeds.example: on the suppression list (hard_bounce)" in result.output
    assert {str(mail["To"]) for mail in inbox(shop)} == {"Two <two@seeds.example>"}
    assert before == 1 == database.read_now(lambda connection: connection.execute(select(func.count()).select_from(sends)).scalar_one())
    database.close_now()


def test_more_than_twenty_are_asked_about(shop: Path) -> None:
    (shop / "many.txt").write_text("# ours\n" + "".join(f"seed{n}@seeds.example  # {n}\n" for n in range(11)))
    refused = run("seed", "note", "--to", "many.txt", input="n\n")
    assert refused.exit_code == 1
    assert "Send 22 tests to 11 addresses through inbox?" in refused.output
    assert not (shop / "var" / "inbox").exists()
    assert run("seed", "note", "--to", "many.txt", "--yes").exit_code == 0
    assert len(inbox(shop)) == 22


class Moody:
    """A provider that refuses one address, loses the answer of another, and is busy once with a third."""

    name = "moody"

    def __init__(self) -> None:
        self.posts: list[str] = []

    async def deliver(self, message: Message) -> Receipt:
        self.posts.append(message.to_address)
        if message.to_address.startswith("refused"):
            raise Rejected("550 no such mailbox")
        if message.to_address.startswith("lost"):
            raise ProviderUnclear("connection reset")
        if message.to_address.startswith("later") and self.posts.count(message.to_address) == 1:
            raise ProviderBusy("429")
        return Receipt(message.key)


def test_what_did_not_go_out_is_told_by_address_at_the_end(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moody = Moody()
    monkeypatch.setattr(seed, "carrier", lambda *_: moody)
    monkeypatch.setattr(seeding, "PAUSE_SECONDS", 0.0)
    to = [part for who in ("refused", "lost", "later", "fine") for part in ("--to", f"{who}@seeds.example")]
    result = run("seed", "note", "--variant", "warm", *to)
    assert result.exit_code == 1
    assert "2 tests went to 4 addresses through moody" in result.output
    assert "not sent to refused@seeds.example: note: moody refuses it: 550 no such mailbox" in result.output
    assert "not sent to lost@seeds.example: note: moody gave no answer, so it may have arrived: connection reset" in result.output
    assert moody.posts.count("lost@seeds.example") == 1  # in doubt it is not sent again
    assert moody.posts.count("later@seeds.example") == 2


def test_a_content_that_cannot_be_made_is_told_and_the_others_go_out(shop: Path) -> None:
    result = run("seed", "--all", "--persona", "zoe", "--to", "one@seeds.example")
    assert result.exit_code == 1
    assert "not sent to one@seeds.example: odd: odd needs event.thing, which is missing" in result.output
    assert len(inbox(shop)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["note", "--to", "nowhere"], "'nowhere' is neither an address nor a file that is there"),
        (["note", "--to", "bad.txt"], "bad.txt:2:1: 'not one' is not an address"),
        (["note", "--provider", "ses"], "there is no delivery.yaml that names ses"),
        (["note", "--variant", "warn"], "did you mean `warm`?"),
        (["note", "--language", "fr"], "not translated into fr"),
        ([], "--all"),
    ],
)
def test_a_mistaken_seeding_sends_nothing(shop: Path, arguments: list[str], words: str) -> None:
    (shop / "bad.txt").write_text("a@b.example\nnot one\n")
    result = run("seed", *arguments)
    assert result.exit_code in (1, 2)
    assert words in " ".join(result.output.replace("│", " ").split())
    assert not (shop / "var" / "inbox").exists()
