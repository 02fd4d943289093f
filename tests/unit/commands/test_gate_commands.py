"""`sojourn suppress`, `brakes` and `deliverability`, on the data of a shop in virtual time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from console_script import app
from typer.testing import CliRunner

from sojourn.clock import TimeScale, real_now
from sojourn.store.database import Database
from sojourn.testing import Shop
from sojourn.timekeeping import FILE

SETTINGS = (
    "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
    "brakes: {at_least: 2, bounces: {alarm: 10%, halt: 40%}}\n"
)
JOURNEY = "journey: hello\ndescription: d\nenter: {on: Began, key: event.n}\nsteps: [{send: note}]\n"
NOTE = """\
---
subject: A note
---
<mjml><mj-body><mj-section><mj-column><mj-text>Hello <a href="https://shop.example/one">One</a>
<a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ann got two messages; she clicked one, and the other bounced."""
    for name in ("SOJOURN_DATABASE_URL", "SOJOURN_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    folder, place = tmp_path / "journeys", tmp_path / "var"
    folder.mkdir()
    place.mkdir()
    (folder / "shop.yaml").write_text(SETTINGS)
    monkeypatch.setenv("SOJOURN_JOURNEYS_DIR", str(folder))
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(place))
    url = f"sqlite:///{place}/sojourn.db"
    database = Database(url)
    asyncio.run(database.create())  # by its migrations, as the commands expect it
    asyncio.run(database.close())
    with Shop(journeys=[JOURNEY], contents={"note": NOTE}, settings=SETTINGS, database_url=url) as shop:
        shop.identify("ann", {"email": "ann@example.com"})
        for n in (1, 2):
            shop.track("ann", "Began", {"n": n})
        one, other = shop.inbox("ann")
        shop.click(one)
        shop.track("ann", "Email Bounced", {"send_key": other.key, "type": "hard"})
        shop.advance("1h")
        now = shop.now
    (place / FILE).write_text(TimeScale(scale=1e-9, real_origin=real_now(), shop_origin=now).model_dump_json())
    return place


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_brakes_lists_what_is_on_and_a_person_releases_it(data: Path) -> None:
    said = run("brakes").output
    assert "hello" in said
    assert "the whole shop" in said
    assert "1 of 2 messages in 24h bounced (50.0" in said
    assert "released (1)" in run("brakes", "release", "hello", "--because", "a typo in the import").output
    assert "released (1)" in run("brakes", "release", "*", "--because", "a typo in the import").output
    assert "no brake is on" in run("brakes").output
    assert "a typo in the import" in run("brakes", "--all").output


@pytest.mark.parametrize(("by", "name"), [("content", "note"), ("journey", "hello"), ("provider", "memory"), ("domain", "example.com")])
def test_deliverability_shows_a_group_and_the_sum(data: Path, by: str, name: str) -> None:
    lines = run("deliverability", "--by", by, "--since", "7d").output.splitlines()
    row = next(line for line in lines if line.startswith(name))
    assert row.split()[1:4] == ["2", "2", "100.0%"]  # sent, and delivered: the provider in memory does so by itself
    assert "1 50.0%" in row
    assert any(line.startswith("all") for line in lines)


def test_deliverability_fits_eighty_columns_with_nothing_cut(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = run("deliverability", "--since", "7d").output
    assert "…" not in said
    assert "100.0%" in said
    assert "50.0%" in said
    assert "scribed" in said


def test_deliverability_writes_a_page(data: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert "the page is in" in run("deliverability", "--html", str(page)).output
    html = page.read_text("utf-8")
    assert "Deliverability of Sample" in html
    assert "hello: halted." in html


def test_a_time_that_is_none_is_answered_with_a_sentence(data: Path) -> None:
    done = run("deliverability", "--since", "long ago")
    assert done.exit_code == 1
    assert "'long ago' is not a duration" in " ".join(done.output.split())


def test_an_address_is_put_on_the_list_shown_and_taken_off(data: Path) -> None:
    assert "not on the list" in run("suppress", "show", "bob@example.com").output
    assert "it stops every message" in run("suppress", "add", "Bob@Example.com").output
    assert "manual; it stops every message" in run("suppress", "show", "bob@example.com").output
    assert "taken off the list" in run("suppress", "remove", "bob@example.com").output
    assert "it was not on the list" in run("suppress", "remove", "bob@example.com").output


def test_what_is_no_address_is_not_put_on_the_list(data: Path) -> None:
    done = run("suppress", "add", "customer-17511")
    assert done.exit_code == 1
    assert "customer-17511 is no e-mail address" in done.output
    assert "not on the list" in run("suppress", "show", "customer-17511").output


def test_an_import_takes_what_it_can_says_why_not_and_changes_nothing_twice(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    rows = ["Email,Reason,at", "a@example.com,bounce,", "b@example.com,spam,2020-01-05T09:00:00+00:00", "c@example.com,,", "nobody,bounce,"]
    rows += ["d@example.com,whim,", "e@example.com,,yesterday", "f@example.com,,2020-01-05 09:00", "a@example.com,unsubscribe,"]
    file.write_text("\n".join(rows))
    done = run("suppress", "import", str(file))
    assert done.exit_code == 1
    assert "8 lines: 3 new on the list, 4 not taken" in done.output
    errors = (tmp_path / "list.csv.errors.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in errors] == ["line", "5", "6", "7", "8"]
    assert "complaint: 1  hard_bounce: 1  import: 1" in run("suppress", "list").output
    assert "complaint; it stops all but transactional messages" in run("suppress", "show", "b@example.com").output
    assert "2020-01-05" in run("suppress", "show", "b@example.com").output
    assert "0 new on the list" in run("suppress", "import", str(file)).output
    assert "example" not in run("suppress", "list").output


def test_a_list_of_one_address_a_line_needs_no_header_and_a_table_without_addresses_is_refused(data: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("a@example.com\nb@example.com\n")
    assert "2 lines: 2 new on the list, 0 not taken" in run("suppress", "import", str(plain)).output
    other = tmp_path / "other.csv"
    other.write_text("name,phone\nann,1\n")
    done = run("suppress", "import", str(other))
    assert done.exit_code == 1
    assert "has no column of addresses" in done.output.replace("\n", " ")


def test_the_clock_of_the_shop_dates_what_is_added(data: Path) -> None:
    run("suppress", "add", "bob@example.com")
    assert f"{datetime(2026, 1, 5, tzinfo=UTC):%Y-%m-%d}" in run("suppress", "show", "bob@example.com").output


def test_an_address_is_found_under_every_spelling_by_every_command(data: Path) -> None:
    assert "on the list" in run("suppress", "add", "Ann@EXÄMPLE.de").output
    for spelling in ("ann@exämple.de", "ann@xn--exmple-cua.de", "ANN@XN--EXMPLE-CUA.DE", "ann@exämple。de"):
        assert "manual" in run("suppress", "show", spelling).output, spelling
    for stranger in ("ann@example.de", "ann@exaemple.de"):
        assert "not on the list" in run("suppress", "show", stranger).output
    assert "taken off" in run("suppress", "remove", "ann@xn--exmple-cua.de").output
    assert "not on the list" in run("suppress", "show", "ann@exämple.de").output
    for nonsense in ("ann@xn--a.de", "ann@shop.example.", "a" * 65 + "@shop.example"):
        assert run("suppress", "add", nonsense).exit_code == 1


def test_a_list_is_read_as_any_spreadsheet_saves_it_and_one_stray_mark_swallows_no_line(data: Path, tmp_path: Path) -> None:
    for at, end in enumerate(("\n", "\r\n", "\r")):
        file = tmp_path / f"list{at}.csv"
        rows = [f"a{at}-{i}@example.com;bounce" for i in range(40)]
        rows[7] = f'"a{at}-7@example.com;bounce'
        file.write_text("\ufeff" + end.join(["e-mail;reason", *rows]), encoding="utf-8", newline="")
        done = run("suppress", "import", str(file))
        assert "40 lines: 39 new on the list, 1 not taken" in done.output
        assert (tmp_path / f"list{at}.csv.errors.csv").read_text().splitlines()[1].startswith('9,"opens a quotation mark')
