"""One reader for every CSV: imports, catalogues, lists, suppressions.

A quotation mark that is opened and not closed must not swallow the rows below it. So a record that spans several lines
and is no row is refused by its first line only, and reading goes on with its second; and a record whose lines are all rows
by themselves is taken for what it is: rows, one of them with a stray mark. Each line of the file is then either part of a
row, or refused, or blank.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

DELIMITERS = ",;\t|"
MAX_RECORD = 1 << 17  # bytes; what the csv module takes in one cell
BOM = b"\xef\xbb\xbf"
STRAY = "opens a quotation mark that is not closed in its row; close it, or double it where it belongs to the text"
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # how UTF-16 begins
_HINT = re.compile(rb"sep=([\x21-\x7e\t])\r?\n?", re.IGNORECASE)  # Excel's own first line
_BLOCK = 1 << 16
_ALONE = re.compile(rb"\r(?!\n)")


class NotCsv(ValueError):
    """A file that is no CSV; the message says what to do."""


class Record(NamedTuple):
    """A row of a CSV, or what stands in its place.

    Attributes:
        line: where it begins, counted from 1.
        lines: how many lines it has.
        size: in bytes.
        cells: None where it is no row; empty where the line is blank.
        reason: why it is none.
    """

    line: int
    lines: int
    size: int
    cells: list[str] | None
    reason: str = ""


class _LineEnds(io.RawIOBase):
    """A stream in which a carriage return alone ends a line too; each byte stays where it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""  # a carriage return, until it is known what follows

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            more = self._stream.read(len(buffer) - len(self._held))
            block, self._held = self._held + more, b""
            if more and block.endswith(b"\r"):
                block, self._held = block[:-1], b"\r"
            if block or not more:
                break
        if b"\r" in block:
            block = _ALONE.sub(b"\n", block)
        buffer[: len(block)] = block
        return len(block)


def any_line_end(stream: BinaryIO) -> BinaryIO:
    """Return a stream whose lines end with a line feed, also where the file ends them with a carriage return alone."""
    return cast(BinaryIO, io.BufferedReader(_LineEnds(stream), _BLOCK))


def refuse_wide(begin: bytes) -> None:
    """Refuse a file by its first bytes where it is not UTF-8.

    Raises:
        NotCsv: it is UTF-16.
    """
    if begin.startswith(_WIDE):
        raise NotCsv("it is UTF-16; save the file as UTF-8")


class _Feed:
    """Gives the csv module the lines that it asks for, and keeps those of the record under way.

    Attributes:
        taken: the lines of the record.
        size: their bytes.
        fault: what is wrong with one of them, whatever the csv module says.
    """

    def __init__(self, lines: Iterator[bytes], limit: int) -> None:
        self._lines, self._limit = lines, limit
        self._again: deque[bytes] = deque()  # were read for a record that was none
        self.begin()

    def begin(self) -> None:
        """Begin a record."""
        self.taken: list[bytes] = []
        self.size = 0
        self.fault = ""

    def back(self, lines: list[bytes]) -> None:
        """Give lines again before any other."""
        self._again.extendleft(reversed(lines))

    def line(self) -> bytes:
        """Return the next line; empty at the end."""
        return self._again.popleft() if self._again else next(self._lines, b"")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.line()
        if not line:
            raise StopIteration
        self.taken.append(line)
        self.size += len(line)
        if self.size > self._limit and len(self.taken) > 1:
            raise csv.Error("longer than a row may be")
        if b"\0" in line:
            self.fault = "holds a NUL character"
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.fault = "is not UTF-8"
            return line.decode(errors="replace")


class CsvReader:
    """Reads the records of a CSV, one after another; the header is read by `header`, before all else.

    Args:
        lines: of the file, each with its end.
        delimiter: what parts the cells; by the header where it is not given.
        width: how many cells a row has; by the header where it is not given.
        line: how many lines were read before.
        limit: how many bytes a record of several lines may have.
    """

    def __init__(
        self, lines: Iterator[bytes], delimiter: str | None = None, width: int = 0, line: int = 0, limit: int = MAX_RECORD
    ) -> None:
        self.delimiter, self.width = delimiter, width
        self._feed, self._line = _Feed(lines, limit), line

    def header(self) -> Record:
        """Return the record that names the columns, and find the delimiter by it: the one that stands oftenest outside of quotes.

        Raises:
            NotCsv: there is none, or it cannot be read.
        """
        line = self._feed.line()
        refuse_wide(line)
        first = line.removeprefix(BOM)
        skipped = len(line) - len(first)
        hint = _HINT.fullmatch(first)
        if hint is not None:
            self.delimiter = self.delimiter or hint[1].decode()
            skipped, first = len(line), self._feed.line()
            self._line += 1
        try:
            self.delimiter = self.delimiter or _delimiter_of(first.decode())
        except UnicodeDecodeError:
            raise NotCsv("its header is not UTF-8; save the file as UTF-8") from None
        self._feed.back([first])
        found = next(iter(self), None) if first else None
        if found is not None and found.cells is None:
            raise NotCsv(f"its header {found.reason}")
        if found is None or not any(name.strip() for name in found.cells or ()):
            raise NotCsv("its first line must name the columns")
        self.width = len(found.cells or ())
        return found._replace(size=found.size + skipped, lines=found.lines + (hint is not None))

    def __iter__(self) -> Iterator[Record]:
        """Yield what follows: rows, blank lines, and lines that are none."""
        feed, delimiter = self._feed, self.delimiter or ","
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        while True:
            feed.begin()
            cells: list[str] = []
            reason = ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                reason = f"is not CSV: {error}"
            taken, size = feed.taken, feed.size
            if feed.fault:
                reason = feed.fault
            elif cells and self.width and len(cells) != self.width:
                reason = f"has {len(cells)} cells; the header has {self.width}"
            if len(taken) > 1 and (reason or self._are_rows(taken, delimiter)):
                feed.back(taken[1:])
                reason, taken, size = STRAY, taken[:1], len(taken[0])
            began = self._line + 1
            self._line += len(taken)
            yield Record(began, len(taken), size, None if reason else cells, reason)

    def _are_rows(self, taken: list[bytes], delimiter: str) -> bool:
        """Tell whether each line of a record has the cells of a row by itself, its quotation marks read as letters."""
        wanted = self.width - 1
        return wanted >= 0 and all(line.decode(errors="replace").count(delimiter) == wanted for line in taken if line.strip())


def _delimiter_of(header: str) -> str:
    outside, quoted = [], False
    for letter in header:
        if letter == '"':
            quoted = not quoted
        elif not quoted:
            outside.append(letter)
    text = "".join(outside)
    return max(DELIMITERS, key=text.count)


class Table(NamedTuple):
    """A CSV as it streams by: its columns, and the records after them."""

    columns: list[str]
    records: Iterator[Record]


def read_table(stream: BinaryIO, delimiter: str | None = None, limit: int = MAX_RECORD) -> Table:
    """Return the columns and the records of a CSV; blank lines are left out.

    Args:
        stream: of its bytes.
        delimiter: what parts the cells; by the header where it is not given.
        limit: how many bytes a record of several lines may have.

    Raises:
        NotCsv: it has no header, or is not UTF-8.
    """
    lines = any_line_end(stream)
    reader = CsvReader(iter(lambda: lines.readline(limit * 4), b""), delimiter, limit=limit)
    columns = reader.header().cells or []
    return Table(columns, (record for record in reader if record.reason or record.cells))
