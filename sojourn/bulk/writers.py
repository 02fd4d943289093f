"""A file under way: written beside its place, readable by its owner alone, and put there whole or not at all."""

from __future__ import annotations

import csv
import gzip
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import orjson

from sojourn.bulk.cells import guard, write_cell
from sojourn.bulk.files import GZIP, Format
from sojourn.bulk.problems import UnreadableFile

STDOUT = Path("-")


class Writer(Protocol):
    """Writes records in one format."""

    def write(self, records: Sequence[dict[str, Any]]) -> None: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


@contextmanager
def writing_to(path: Path) -> Iterator[BinaryIO]:
    """Give the stream of a file that appears when all of it is written; `-` is standard output.

    Raises:
        UnreadableFile: the folder cannot be written to.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        raw = os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be written: {error.strerror}; name a file in a folder of yours") from None
    try:
        with raw:
            if path.suffix == GZIP:
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as packed:
                    yield cast(BinaryIO, packed)
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def open_writer(format_: Format, out: BinaryIO, columns: Sequence[str] | None) -> Writer:
    """Return what writes records to a stream.

    Args:
        format_: in which format.
        out: where to.
        columns: what a record holds; JSONL writes each as it is.
    """
    if format_ is Format.jsonl:
        return _JsonWriter(out)
    assert columns is not None, "a table has columns"
    return _CsvWriter(out, columns) if format_ is Format.csv else _ParquetWriter(out, columns)


class _JsonWriter:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        self._out.write(b"".join(orjson.dumps(record) + b"\n" for record in records))

    def close(self) -> None:
        pass


class _CsvWriter:
    def __init__(self, out: BinaryIO, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
        self._rows = csv.writer(self._text, lineterminator="\n")
        self._rows.writerow([guard(column) for column in columns])

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        self._rows.writerows([[_text_cell(column, record.get(column)) for column in self._columns] for record in records])

    def close(self) -> None:
        self._text.flush()
        self._text.detach()


# What import takes as text, whatever it looks like: `007` needs no quotes there.
_TEXT_COLUMNS = frozenset({"user_id", "anonymous_id", "event", "type", "message_id", "zone", "locale"})


def _text_cell(column: str, value: Any) -> str:
    return guard(value) if (column in _TEXT_COLUMNS or column.startswith("external.")) and isinstance(value, str) else write_cell(value)


class _ParquetWriter:
    """Every column is text; one that holds more than text holds JSON."""

    def __init__(self, out: BinaryIO, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        # Imported here: no other command should pay for it when it starts.
        import pyarrow as arrow  # type: ignore[import-untyped]
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]

        self._arrow = arrow
        self._schema = arrow.schema([(column, arrow.string()) for column in columns])
        self._file = parquet.ParquetWriter(out, self._schema, compression="zstd")

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        cells = [[_json_cell(record.get(column)) for record in records] for column in self._columns]
        arrow = self._arrow
        self._file.write_table(arrow.table([arrow.array(column, arrow.string()) for column in cells], schema=self._schema))

    def close(self) -> None:
        self._file.close()


def _json_cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
