"""`sojourn identity`: show, merge, unmerge, and what was refused or is kept apart."""

from datetime import UTC, datetime

import pytest
import typer
from sqlalchemy import select
from typer.testing import CliRunner

from sojourn.clock import TimeScale
from sojourn.commands import identity
from sojourn.intake.absorb import InboundRow, absorb
from sojourn.intake.appender import append
from sojourn.intake.envelope import Envelope
from sojourn.store.database import Database
from sojourn.store.tables import inbound, merges

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def settle(connection):
    def said(message_id, user, email):
        return Envelope(
            message_id=message_id, kind="identify", name="identify", user_id=user, traits={"email": email}, time=NOW, received_at=NOW
        )

    append(
        connection, [said("m1", "ann", "ann@shop.example"), said("m2", "bob", "bob@shop.example"), said("m3", "bob", "ann@shop.example")]
    )
    absorb(connection, [InboundRow.of(row) for row in connection.execute(select(inbound))], NOW)


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    database = Database(f"sqlite:///{tmp_path}/sojourn.db")
    database.write_now(settle)
    app = typer.Typer()
    identity.register(app)
    return lambda *words: CliRunner().invoke(app, ["identity", *words])


def test_show_draws_the_merges_and_what_was_undone_with_its_because(run):
    merged = run("merge", "bob@shop.example", "ann", "--because", "she wrote to us")
    assert merged.exit_code == 0, merged.output
    lost = merged.output.split()[-1]
    assert run("unmerge", lost, "--because", "her brother").exit_code == 0
    said = run("show", "ANN@shop.example").output
    for part in ("ann@shop.example", "she wrote to us (hand)", "undone: her brother", "both are known users", "≠", lost):
        assert part in said
    assert "bob@shop.example" not in said.split("✗")[0]


def test_a_merge_is_of_the_shops_moment_where_its_clock_is_fast(run, tmp_path):
    scale = TimeScale(scale=3600, real_origin=datetime(2026, 1, 1, tzinfo=UTC), shop_origin=datetime(2036, 1, 1, tzinfo=UTC))
    (tmp_path / "clock.json").write_text(scale.model_dump_json())
    assert run("merge", "bob@shop.example", "ann", "--because", "she wrote to us").exit_code == 0
    made = Database(f"sqlite:///{tmp_path}/sojourn.db").read_now(lambda c: c.execute(select(merges.c.at)).scalar_one())
    assert made.year >= 2036


def test_refused_and_separated_list_everyone_or_one_person(run):
    assert "email ann@shop.example" in run("refused").output
    assert "email ann@shop.example" in run("refused", "bob").output
    assert run("separated").output.strip() == "nobody is kept apart"


def test_a_mistake_is_a_sentence(run):
    run("merge", "bob", "ann", "--because", "one")
    again = run("merge", "bob", "ann", "--because", "two")
    assert (again.exit_code, "they are one profile already" in again.output) == (1, True)
    assert "no profile has this id" in run("show", "nobody").output
    assert "not merged into another" in run("unmerge", run("show", "ann").output.split()[1], "--because", "x").output


@pytest.mark.parametrize("command", ["show", "merge", "unmerge", "refused", "separated"])
def test_each_explains_itself(run, command):
    assert "ID" in run(command, "--help").output or "PROFILE" in run(command, "--help").output or "LOSER" in run(command, "--help").output
