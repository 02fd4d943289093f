"""A backup is whole and of one moment, also of a store in use; a restore gives it back, into either store, and says that it was one."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import stores
from sqlalchemy import Connection, func, insert, select, text, update
from test_migrations import change, run

from sojourn.clock import real_now
from sojourn.errors import SettingsError
from sojourn.store import backup, itself, migrations
from sojourn.store.backup import Moments
from sojourn.store.database import Database
from sojourn.store.heartbeats import beat, keep_beating
from sojourn.store.tables import consents, cursors, heartbeats, inbound, metadata, profiles

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
THEN = Moments(NOW, NOW)
LATER = Moments(NOW + timedelta(hours=3), NOW + timedelta(hours=3))


def quiet(_done: int, _total: int) -> None: ...


@pytest.fixture
def database(no_tables_url: str) -> Iterator[Database]:
    opened = Database(no_tables_url, durable=False)
    asyncio.run(opened.create())
    opened.write_now(fill)
    yield opened
    opened.close_now()


@pytest.fixture
def another() -> Iterator[Callable[[Path], Database]]:
    """Opens an empty store of the kind under test, without tables."""
    opened = []

    def make(folder: Path) -> Database:
        url = stores.SERVER.empty_url() if stores.STORE == "postgresql" else f"sqlite:///{folder}/another/sojourn.db"
        if stores.STORE == "sqlite":
            (folder / "another").mkdir(exist_ok=True)
        opened.append(Database(url, durable=False))
        return opened[-1]

    yield make
    for one in opened:
        one.close_now()


@pytest.fixture
def restore(request: pytest.FixtureRequest) -> Callable[..., Database]:
    """Restores, and opens the store anew."""

    def do(database: Database, source: Path, now: Moments, *, replace: bool = False) -> Database:
        backup.restore(database, source, now, quiet, replace=replace)
        if database.is_served:
            return database
        again = Database(str(database.url), durable=False)
        request.addfinalizer(again.close_now)
        return again

    return do


def event(number: int) -> dict[str, Any]:
    body = {"name": "Zoë 🛒", "n": number, "deep": {"list": [1, 2.5, None, True]}}
    return {"message_id": f"m{number}", "kind": "track", "name": "E", "time": NOW, "received_at": NOW, "body": body}


def fill(connection: Connection) -> None:
    connection.execute(insert(profiles), [{"id": "b", "traits": {"a": None, "x": [1]}, "first_seen": NOW, "last_seen": NOW}])
    connection.execute(insert(profiles), [{"id": "a", "traits": {}, "first_seen": NOW, "last_seen": NOW, "merged_into": "b"}])
    connection.execute(insert(inbound), [event(number) for number in range(2_500)])
    row = {"id": "c", "profile_id": "a", "purpose": "marketing", "granted": True, "pending": False, "source": "form", "at": NOW}
    connection.execute(insert(consents), [{key: value for key, value in row.items() if key in consents.c}])


def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return each row of each table, as Python has it, but what a store says of itself."""
    left_out = {"store_facts", "heartbeats", "leases"}
    return {
        table.name: sorted((dict(row) for row in connection.execute(select(table)).mappings()), key=repr)
        for table in metadata.sorted_tables
        if table.name not in left_out
    }


def test_a_restored_store_holds_exactly_what_was_backed_up(
    database: Database, another: Callable[[Path], Database], restore: Callable[..., Database], tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    counts = backup.back_up(database, tmp_path / "b.db", THEN, lambda done, total: told.append((done, total)))
    assert counts["inbound"] == 2_500
    assert told[-1][0] == told[-1][1] > 0
    database.write_now(lambda c: c.execute(insert(inbound), [event(9_999)]))
    empty = restore(another(tmp_path), tmp_path / "b.db", LATER)
    database.write_now(lambda c: c.execute(inbound.delete().where(inbound.c.message_id == "m9999")))
    assert empty.read_now(everything) == database.read_now(everything)
    assert empty.read_now(migrations.differences) == []
    assert asyncio.run(empty.create()) == []
    empty.write_now(lambda c: c.execute(insert(inbound), [event(10_000)]))
    assert empty.read_now(lambda c: c.execute(select(func.max(inbound.c.seq))).scalar()) > 2_500


def test_a_backup_of_one_store_is_restored_into_the_other(database: Database, restore: Callable[..., Database], tmp_path: Path) -> None:
    """A backup is one SQLite file whichever store it is of: here it becomes a SQLite store, and comes back."""
    backup.back_up(database, tmp_path / "b.db", THEN, quiet)
    (tmp_path / "sqlite").mkdir()
    as_file = restore(Database(f"sqlite:///{tmp_path}/sqlite/sojourn.db"), tmp_path / "b.db", LATER)
    assert as_file.read_now(everything) == database.read_now(everything)
    backup.back_up(as_file, tmp_path / "back.db", THEN, quiet)
    as_file.close_now()
    before = database.read_now(everything)
    assert restore(database, tmp_path / "back.db", LATER, replace=True).read_now(everything) == before


def test_a_backup_of_a_store_in_use_is_of_one_moment(database: Database, tmp_path: Path) -> None:
    """Each transaction writes an event and moves a cursor with it: a copy in which they differ is of two moments."""
    database.write_now(lambda c: c.execute(cursors.delete()))
    database.write_now(lambda c: c.execute(insert(cursors).values(name="twin", seq=2_500)))
    over, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        writer = Database(database.url.render_as_string(hide_password=False), durable=False)
        while not over.is_set():
            written += 1
            number = 2_500 + written - 1

            def both(c: Connection, number: int = number) -> None:
                c.execute(insert(inbound), [event(number)])
                c.execute(update(cursors).values(seq=number + 1))

            writer.write_now(both)
        writer.close_now()

    writing = threading.Thread(target=write)
    writing.start()
    try:
        before = 0
        for number in range(3):
            while written <= before:
                over.wait(0.005)
            backup.back_up(database, tmp_path / f"{number}.db", THEN, quiet)
            before = written
    finally:
        over.set()
        writing.join()
    assert written > 3
    for number in range(3):
        with sqlite3.connect(tmp_path / f"{number}.db") as copy:
            assert copy.execute("SELECT count(*) FROM inbound").fetchone() == copy.execute("SELECT seq FROM cursors").fetchone()


def test_a_restored_store_says_that_it_was_restored_and_when(
    database: Database, another: Callable[[Path], Database], restore: Callable[..., Database], tmp_path: Path
) -> None:
    who = database.write_now(itself.identity, NOW)
    database.write_now(beat, "worker", "w1", real_now())
    backup.back_up(database, tmp_path / "b.db", THEN, quiet)
    assert database.read_now(itself.restored) is None
    empty = restore(another(tmp_path), tmp_path / "b.db", LATER)
    assert empty.read_now(itself.restored) == itself.Restored(NOW, LATER.real, NOW, LATER.shop, examined=False)
    assert empty.write_now(itself.identity, NOW) == who, "it still owns the workflows that it began"
    assert empty.read_now(lambda c: c.execute(select(heartbeats)).all()) == []


def test_no_backup_is_written_over_and_nothing_is_left_of_one_that_failed(database: Database, tmp_path: Path) -> None:
    target = tmp_path / "b.db"
    target.write_text("kept")
    with pytest.raises(SettingsError, match="is there already, and no backup is written over"):
        backup.back_up(database, target, THEN, quiet)
    assert target.read_text() == "kept"

    def stop(_done: int, _total: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backup.back_up(database, tmp_path / "stopped.db", THEN, stop)
    assert [path.name for path in tmp_path.iterdir() if "b.db" not in path.name and path.is_file()] == []
    backup.back_up(database, tmp_path / "right.db", THEN, quiet)
    assert (tmp_path / "right.db").stat().st_mode & 0o077 == 0


def test_a_restore_is_refused_where_something_runs_or_other_data_are(
    database: Database, restore: Callable[..., Database], tmp_path: Path
) -> None:
    backup.back_up(database, tmp_path / "b.db", THEN, quiet)
    before = database.read_now(everything)
    with pytest.raises(SettingsError, match=r"the database holds data \(in consents\).*--replace"):
        backup.restore(database, tmp_path / "b.db", LATER, quiet)
    database.write_now(beat, "router", "r1", NOW)
    with pytest.raises(SettingsError, match=r"the router run on this database"):
        backup.restore(database, tmp_path / "b.db", THEN, quiet, replace=True)
    assert database.read_now(everything) == before
    # Of it nothing was heard for three hours.
    assert restore(database, tmp_path / "b.db", LATER, replace=True).read_now(everything) == before


def test_a_role_that_has_stopped_is_in_nobodys_way(database: Database, tmp_path: Path) -> None:
    async def live() -> None:
        beating = asyncio.create_task(keep_beating(database, "worker"))
        while not await database.read(lambda c: c.execute(select(heartbeats)).all()):
            await asyncio.sleep(0.01)
        beating.cancel()
        await asyncio.wait([beating])

    asyncio.run(live())
    backup.back_up(database, tmp_path / "b.db", THEN, quiet)
    backup.restore(database, tmp_path / "b.db", Moments(real_now(), NOW), quiet, replace=True)


def test_what_is_no_whole_backup_is_refused_and_changes_nothing(database: Database, tmp_path: Path) -> None:
    backup.back_up(database, tmp_path / "b.db", THEN, quiet)
    cut, other, empty, newer = (tmp_path / name for name in ("cut.db", "other.db", "empty.db", "newer.db"))
    cut.write_bytes((tmp_path / "b.db").read_bytes()[:40_000])
    other.write_text("a letter")
    with sqlite3.connect(empty) as made:
        made.execute("CREATE TABLE x (y)")
    shutil.copy(tmp_path / "b.db", newer)
    with sqlite3.connect(newer) as made:
        made.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database.read_now(everything)
    cases = {cut: "damaged", other: "no backup, or a damaged one", empty: "no backup of Sojourn's", newer: "by a newer version"}
    for path, said in cases.items():
        with pytest.raises(SettingsError, match=said):
            backup.restore(database, path, LATER, quiet, replace=True)
    with pytest.raises(SettingsError, match="there is no file"):
        backup.restore(database, tmp_path / "none.db", LATER, quiet, replace=True)
    assert database.read_now(everything) == before


def test_a_backup_of_an_earlier_version_is_brought_to_this_one(
    no_tables_url: str, another: Callable[[Path], Database], restore: Callable[..., Database], tmp_path: Path
) -> None:
    old = Database(no_tables_url)
    change(old, migrations.upgrade, "0007")
    old.write_now(lambda c: c.execute(text("INSERT INTO profiles (id, traits, first_seen, last_seen) VALUES ('p', '{\"a\": 1}', 1, 2)")))
    backup.back_up(old, tmp_path / "b.db", THEN, quiet)
    old.close_now()
    empty = restore(another(tmp_path), tmp_path / "b.db", LATER)
    assert asyncio.run(empty.create()) == []
    assert empty.read_now(lambda c: c.execute(select(profiles.c.traits)).scalars().all()) == [{"a": 1}]


def test_what_is_replaced_on_sqlite_is_kept_aside(tmp_path: Path) -> None:
    path = tmp_path / "sojourn.db"
    database = Database(f"sqlite:///{path}")
    asyncio.run(database.create())
    database.write_now(fill)
    backup.back_up(database, tmp_path / "b.db", THEN, quiet)
    database.write_now(lambda c: c.execute(insert(inbound), [event(7_777)]))
    backup.restore(database, tmp_path / "b.db", LATER, quiet, replace=True)
    [aside] = tmp_path.glob("sojourn.db.replaced-*")
    with sqlite3.connect(aside) as old:
        assert old.execute("SELECT count(*) FROM inbound").fetchone() == (2_501,)
    again = Database(f"sqlite:///{path}")
    assert again.read_now(lambda c: c.execute(select(func.count()).select_from(inbound)).scalar()) == 2_500
    again.close_now()
    database.close_now()


def test_a_file_that_was_closed_is_whole_by_itself(tmp_path: Path) -> None:
    """Who copies the file of a stopped Sojourn has everything."""
    path = tmp_path / "sojourn.db"
    first, second = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    asyncio.run(first.create())
    first.write_now(fill)
    second.write_now(lambda c: c.execute(insert(inbound), [event(8_888)]))
    first.close_now()
    second.close_now()
    shutil.copy(path, tmp_path / "copy.db")
    with sqlite3.connect(tmp_path / "copy.db") as copy:
        assert copy.execute("SELECT count(*) FROM inbound").fetchone() == (2_501,)


def test_the_commands_back_up_and_restore(database: Database, no_tables_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", no_tables_url)
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "backups").mkdir()
    made = run("backup", str(tmp_path / "backups"))
    assert made.exit_code == 0, made.output
    [file] = (tmp_path / "backups").glob("sojourn-*.db")
    assert "verified" in made.output
    assert run("backup", str(file)).exit_code == 1
    assert "there is no folder" in run("backup", str(tmp_path / "nowhere" / "b.db")).output
    database.close_now()
    refused = run("restore", str(file))
    assert refused.exit_code == 1
    assert "--replace" in refused.output
    restored = run("restore", str(file), "--replace")
    assert restored.exit_code == 0, restored.output
    assert "restored" in restored.output
