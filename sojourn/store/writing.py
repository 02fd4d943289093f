"""SQLite's one write lock, shared fairly among processes.

SQLite keeps no queue: whoever asks while the lock is held sleeps and asks again, and a process that writes one transaction
after the other takes it back before anyone wakes. So whoever waits says so, by a shared lock on a file beside the database,
and whoever held the write lock last stands back for a moment while someone waits.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sojourn.clock import monotonic

try:
    import fcntl
except ImportError:  # on Windows nobody says that they wait, and processes take the lock as SQLite gives it
    fcntl = None  # type: ignore[assignment]

SUFFIX = "-waiting"
LOOK_AGAIN_S = 0.002  # between two attempts at the lock
LATER_S = 0.005  # the same, of one who has waited long
LONG_S = 0.2
STAND_BACK_S = 0.05  # for how long one who just wrote lets others go first, at the most

_later = threading.Event().wait  # never set: it sleeps without holding the interpreter


class WriteLock:
    """This process's way to the write lock of a SQLite file.

    Args:
        path: the database's file.
        patience: seconds after which waiting is given up.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self._waiting = path.with_name(path.name + SUFFIX)
        self._patience = patience
        self._wrote_at = float("-inf")

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a writing transaction, once it is this process's turn.

        Raises:
            sqlite3.OperationalError: others held the lock all the time.
        """
        asked = monotonic()
        if asked - self._wrote_at < STAND_BACK_S:
            self._stand_back(asked + STAND_BACK_S)
        patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
        connection.execute("PRAGMA busy_timeout=0")  # SQLite's own waiting sleeps up to 100 ms at a time
        try:
            if not _take(connection, last=False):
                with self._saying_so():
                    self._wait(connection, asked)
        finally:
            connection.execute(f"PRAGMA busy_timeout={patience}")

    def ended(self) -> None:
        """Note that a writing transaction of this process has ended."""
        self._wrote_at = monotonic()

    def _wait(self, connection: sqlite3.Connection, asked: float) -> None:
        while True:
            waited = monotonic() - asked
            if _take(connection, last=waited > self._patience):
                return
            _later(LOOK_AGAIN_S if waited < LONG_S else LATER_S)

    def _stand_back(self, until: float) -> None:
        while self._someone_waits() and monotonic() < until:
            _later(LOOK_AGAIN_S)

    def _someone_waits(self) -> bool:
        if fcntl is None or not self._waiting.exists():
            return False
        with _opened(self._waiting) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    @contextmanager
    def _saying_so(self) -> Iterator[None]:
        if fcntl is None:
            yield
            return
        with _opened(self._waiting) as file:  # of its own: each thread that waits holds one
            fcntl.flock(file, fcntl.LOCK_SH)  # waits at most for one who looks whether anyone waits
            yield


def _take(connection: sqlite3.Connection, *, last: bool) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if last or not is_busy(error):
            raise
        return False
    return True


def is_busy(error: BaseException | None) -> bool:
    """Tell whether SQLite says that others kept it from a lock."""
    return isinstance(error, sqlite3.Error) and _primary(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)


def _primary(error: sqlite3.Error) -> int:
    """Return SQLite's code of an error without its details; -1 where there is none."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def said(error: BaseException | None) -> str | None:
    """Return what keeps SQLite from working that may be over soon, in a sentence; None where it is something else."""
    if not isinstance(error, sqlite3.Error):
        return None
    if is_busy(error):
        return "the database was too busy to answer in time; try again"
    match _primary(error):
        case sqlite3.SQLITE_FULL:
            return "the disk that holds the database is full; free some space"
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_NOMEM:
            return f"the database's file cannot be read or written just now ({error.sqlite_errorname}); see whether its disk is well"
    return None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield file
    finally:
        os.close(file)


__all__ = ["SUFFIX", "WriteLock", "is_busy", "said"]
