"""The file of what could not be taken: line and reason, never what stood there, unless it was asked for."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import orjson

from sojourn.bulk.cells import guard
from sojourn.bulk.rows import Row

_HEADER = ("line", "reason", "row")


class ErrorsFile:
    """`FILE.errors.csv`, made with its first error and readable by its owner alone.

    Args:
        path: of the file.
        size: how much of it stands; what a page wrote that was then not committed is cut off.
        with_rows: whether the rows themselves are repeated in it.
    """

    def __init__(self, path: Path, size: int, with_rows: bool) -> None:
        self.path, self.size, self._with_rows = path, size, with_rows
        if size and not path.exists():
            self.size = 0
        self._waiting: list[tuple[Any, ...]] = []

    def add(self, row: Row, reason: str) -> None:
        """Note a row that could not be taken."""
        shown = orjson.dumps(row.values, default=str).decode() if self._with_rows and row.values is not None else ""
        self._waiting.append((row.line, guard(reason), guard(shown)) if self._with_rows else (row.line, guard(reason)))

    def write(self) -> int:
        """Write what was noted, and return the size to remember in the page's transaction."""
        if not self._waiting:
            return self.size
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        if not self.size:
            lines.writerow(_HEADER if self._with_rows else _HEADER[:2])
        lines.writerows(self._waiting)
        content = text.getvalue().encode()
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.seek(self.size)
            file.truncate()
            file.write(content)
        self.size += len(content)
        self._waiting.clear()
        return self.size
