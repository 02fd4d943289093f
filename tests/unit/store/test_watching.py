"""A watch: looking is left out only where nothing was written since there was nothing to do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from sojourn.store.database import Database
from sojourn.store.tables import cursors
from sojourn.store.watching import Watch


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'shop.db'}")
    opened.read_now(lambda connection: None)
    yield opened
    opened.close_now()


@pytest.fixture
def watch(database: Database) -> Iterator[Watch]:
    found = Watch(database)
    yield found
    found.close()


def _write(connection: Connection, name: str) -> None:
    connection.execute(insert(cursors).values(name=name, seq=0))


def test_it_is_still_after_nothing_was_found_until_this_process_writes(database: Database, watch: Watch) -> None:
    assert not watch.is_still(), "nobody has looked yet"
    watch.found_nothing()
    assert watch.is_still()
    assert watch.is_still()
    database.write_now(_write, "one")
    assert not watch.is_still()
    assert not watch.is_still(), "until a look finds nothing"
    watch.found_nothing()
    assert watch.is_still()


def test_another_process_that_writes_is_seen(database: Database, watch: Watch) -> None:
    watch.is_still()
    watch.found_nothing()
    script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(\"INSERT INTO cursors VALUES ('two', 0)\"); c.commit()"
    subprocess.run([sys.executable, "-c", script, str(database.path)], check=True)
    assert not watch.is_still()


def test_what_is_written_between_the_asking_and_the_look_is_looked_at_again(database: Database, watch: Watch) -> None:
    watch.is_still()
    database.write_now(_write, "meanwhile")
    watch.found_nothing()  # the look may have come before it
    assert not watch.is_still()


def test_where_nothing_can_be_known_it_is_never_still(tmp_path: Path) -> None:
    for url in ("sqlite://", f"sqlite:///{tmp_path / 'not-there' / 'shop.db'}", "postgresql://nobody@nowhere/nothing"):
        database = Database(url)
        watch = Watch(database)
        assert not watch.is_still()
        watch.found_nothing()
        assert not watch.is_still(), url
        database.close_now()
