"""A whole, consistent copy of a store while it is in use, and a store made of one.

A backup is one SQLite file, whichever store it was made of: the tables at the version they had, and the rows of one
moment. So a backup of either store can be restored into either. A copy is verified before it bears its name.
"""

# ruff: noqa: S608 - the names in these statements are those of tables and columns, as the store itself lists them
from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Connection, Float, inspect, make_url, text
from sqlalchemy.types import JSON

from sojourn.errors import SettingsError
from sojourn.store import itself, migrations
from sojourn.store.database import Database
from sojourn.store.heartbeats import SILENT_AFTER, last_beats
from sojourn.store.itself import Restored
from sojourn.store.sqlite import Sqlite
from sojourn.store.tables import metadata
from sojourn.store.types import to_micros
from sojourn.store.writing import SUFFIX

CLOSING_S = 10.0  # for a process that is about to end
PAGES = 2_000  # of 4 kB, copied between two looks at the progress
ROWS = 1_000
_NOT_DATA = {"alembic_version", "sqlite_sequence"}
_OWN = {*_NOT_DATA, "cursors", "definitions", "store_facts", "heartbeats", "leases", "segment_builds"}  # a start alone fills these
Progress = Callable[[int, int], object]
"""Is told how much is done, and how much there is."""


@dataclass(frozen=True)
class Moments:
    """When something is done, in real time and in the shop's."""

    real: datetime
    shop: datetime


def back_up(database: Database, target: Path, now: Moments, progress: Progress) -> dict[str, int]:
    """Write a copy of a store, which may be in use, and return how many rows of each table it holds.

    Raises:
        SettingsError: the file is there already or cannot be written, or the store's tables are not whole.
    """
    if target.exists():
        raise SettingsError(f"{target} is there already, and no backup is written over; choose another name")
    try:
        with _in_the_making(target) as part:
            if database.path is not None:
                _copy_pages(database.path, part, progress)
            else:
                database.run_whole(lambda connection: _copy_out(connection, part, progress))
            found = _sealed(part, now)
            _sync(part)
            os.link(part, target)  # unlike a rename it fails where the name has been taken meanwhile
    except OSError as error:
        raise SettingsError(f"{target} cannot be written: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise SettingsError(f"no backup was made: {error}") from error
    return found


def restore(database: Database, source: Path, now: Moments, progress: Progress, *, replace: bool = False) -> dict[str, int]:
    """Make a store of a backup, and return how many rows of each table it holds.

    It is brought to this version's tables, and knows from then on that it was restored: what was sent since the backup
    is in doubt. A `Database` of a file is closed by it, and must be opened anew.

    Raises:
        SettingsError: something runs on the store, or it holds data and `replace` does not say to replace them; or the
            file is no whole backup. Nothing has changed then.
    """
    _refuse_damaged(source)
    if database.path is not None:
        try:
            return _restore_file(database, source, now, progress, replace)
        except sqlite3.Error as error:
            raise SettingsError(f"{database.path} was not replaced ({error}); stop whatever uses it, then restore") from error
    return database.run_schema(lambda connection: _restore_rows(connection, source, now, progress, replace))


# -- out ------------------------------------------------------------------------------------------


def _copy_pages(path: Path, part: Path, progress: Progress) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as source, closing(sqlite3.connect(part)) as copy:
        # Held to the end: without it each commit of another process would have the copy begin anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(copy, pages=PAGES, progress=lambda _status, remaining, total: progress(total - remaining, total))
        source.execute("ROLLBACK")


def _copy_out(connection: Connection, part: Path, progress: Progress) -> None:
    at = migrations.current(connection)
    if at is None:
        raise SettingsError("there is nothing to back up: the database has no tables yet")
    _make_tables(part, at)
    there = inspect(connection)
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        names = _tables(copy)
        if lacking := sorted(set(names) - set(there.get_table_names())):
            raise SettingsError(f"the database lacks the table {lacking[0]}; run: sojourn db check")
        counts = {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}
        done, total = 0, sum(counts.values())
        copy.execute("PRAGMA foreign_keys=OFF")
        copy.execute("BEGIN")
        for name in names:
            columns = there.get_columns(name)
            asked = ", ".join(f'"{one["name"]}"::text' if isinstance(one["type"], JSON) else f'"{one["name"]}"' for one in columns)
            into = _insert(name, [one["name"] for one in columns], "?")
            rows = connection.execution_options(stream_results=True, yield_per=ROWS).execute(text(f'SELECT {asked} FROM "{name}"'))
            for some in rows.partitions(ROWS):
                copy.executemany(into, [tuple(row) for row in some])
                done += len(some)
                progress(done, total)
        copy.execute("COMMIT")
        if (found := _counts(copy)) != counts:
            raise SettingsError(f"the copy does not hold what the database does: {_differing(counts, found)}; try again")


def _make_tables(part: Path, at: str) -> None:
    store = Sqlite(make_url(f"sqlite:///{part}"), durable=False)
    try:
        store.run_schema(lambda made: migrations.upgrade(made, at))
    finally:
        store.close()


def _sealed(part: Path, now: Moments) -> dict[str, int]:
    """Make a copy one whole file, say in it when it was made, verify it, and return how many rows of each table it holds."""
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")
        names = _tables(copy)
        if "inbound" not in names:
            raise SettingsError("there is nothing to back up: the database has no tables yet")
        if "store_facts" in names:
            value = f'{{"real": "{now.real.isoformat()}", "shop": "{now.shop.isoformat()}"}}'
            row = (itself.BACKED_UP, value, round(now.real.timestamp() * 1_000_000))
            copy.execute("INSERT OR REPLACE INTO store_facts (name, value, at) VALUES (?, ?, ?)", row)
        _verify(copy, part)
        return _counts(copy)


# -- in -------------------------------------------------------------------------------------------


def _restore_file(database: Database, source: Path, now: Moments, progress: Progress, replace: bool) -> dict[str, int]:
    path = database.path
    assert path is not None
    if path.exists() and path.stat().st_size:
        database.read_now(_refuse_running, now.real)
        if not replace:
            database.read_now(_refuse_full)
    with _in_the_making(path) as part:
        with closing(sqlite3.connect(source)) as given, closing(sqlite3.connect(part)) as copy:
            given.backup(copy, pages=PAGES, progress=lambda _status, remaining, total: progress(total - remaining, total))
        made = Database(f"sqlite:///{part}")
        try:
            made.run_schema(migrations.upgrade)
            made.write_now(_came_back, source, now)
        finally:
            made.close_now()
        with closing(sqlite3.connect(part, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode=DELETE")
            _verify(copy, source)
            found = _counts(copy)
        _sync(part)
        database.close_now()
        _put_aside(path, now.real)
        part.replace(path)
    return found


def _put_aside(path: Path, now: datetime) -> None:
    """Keep what is replaced beside it, under a name that says when; its log of writes is folded in first."""
    if not path.exists():
        return
    with closing(sqlite3.connect(path, timeout=CLOSING_S, isolation_level=None)) as old:
        busy, _, _ = old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise SettingsError(f"another program reads or writes {path}; stop it, then restore")
    path.replace(path.with_name(f"{path.name}.replaced-{now:%Y%m%dT%H%M%SZ}"))
    for ending in ("-wal", "-shm"):  # of the old file; they are empty, and would be taken for the new one's
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _restore_rows(connection: Connection, source: Path, now: Moments, progress: Progress, replace: bool) -> dict[str, int]:
    if migrations.current(connection) is not None:
        _refuse_running(connection, now.real)
        if not replace:
            _refuse_full(connection)
        migrations.drop(connection)
    with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as given:
        migrations.upgrade(connection, migrations.revision_of(given))
        there = inspect(connection)
        counts = _counts(given)
        done, total = 0, sum(counts.values())
        # In the order in which tables refer to each other, as they were made.
        for name in [one for one, _ in there.get_sorted_table_and_fkc_names() if one in counts]:
            columns = {one["name"]: one["type"] for one in there.get_columns(name)}
            values = ", ".join(f"CAST(:{one} AS {kind})" if isinstance(kind, JSON) else f":{one}" for one, kind in columns.items())
            into = text(f'INSERT INTO "{name}" ({_listed(columns)}) VALUES ({values})')
            own = [one["constrained_columns"][0] for one in there.get_foreign_keys(name) if one["referred_table"] == name]
            order = f' ORDER BY "{own[0]}" IS NOT NULL' if own else ""  # those that are referred to come first
            asked = given.execute(f'SELECT {_listed(columns)} FROM "{name}"{order}')
            while some := asked.fetchmany(ROWS):
                connection.execute(into, [_fitting(columns, row) for row in some])
                done += len(some)
                progress(done, total)
            for one in there.get_columns(name):
                if one.get("autoincrement") is True:
                    sequence, last = f"pg_get_serial_sequence('{name}', '{one['name']}')", f'coalesce(max("{one["name"]}"), 0) + 1'
                    connection.execute(text(f'SELECT setval({sequence}, {last}, false) FROM "{name}"'))
        found = {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in counts}
        if found != counts:
            raise SettingsError(f"the database does not hold what {source} does: {_differing(counts, found)}; nothing was changed")
    migrations.upgrade(connection)
    _came_back(connection, source, now)
    return found


def _came_back(connection: Connection, source: Path, now: Moments) -> None:
    """Say in a store that it was restored; whoever ran on it when it was backed up does not run now."""
    made = itself.know(connection, itself.BACKED_UP)
    backed_up, shop = (made["real"], made["shop"]) if made is not None else (None, None)
    real = datetime.fromisoformat(backed_up) if backed_up else datetime.fromtimestamp(source.stat().st_mtime, now.real.tzinfo)
    about = Restored(real, now.real, datetime.fromisoformat(shop) if shop else now.shop - (now.real - real), now.shop, examined=False)
    itself.keep_restored(connection, about)
    itself.forget(connection, itself.BACKED_UP)
    itself.forget(connection, itself.FIT)
    # What was tried and not accepted by then was tried again soon, and perhaps accepted.
    because = "it waited for another try when the store was backed up, and may have been sent"
    row = {"because": because, "at": to_micros(about.shop_backed_up)}
    waited = "FROM sends WHERE state IN ('planned', 'held') AND attempts > 0"
    keys = f"SELECT key, CAST(NULL AS BIGINT), CAST(:because AS TEXT), CAST(:at AS BIGINT) {waited}"
    connection.execute(text("DELETE FROM doubts"))
    connection.execute(text(f"INSERT INTO doubts (subject, until, because, at) {keys}"), row)
    for name in ("heartbeats", "leases"):
        connection.execute(text(f"DELETE FROM {name}"))


def _fitting(columns: dict[str, Any], row: Sequence[Any]) -> dict[str, Any]:
    """Return a row of SQLite's as PostgreSQL's driver takes it: it is particular about numbers and truths."""
    found = {}
    for (name, kind), value in zip(columns.items(), row, strict=True):
        fits = bool if isinstance(kind, Boolean) else float if isinstance(kind, Float) else None
        found[name] = value if value is None or fits is None else fits(value)
    return found


# -- refusing -------------------------------------------------------------------------------------


def _refuse_running(connection: Connection, now: datetime) -> None:
    if not inspect(connection).has_table("heartbeats"):
        return
    alive = sorted(role for role, at in last_beats(connection).items() if now - at <= SILENT_AFTER)
    if alive:
        wait = f"(one that was killed counts as running for {SILENT_AFTER.seconds} s)"
        raise SettingsError(f"the {' and the '.join(alive)} run on this database {wait}; stop what runs, then restore")


def _refuse_full(connection: Connection) -> None:
    for name in sorted((set(inspect(connection).get_table_names()) & set(metadata.tables)) - _OWN):
        if connection.execute(text(f'SELECT 1 FROM "{name}" LIMIT 1')).first() is not None:
            raise SettingsError(f"the database holds data (in {name}); to replace all of it by the backup, add --replace")


def _refuse_damaged(source: Path) -> None:
    if not source.is_file():
        raise SettingsError(f"there is no file {source}; give a backup that was made by: sojourn db backup")
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as given:
            if "inbound" not in _tables(given):
                raise SettingsError(f"{source} is no backup of Sojourn's; give a file that was made by: sojourn db backup")
            _verify(given, source)
            at = migrations.revision_of(given)
    except sqlite3.Error as error:
        raise SettingsError(f"{source} is no backup, or a damaged one ({error})") from error
    if at not in migrations.revisions():
        raise SettingsError(f"{source} was made by a newer version (its tables are at {at}); install that one")


def _verify(copy: sqlite3.Connection, path: Path) -> None:
    said = [row[0] for row in copy.execute("PRAGMA integrity_check(5)")]
    if said != ["ok"]:
        raise SettingsError(f"{path} is damaged: {said[0]}")
    if (broken := copy.execute("PRAGMA foreign_key_check").fetchone()) is not None:
        raise SettingsError(f"{path} is not whole: rows of {broken[0]} lack what they refer to")


# -- files ----------------------------------------------------------------------------------------


@contextmanager
def _in_the_making(target: Path) -> Iterator[Path]:
    """Give a file beside a target, for its owner alone; nothing is left of it where it is not put in the target's place."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        yield part
    finally:
        for ending in ("", "-wal", "-shm", "-journal", SUFFIX):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    for one in (path, path.parent):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _tables(copy: sqlite3.Connection) -> list[str]:
    asked = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
    return [name for (name,) in copy.execute(asked) if name not in _NOT_DATA]


def _counts(copy: sqlite3.Connection) -> dict[str, int]:
    return {name: copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in _tables(copy)}


def _insert(table: str, columns: Sequence[str], mark: str) -> str:
    return f'INSERT INTO "{table}" ({_listed(columns)}) VALUES ({", ".join(mark for _ in columns)})'


def _listed(columns: Sequence[str] | dict[str, Any]) -> str:
    return ", ".join(f'"{one}"' for one in columns)


def _differing(wanted: dict[str, int], found: dict[str, int]) -> str:
    return ", ".join(f"{name} {found.get(name)} of {many} rows" for name, many in wanted.items() if found.get(name) != many)
