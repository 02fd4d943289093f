from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from console_script import app
from sqlalchemy import insert
from typer.testing import CliRunner

from sojourn.clock import real_now
from sojourn.customers.resolution import queue
from sojourn.customers.resolution.pairs import Agreement, Pair, pair_id
from sojourn.store.database import Database
from sojourn.store.tables import profiles

runner = CliRunner()
NAMES = {"a": "Ackermann", "b": "Akermann", "c": "Brandt"}
AB, AC = pair_id("a", "b"), pair_id("a", "c")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    database = Database(f"sqlite:///{tmp_path / 'sojourn.db'}")
    now = real_now()
    rows = [{"id": id_, "traits": {"last_name": name}, "first_seen": now, "last_seen": now} for id_, name in NAMES.items()]
    because = (Agreement("last_name", "one slip of a key", 5.0),)
    pairs = [(Pair("a", "b", 0.8, 2.0, because), None), (Pair("a", "c", 0.6, 0.6, because), None)]
    database.write_now(lambda connection: connection.execute(insert(profiles), rows))
    database.write_now(queue.propose, pairs, "v1", now)
    yield tmp_path
    database.close_now()


def resolve(data: Path, *arguments: str, answers: str = "") -> tuple[int, str]:
    done = runner.invoke(app, ["resolve", *arguments, "--data-dir", str(data)], input=answers)
    return done.exit_code, done.output


def states(data: Path) -> dict[str, str]:
    database = Database(f"sqlite:///{data / 'sojourn.db'}")
    found = {id_: database.read_now(queue.get, id_).state for id_ in (AB, AC)}
    database.close_now()
    return found


def test_the_list_shows_what_waits_and_goes_on_page_by_page(data: Path) -> None:
    code, text = resolve(data, "review", "--list", "--limit", "1")
    assert code == 0
    assert AB[:8] in text
    assert "last_name one slip of a key" in text
    assert f"--after {AB}" in text
    assert "2 pending" in text
    _, text = resolve(data, "review", "--list", "--after", AB)
    assert AC[:8] in text
    assert AB[:8] not in text


def test_a_review_shows_both_records_and_does_as_it_is_told(data: Path) -> None:
    code, text = resolve(data, "review", "--by", "ann", answers="y\nn\n")
    assert code == 0
    assert "Ackermann" in text
    assert "Akermann" in text
    assert states(data) == {AB: "merged", AC: "rejected"}


def test_what_is_skipped_goes_on_waiting(data: Path) -> None:
    assert resolve(data, "review", answers="s\nq\n")[0] == 0
    assert set(states(data).values()) == {"pending"}


def test_accept_and_reject_take_the_beginning_of_an_id_and_may_be_repeated(data: Path) -> None:
    for _ in range(2):
        assert resolve(data, "reject", AC[:8], "--by", "ann")[0] == 0
        assert resolve(data, "accept", AB[:8], "--by", "ann")[0] == 0
    assert states(data) == {AB: "merged", AC: "rejected"}


def test_a_wrong_id_is_said_and_the_others_are_decided_all_the_same(data: Path) -> None:
    code, text = resolve(data, "reject", "zzz", AC)
    assert code == 1
    assert "no pair of the queue begins with zzz" in text
    assert states(data)[AC] == "rejected"


def test_a_run_over_too_few_profiles_says_so_and_one_without_usual_traits_what_to_write(data: Path) -> None:
    code, text = resolve(data, "run")
    assert code == 1
    assert "write journeys/resolution.yaml" in text
    whole = Path(__file__).parents[3] / "journeys" / "resolution.yaml"
    code, text = resolve(data, "run", "--settings", str(whole))
    assert code == 1
    assert "only 3 records" in text


def test_an_evaluation_says_which_column_is_missing(data: Path) -> None:
    (data / "people.csv").write_text("id,first_name\n1,anna\n", "utf-8")
    settings = Path(__file__).parents[3] / "journeys" / "resolution.yaml"
    done = runner.invoke(app, ["resolve", "evaluate", "people.csv", "--truth", "owner", "--settings", str(settings)])
    assert done.exit_code == 1
    assert "unknown column" in done.output


def test_no_command_pays_for_what_only_a_resolution_needs() -> None:
    asked = "import sys, sojourn.cli; print(sorted({'splink', 'duckdb', 'pyarrow', 'sqlglot'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert done.stdout.strip() == "[]"
