"""`sojourn events` and `sojourn audit`, as they are typed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from console_script import app
from typer.testing import CliRunner

from sojourn.intake.appender import append
from sojourn.intake.envelope import read_call
from sojourn.language.events.schemas import EventSchemas
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import metadata

SHOP = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
STRICT = "event: Product Added\ndescription: d\npolicy: quarantine\nproperties: {properties: {price: {type: number}}}\n"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("SOJOURN_JOURNEYS_DIR", str(tmp_path / "journeys"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "shop.yaml").write_text(SHOP)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def take(shop: Path, *events: dict[str, Any]) -> None:
    loaded = load(shop / "journeys")
    asked = EventSchemas(loaded.events, loaded.shop.undeclared_events)
    database = Database(f"sqlite:///{shop}/var/sojourn.db")
    database.write_now(metadata.create_all)
    for number, event in enumerate(events):
        call = read_call("track", orjson.dumps({"userId": "ann", **event}), received_at=NOW + timedelta(minutes=number), schemas=asked)
        database.write_now(append, call.envelopes, call.quarantined)


def added(number: int, price: Any) -> dict[str, Any]:
    return {"event": "Product Added", "messageId": f"m{number}", "properties": {"price": price}}


def recording(shop: Path, *events: dict[str, Any]) -> Path:
    path = shop / "events.jsonl.gz"
    lines = [{"type": "track", "userId": "ann", "originalTimestamp": "2026-01-05T09:00:00Z", **event} for event in events]
    path.write_bytes(gzip.compress(b"\n".join(map(orjson.dumps, lines))))
    return path


def test_infer_writes_a_file_for_each_event_of_the_log_that_check_finds_well(shop: Path) -> None:
    take(
        shop, added(1, 3.5), added(2, None), {"event": "Signed Up", "properties": {"email": "ann@shop.example"}}, {"event": "Email Opened"}
    )
    result = run("events", "infer")
    assert result.exit_code == 0, result.output
    files = {path.name: path.read_text() for path in (shop / "journeys" / "events").iterdir()}
    assert sorted(files) == ["product_added.yaml", "signed_up.yaml"]
    assert 'price: {type: [number, "null"]}' in files["product_added.yaml"].replace("[number, null]", '[number, "null"]')
    assert "ann@" not in files["signed_up.yaml"]
    assert "2 events" in run("check").stdout


def test_infer_reads_a_recording_and_only_the_events_that_are_named(shop: Path) -> None:
    path = recording(shop, added(1, 3), {"event": "Other", "messageId": "o"})
    assert run("events", "infer", "Other", "--from", str(path)).exit_code == 0
    assert [file.name for file in (shop / "journeys" / "events").iterdir()] == ["other.yaml"]
    wrong = run("events", "infer", "Product Aded", "--from", str(path))
    assert wrong.exit_code == 1
    assert "`Product Aded`" in wrong.stderr


def test_infer_overwrites_nothing_unless_forced_and_shows_what_changes_then(shop: Path) -> None:
    file = shop / "journeys" / "events" / "mine.yaml"
    file.parent.mkdir()
    file.write_text(STRICT)
    path = recording(shop, added(1, "much"))
    kept = run("events", "infer", "--from", str(path))
    assert (kept.exit_code, file.read_text()) == (0, STRICT)
    assert "--force" in kept.stderr
    forced = run("events", "infer", "--from", str(path), "--force")
    assert "-policy: quarantine" in forced.stdout
    assert "+    price: {type: string}" in forced.stdout
    assert [each.name for each in file.parent.iterdir()] == ["mine.yaml"]
    assert "unchanged" in run("events", "infer", "--from", str(path), "--force").stderr


def test_infer_without_events_says_how_to_come_by_some(shop: Path) -> None:
    take(shop)
    result = run("events", "infer")
    assert result.exit_code == 1
    assert "--from" in result.stderr


def test_quarantined_lists_reasons_and_pages_and_release_takes_in_what_fits_now(shop: Path) -> None:
    file = shop / "journeys" / "events" / "added.yaml"
    file.parent.mkdir()
    file.write_text(STRICT)
    take(shop, *(added(number, "much") for number in range(3)), {"event": ""})
    listed = run("events", "quarantined", "--limit", "3")
    assert "must be a number, not a text" in listed.stdout
    assert "much" not in listed.stdout
    assert "--after" in listed.stdout
    last = listed.stdout.strip().split()[-1]
    assert len(run("events", "quarantined", "--limit", "3", "--after", last, "--json").stdout.splitlines()) == 1
    first, *_ = [json.loads(line) for line in run("events", "quarantined", "--event", "Product Added", "--json").stdout.splitlines()]
    assert (first["message_id"], first["releasable"]) == ("m2", True)
    assert "3 do not fit still" in run("events", "release").stderr
    file.write_text(STRICT.replace("number", "string"))
    assert "3 taken in" in run("events", "release").stderr
    assert "was sent wrongly" in run("events", "quarantined").stdout
    assert "0 taken in" in run("events", "release").stderr


def test_audit_reports_exits_by_strictness_and_speaks_json(shop: Path) -> None:
    take(shop, {"event": "Surprise", "messageId": "s"})
    options = ("audit", "--since", "2026-01-01", "--until", "2026-01-06")
    plain = run(*options)
    assert plain.exit_code == 0, plain.output
    assert 'sojourn events infer "Surprise"' in plain.stdout
    assert run(*options, "--strict").exit_code == 1
    told = json.loads(run(*options, "--json").stdout)
    assert [(note["kind"], note["event"]) for note in told["found"]] == [("undeclared", "Surprise")]
    assert "nothing found" in run("events", "infer").output + run(*options).stdout
    assert run(*options, "--strict").exit_code == 0


@pytest.mark.parametrize(("option", "value"), [("--since", "yesterday"), ("--until", "soon"), ("--since", "2027-01-01")])
def test_audit_of_no_period_says_what_to_write(shop: Path, option: str, value: str) -> None:
    take(shop)
    result = run("audit", "--until", "2026-01-06", option, value)
    assert result.exit_code == 1
    assert option in result.stderr
    if value == "yesterday":
        assert "a duration such as 28d" in " ".join(result.stderr.split())


def test_audit_of_an_empty_period_says_where_the_events_are(shop: Path) -> None:
    take(shop, {"event": "Surprise"})
    assert "the newest is of 2026-01-05 09:00:00" in run("audit", "--since", "1d", "--until", "2026-06-01").stdout
