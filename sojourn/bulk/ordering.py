"""What someone asks an import to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sojourn.bulk.files import Format
from sojourn.bulk.mapping import Kind


@dataclass(frozen=True)
class Order:
    """What is to be imported, and how.

    Attributes:
        path: the file.
        kind: what its rows are.
        mapped: column to target.
        types: column to type.
        format: where the ending does not tell.
        delimiter: of CSV, where the header does not tell.
        as_of: the moment of rows that bear none; the import's beginning where it is not given.
        live: whether events go through the log and start journeys.
        errors: the file of what could not be taken.
        error_rows: whether the rows themselves are repeated there.
    """

    path: Path
    kind: Kind
    mapped: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    format: Format | None = None
    delimiter: str | None = None
    as_of: datetime | None = None
    live: bool = False
    errors: Path | None = None
    error_rows: bool = False

    @property
    def errors_path(self) -> Path:
        """Where what could not be taken is told."""
        return self.errors or self.path.with_name(self.path.name + ".errors.csv")

    def said(self) -> dict[str, Any]:
        """Return what makes it another import of the same file."""
        as_of = None if self.as_of is None else self.as_of.isoformat()
        return {"columns": self.mapped, "types": self.types, "delimiter": self.delimiter, "as_of": as_of, "live": self.live}
