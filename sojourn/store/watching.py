"""Whether anything was written since someone last found nothing to do: so that looking often costs next to nothing.

SQLite tells each connection a number that is another one after every commit of any other, in whatever process; asking for it
is a look into shared memory. PostgreSQL has nothing like it, and there everyone looks each time.
"""

from __future__ import annotations

import sqlite3

from sojourn.store.database import Database


class Watch:
    """One looker's memory of what was written when there was nothing to do.

    Args:
        database: what is looked into.
    """

    def __init__(self, database: Database) -> None:
        self._path = database.path
        self._connection: sqlite3.Connection | None = None
        self._asked: int | None = None
        self._nothing_at: int | None = None

    def is_still(self) -> bool:
        """Tell whether nothing was written since there was nothing to do; False where that is not known."""
        self._asked = self._version()
        return self._asked is not None and self._asked == self._nothing_at

    def found_nothing(self) -> None:
        """Note that a look since `is_still` was last asked found nothing to do."""
        self._nothing_at = self._asked

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _version(self) -> int | None:
        if self._path is None:
            return None
        try:
            if self._connection is None:
                there = f"{self._path.absolute().as_uri()}?mode=rw"
                self._connection = sqlite3.connect(there, uri=True, timeout=0, check_same_thread=False)
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:  # busy, or not yet there
            return None


__all__ = ["Watch"]
