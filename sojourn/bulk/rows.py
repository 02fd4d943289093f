"""A file as a stream of rows, each with its line, from the beginning or from where an import stopped.

Memory stays bounded: one row of CSV or JSONL, one batch of a Parquet file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sojourn.bulk.files import Format, Source
from sojourn.bulk.problems import BadRow, UnreadableFile
from sojourn.csv_reader import BOM, CsvReader, NotCsv, any_line_end, refuse_wide
from sojourn.errors import BadEvent
from sojourn.intake.envelope import MAX_EVENT_BYTES
from sojourn.intake.strict import fault, read_json

_BATCH = 2_000
_LONGEST_LINE = MAX_EVENT_BYTES * 4  # more than a cell of the csv module may have; longer than any row that is taken
_TOO_LONG = f"longer than {MAX_EVENT_BYTES} bytes; an event or a profile has at most so many"


class Row(NamedTuple):
    """A row that could be read; or, where `values` is None, could not, for the reason given."""

    line: int  # where it begins
    values: dict[str, Any] | None
    reason: str = ""


@dataclass
class Place:
    """How far a file has been read.

    Attributes:
        rows: rows read.
        offset: bytes of the text read.
        line: lines read.
    """

    rows: int = 0
    offset: int = 0
    line: int = 0


class Rows(Protocol):
    """The rows of a file."""

    textual: bool  # whether every value is a text that stands for one
    regular: bool  # whether what intake refuses in a value has been looked for
    place: Place

    def columns(self) -> list[str] | None: ...  # noqa: D102
    def __iter__(self) -> Iterator[Row]: ...
    def read_of_file(self) -> int: ...  # noqa: D102


def open_rows(path: Path, format_: Format, place: Place, delimiter: str | None = None) -> Rows:
    """Return the rows of a file after a place.

    Args:
        path: the file; CSV and JSONL may be gzipped, with the ending .gz.
        format_: what it is.
        place: where to begin; it moves on with the rows.
        delimiter: what parts the cells of a CSV; by its header where it is not given.

    Raises:
        UnreadableFile: it is not such a file.
    """
    if format_ is Format.parquet:
        return _ParquetRows(path, place)
    if format_ is Format.csv:
        return _CsvRows(path, place, delimiter)
    return _JsonRows(path, place)


class _Lines:
    """The lines of a text, counted, and the place where the last one taken ends."""

    def __init__(self, path: Path, place: Place) -> None:
        self.path, self.place = path, place
        self.source = Source(path, place.offset)
        self._stream = any_line_end(self.source.stream)
        self.left_out = 0  # bytes of lines far too long

    def raw(self) -> Iterator[bytes]:
        """Return the lines as they stand there, each with its end."""
        return iter(self.take, b"")

    def take(self) -> bytes:
        """Return the next line; empty at the end. One far too long is cut, and its rest left out."""
        try:
            line = part = self._stream.readline(_LONGEST_LINE)
            self.place.offset += len(part)
            while len(part) == _LONGEST_LINE and not part.endswith(b"\n"):
                part = self._stream.readline(_LONGEST_LINE)
                self.place.offset += len(part)
                self.left_out += len(part)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(f"{self.path.name} cannot be read past line {self.place.line}: {error}") from None
        self.place.line += bool(line)
        return line


class _JsonRows:
    textual, regular = False, True

    def __init__(self, path: Path, place: Place) -> None:
        self.place = place
        self._lines = _Lines(path, place)

    def columns(self) -> None:
        return None

    def read_of_file(self) -> int:
        return self._lines.source.read_of_file()

    def __iter__(self) -> Iterator[Row]:
        while line := self._lines.take():
            if line.isspace():
                continue
            self.place.rows += 1
            yield self._row(line)

    def _row(self, line: bytes) -> Row:
        number = self.place.line
        if number == 1:
            _refuse_wide(line, self._lines.path)
            line = line.removeprefix(BOM)
        if len(line) > MAX_EVENT_BYTES:
            return Row(number, None, _TOO_LONG)
        try:
            value, regular = read_json(line)
        except BadEvent as error:
            return Row(number, None, str(error))
        except ValueError:
            return Row(number, None, "is not JSON; each line is one JSON object")
        if not isinstance(value, dict):
            return Row(number, None, "is not a JSON object")
        if not regular and (found := fault(value)):
            return Row(number, None, found)
        return Row(number, value)


def _refuse_wide(begin: bytes, path: Path) -> None:
    try:
        refuse_wide(begin)
    except NotCsv as error:
        raise UnreadableFile(f"{path.name}: {error}") from None


class _CsvRows:
    textual, regular = True, True

    def __init__(self, path: Path, place: Place, delimiter: str | None) -> None:
        self.place = place
        head = _Lines(path, Place())
        with head.source:
            reader = CsvReader(head.raw(), delimiter, limit=MAX_EVENT_BYTES)
            try:
                begin = reader.header()
            except NotCsv as error:
                raise UnreadableFile(f"{path.name}: {error}") from None
        self._delimiter, self._header = reader.delimiter, begin.cells or []
        if place.offset < begin.size:
            place.offset, place.line = begin.size, begin.lines
        self._lines = _Lines(path, replace(place))
        twice = next((name for i, name in enumerate(self._header) if name in self._header[:i]), None)
        if twice is not None:
            raise UnreadableFile(f"{path.name}: two columns have the name {twice!r}; rename one")

    def columns(self) -> list[str]:
        return self._header

    def read_of_file(self) -> int:
        return self._lines.source.read_of_file()

    def __iter__(self) -> Iterator[Row]:
        header, place, left_out = self._header, self.place, 0
        for record in CsvReader(self._lines.raw(), self._delimiter, len(header), place.line, MAX_EVENT_BYTES):
            place.offset += record.size + self._lines.left_out - left_out
            left_out = self._lines.left_out
            place.line += record.lines
            if record.cells is not None and not record.cells:
                continue  # a blank line
            place.rows += 1
            reason = _TOO_LONG if record.size > MAX_EVENT_BYTES else record.reason
            if reason or record.cells is None:
                yield Row(record.line, None, reason)
            else:
                yield Row(record.line, dict(zip(header, record.cells, strict=True)))


class _ParquetRows:
    textual, regular = False, False

    def __init__(self, path: Path, place: Place) -> None:
        self.place = place
        # Imported here: no other command should pay for it when it starts.
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]
        from pyarrow import ArrowException

        self._fault = ArrowException
        try:
            self._file = parquet.ParquetFile(path)
        except (self._fault, OSError) as error:
            raise UnreadableFile(f"{path.name} is not a Parquet file: {error}") from None
        self._size = path.stat().st_size

    def columns(self) -> list[str]:
        return list(self._file.schema_arrow.names)

    def read_of_file(self) -> int:
        return int(self._size * self.place.rows / max(self._file.metadata.num_rows, 1))

    def __iter__(self) -> Iterator[Row]:
        groups: list[int] = []
        skip = self.place.rows
        for group in range(self._file.metadata.num_row_groups):
            size = self._file.metadata.row_group(group).num_rows
            if not groups and skip >= size:
                skip -= size
            else:
                groups.append(group)
        names = self.columns()
        try:
            for batch in self._file.iter_batches(_BATCH, row_groups=groups) if groups else ():
                columns = [column.to_pylist() for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    if skip:
                        skip -= 1
                        continue
                    self.place.rows += 1
                    self.place.line = self.place.rows
                    yield self._row(dict(zip(names, cells, strict=True)))
        except (self._fault, OSError) as error:
            raise UnreadableFile(f"the Parquet file cannot be read past row {self.place.rows}: {error}") from None

    def _row(self, values: dict[str, Any]) -> Row:
        try:
            return Row(self.place.line, {name: _plain(value) for name, value in values.items()})
        except BadRow as error:
            return Row(self.place.line, None, str(error))


def _plain(value: Any) -> Any:
    """Return a value of Arrow as one of JSON."""
    if value is None or isinstance(value, str | bool | int):
        return value
    match value:
        case float():
            return None if value != value else value  # pandas writes what is missing as NaN
        case datetime():
            return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()
        case date():
            return value.isoformat()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {str(name): _plain(each) for name, each in value.items()}
    raise BadRow(f"holds a value of type {type(value).__name__}, which has no JSON; leave its column out")
