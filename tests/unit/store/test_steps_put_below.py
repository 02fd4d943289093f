"""Steps were once put below others that were in use: what was made between is mended, and it happens no more."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import stores
from sqlalchemy import Connection, inspect, text
from test_migrations import change, run, shape

from sojourn.errors import SettingsError
from sojourn.store import migrations
from sojourn.store.database import Database

PROVIDERS, GATE, LIVE, BROADCASTS = "0003_providers_and_what_they_tell", "0004_the_gate", "0005_live_content", "0006_broadcasts"
# What databases bear that were made by a commit of 24 November 2026, and what was made in them by then.
MADE_BETWEEN = {
    "6064439": ("0003", [BROADCASTS]),
    "cab4627": ("0003", [GATE]),
    "a8a1ae6": ("0003", [PROVIDERS]),
    "ffa6f94": ("0006", [PROVIDERS, BROADCASTS]),
    "26b4b79": ("0006", [PROVIDERS, GATE, BROADCASTS]),
    "d4fa56a's step upon 26b4b79": ("0007", [PROVIDERS, GATE, BROADCASTS, "0007_notices_are_forgotten"]),
    "99ed8f5": ("0006", [PROVIDERS, GATE, LIVE, BROADCASTS]),
}
LANDED = Path(__file__).with_name("landed_steps.txt")


@pytest.fixture
def database(no_tables_url: str) -> Iterator[Database]:
    opened = Database(no_tables_url, durable=False)
    yield opened
    opened.close_now()


def do(database: Database, *statements: str) -> None:
    database.write_now(lambda connection: [connection.execute(text(one)) for one in statements])


def make(connection: Connection, steps: Sequence[str], stamp: str) -> None:
    """Make tables as a version did that had these steps."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    migrations.upgrade(connection, "0002")
    with Operations.context(MigrationContext.configure(connection, opts={"render_as_batch": True})):
        for name in steps:
            spec = spec_from_file_location(name, migrations.FOLDER / "versions" / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            step = module_from_spec(spec)
            spec.loader.exec_module(step)
            step.upgrade()
    connection.execute(text(f"UPDATE alembic_version SET version_num = '{stamp}'"))


def as_it_was_at_99ed8f5(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER TABLE calls ALTER COLUMN answer TYPE json"))
        connection.execute(text("ALTER TABLE live_parts ALTER COLUMN shows TYPE json"))


@pytest.fixture(scope="module")
def right() -> dict[str, Any]:
    other = Database("sqlite://")
    found = other.read_now(shape)
    other.close_now()
    return found


@pytest.mark.parametrize("commit", MADE_BETWEEN)
def test_a_database_that_was_made_between_is_mended_and_loses_nothing(commit: str, database: Database, right: dict[str, Any]) -> None:
    stamp, steps = MADE_BETWEEN[commit]
    change(database, make, steps, stamp)
    if commit == "99ed8f5":
        change(database, as_it_was_at_99ed8f5)
    there = database.read_now(lambda c: set(inspect(c).get_table_names()))
    kept = "broadcasts" if "broadcasts" in there else "brakes" if "brakes" in there else "notices"
    if kept == "broadcasts":
        do(
            database,
            "INSERT INTO definitions (version, journey, body, first_seen) VALUES ('v', 'j', '{}', 1)",
            "INSERT INTO broadcasts (id, name, version, definition, state, begins_at, ends_at, created_at) "
            "VALUES ('b', 'sale', 'v', '{}', 'done', 1, 2, 1)",
        )
    asyncio.run(database.create())
    assert database.read_now(shape) == right
    assert database.read_now(migrations.differences) == []
    assert asyncio.run(database.create()) == []
    if kept == "broadcasts":
        assert database.read_now(lambda c: c.execute(text("SELECT name FROM broadcasts")).scalars().all()) == ["sale"]


def test_the_mending_step_changes_nothing_where_nothing_is_missing(database: Database, right: dict[str, Any]) -> None:
    change(database, migrations.upgrade, "0007")
    before = database.read_now(shape)
    assert change(database, migrations.upgrade, "0008") == ["0008"]
    assert database.read_now(shape) == before


DAMAGES = {
    "the table calls is missing": ["DROP TABLE calls"],
    "the column messages.amp is missing": ["ALTER TABLE messages DROP COLUMN amp"],
    "the column calls.attempts is VARCHAR and must be INTEGER": [
        "ALTER TABLE calls DROP COLUMN attempts",
        "ALTER TABLE calls ADD COLUMN attempts VARCHAR",
    ],
}
if stores.STORE == "postgresql":  # SQLite adds no such column
    DAMAGES["the column sends.must is not known, and no row can be added"] = ["ALTER TABLE sends ADD COLUMN must VARCHAR NOT NULL"]


@pytest.mark.parametrize("said", DAMAGES)
def test_a_start_refuses_tables_that_the_code_cannot_work_with_and_says_what_differs(said: str, database: Database) -> None:
    asyncio.run(database.create())
    do(database, *DAMAGES[said])
    before = database.read_now(shape)
    for start in (database.create, database.upgrade):
        with pytest.raises(SettingsError, match=re.escape(said)) as told:
            asyncio.run(start())
        assert "restore a backup" in str(told.value)
    assert database.read_now(shape) == before


def test_check_and_upgrade_say_the_same_of_tables_that_no_step_mends(
    database: Database, no_tables_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", no_tables_url)
    monkeypatch.setenv("COLUMNS", "400")
    asyncio.run(database.create())
    do(database, "DROP TABLE calls")
    checked, upgraded = run("check"), run("upgrade")
    assert (checked.exit_code, upgraded.exit_code) == (1, 1)
    assert checked.output == upgraded.output
    assert "the table calls is missing" in checked.output


def test_an_index_that_has_gone_is_made_anew_by_the_upgrade_that_the_start_names(
    database: Database, no_tables_url: str, monkeypatch: pytest.MonkeyPatch, right: dict[str, Any]
) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", no_tables_url)
    monkeypatch.setenv("COLUMNS", "400")
    asyncio.run(database.create())
    do(database, "DROP INDEX ix_events_send_key", "DROP INDEX ix_notices_received_at")
    with pytest.raises(SettingsError, match=r"the index ix_events_send_key of events is missing.*run: sojourn db upgrade"):
        asyncio.run(database.create())
    assert "upgraded: the index ix_events_send_key of events" in run("upgrade").output
    assert "nothing to do" in run("upgrade").output
    assert database.read_now(shape) == right
    assert asyncio.run(database.create()) == []


def test_tables_of_someone_else_are_in_nobodys_way(database: Database, no_tables_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", no_tables_url)
    asyncio.run(database.create())
    do(database, "CREATE TABLE reports_of_the_shop (id INTEGER)", "ALTER TABLE sends ADD COLUMN note VARCHAR")
    assert asyncio.run(database.create()) == []
    checked = run("check")
    assert checked.exit_code == 0
    assert "reports_of_the_shop" in checked.output


def test_a_database_of_another_program_is_refused_with_a_sentence_and_left_alone(database: Database) -> None:
    do(database, "CREATE TABLE profiles (id INTEGER, shoe_size INTEGER)")
    before = database.read_now(shape)
    with pytest.raises(SettingsError, match=r"profiles.* already exists.*Nothing was changed.*a database of its own"):
        asyncio.run(database.create())
    assert database.read_now(shape) == before


def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sojourn.db"
    path.write_bytes(b"this is a letter, and a long one at that. " * 100)
    opened = Database(f"sqlite:///{path}")
    with pytest.raises(SettingsError, match="is no database, or a damaged one"):
        asyncio.run(opened.create())
    opened.close_now()


def test_a_half_made_step_is_refused_with_a_sentence_and_left_alone(database: Database) -> None:
    change(database, migrations.upgrade, "0005")
    do(database, "CREATE TABLE broadcasts (id VARCHAR)")
    before = database.read_now(shape)
    with pytest.raises(SettingsError, match=r"broadcasts.* already exists.*its tables are not those of 0005.*Nothing was changed"):
        asyncio.run(database.create())
    assert database.read_now(shape) == before


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM alembic_version", "at no version"),
        ("INSERT INTO alembic_version VALUES ('0003')", "at 0003 and at "),
    ],
)
def test_tables_that_do_not_say_where_they_are_are_refused(statement: str, said: str, database: Database) -> None:
    asyncio.run(database.create())
    do(database, statement)
    with pytest.raises(SettingsError, match=f"{said}.*restore a backup"):
        asyncio.run(database.create())


def test_no_step_that_has_landed_ever_changes() -> None:
    """Each step stands on the one before it, and is what it was when it landed: databases stand on it.

    After you add a step, add its line. A line that is there is never changed, and none is put between two.
    """
    listed = [line.split() for line in LANDED.read_text().splitlines() if line and not line.startswith("#")]
    files = sorted((migrations.FOLDER / "versions").glob("[0-9]*.py"))
    found = []
    for path in files:
        spec = spec_from_file_location(path.stem, path)
        assert spec is not None
        assert spec.loader is not None
        step = module_from_spec(spec)
        spec.loader.exec_module(step)
        found.append([step.revision, str(step.down_revision), hashlib.sha256(path.read_bytes()).hexdigest()])
    assert found[: len(listed)] == listed, "a step that had landed was changed, or another one was put below it: write a new one"
    lacking = "\n".join(" ".join(line) for line in found[len(listed) :])
    assert not lacking, f"a new step: add to {LANDED.name}\n{lacking}"
    assert [line[1] for line in listed] == ["None", *(line[0] for line in listed[:-1])]
