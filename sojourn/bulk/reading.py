"""The rows of a file, read and understood: in this process, or in one beside it while this one writes.

A second process is worth its start only for a large file of people; it reads on while a page is written. Rows come in
the order of the file either way, each with the place where it ends, and what could not be taken with its reason.
"""

from __future__ import annotations

import marshal
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection as Pipe
from typing import Any, NamedTuple

import orjson

from sojourn.bulk.files import GZIP, Format
from sojourn.bulk.mapping import Columns, Kind
from sojourn.bulk.ordering import Order
from sojourn.bulk.policy import Policy, of_texts
from sojourn.bulk.preparing import Prepared, prepare
from sojourn.bulk.problems import BadRow, UnreadableFile
from sojourn.bulk.records import Origin, checked, event
from sojourn.bulk.rows import Place, Row, Rows, open_rows
from sojourn.errors import Transient
from sojourn.intake.envelope import Envelope, NotAsDeclared, Quarantined, judged
from sojourn.store.ids import OrderedIds

LARGE_FILE = 8 << 20  # bytes, about 80,000 people; a second process takes a second or two to start
LARGE_PACKED_FILE = 1 << 20
BLOCK = 500  # rows that one process hands to the other at once


class ReaderDied(Transient):
    """The process that read the file ended before it was done."""


class Read(NamedTuple):
    """A row, and where it ends.

    Attributes:
        rows: the file's rows so far.
        offset: bytes so far.
        line: lines so far.
        item: what it says; None where it is refused.
        refused: the row as it stood there, where it is refused.
        reason: why.
        aside: an event that only its definition refuses.
    """

    rows: int
    offset: int
    line: int
    item: Prepared | Envelope | None
    refused: Row | None = None
    reason: str = ""
    aside: Quarantined | None = None


class Reader:
    """Reads a file from a place on.

    Args:
        order: what is to be imported.
        format_: of the file.
        place: where to begin.
        origin: what all rows share.
        policy: how words about people and events are taken.

    Attributes:
        read: bytes of the file read; what progress is measured by.
    """

    def __init__(self, order: Order, format_: Format, place: Place, origin: Origin, policy: Policy) -> None:
        self.read = 0
        self._order, self._format, self._place, self._origin, self._policy = order, format_, replace(place), origin, policy

    def __iter__(self) -> Iterator[Read]:
        """Read in this process."""
        rows, columns = open_file(self._order, self._format, self._place)
        place, origin, policy, new_id = self._place, self._origin, self._policy, OrderedIds()
        is_people, regular = self._order.kind is Kind.profiles, rows.regular
        for row in rows:
            ends = (place.rows, place.offset, place.line)
            item: Prepared | Envelope
            try:
                if row.values is None:
                    raise BadRow(row.reason)
                checked(row.values, regular)
                record = columns.layout(tuple(row.values)).record(row.values)
                if is_people:
                    item = prepare(record, row.line, place.rows, origin, policy, new_id)
                else:
                    item = event(record, place.rows, origin)
                    if policy.schemas is not None:
                        item = judged(item, policy.schemas)
            except NotAsDeclared as error:
                body = orjson.dumps(row.values, default=str).decode()
                aside = Quarantined(error.envelope.message_id, str(error), body, origin.now, error.envelope)
                yield Read(*ends, None, row, str(error), aside)
            except BadRow as error:
                yield Read(*ends, None, row, str(error))
            else:
                yield Read(*ends, item)
            if not place.rows % BLOCK:
                self.read = rows.read_of_file()
        self.read = rows.read_of_file()

    def beside(self) -> Iterator[Read]:
        """Read in a process beside this one, if the file is large and of people; else in this one."""
        size, packed = self._order.path.stat().st_size, self._order.path.suffix == GZIP or self._format is Format.parquet
        if self._order.kind is not Kind.profiles or size < (LARGE_PACKED_FILE if packed else LARGE_FILE):
            yield from self
            return
        with _reading_beside(self._order, self._format, self._place, self._origin, self._policy) as pipe:
            while True:
                try:
                    told, self.read, rows = marshal.loads(pipe.recv_bytes())  # noqa: S302 (from a child of ours)
                except EOFError:
                    raise ReaderDied("the process that read the file ended; the same command goes on where it was") from None
                if told is not None:
                    raise UnreadableFile(told)
                if not rows:
                    return
                for rows_, offset, line, item, refused, reason in rows:
                    if item is not None:
                        yield Read(rows_, offset, line, Prepared(*item))
                    else:
                        yield Read(rows_, offset, line, None, Row(*refused), reason)


def open_file(order: Order, format_: Format, place: Place) -> tuple[Rows, Columns]:
    """Return the rows of a file after a place, and what its columns say.

    Raises:
        UnreadableFile: the file or its mapping is wrong.
    """
    rows = open_rows(order.path, format_, place, order.delimiter)
    columns = Columns(order.kind, order.mapped, order.types, rows.textual)
    names = rows.columns()
    if names is not None:
        columns.check(names)
    return rows, columns


@contextmanager
def _reading_beside(order: Order, format_: Format, place: Place, origin: Origin, policy: Policy) -> Iterator[Pipe]:
    context = multiprocessing.get_context("spawn")  # no lock, thread or connection of ours is taken along
    ours, theirs = context.Pipe(duplex=False)
    # The interpreter takes the arguments along as they are; a policy's compiled parts do not travel, its texts do.
    process = context.Process(target=_read_beside, args=(theirs, order, format_, place, origin, policy.texts()), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.terminate()
        process.join()


def _read_beside(pipe: Pipe, order: Order, format_: Format, place: Place, origin: Origin, texts: tuple[str, str | None]) -> None:
    """Read a file and send its rows in blocks, each as `(problem, bytes read, rows)`; a block without rows is the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    reader = Reader(order, format_, place, origin, of_texts(*texts))
    block: list[tuple[Any, ...]] = []
    try:
        for read in reader:
            item = read.item
            block.append((*read[:3], tuple(item) if isinstance(item, Prepared) else None, read.refused and tuple(read.refused), read.reason))
            if len(block) >= BLOCK:
                pipe.send_bytes(marshal.dumps((None, reader.read, block)))
                block = []
        if block:
            pipe.send_bytes(marshal.dumps((None, reader.read, block)))
        pipe.send_bytes(marshal.dumps((None, reader.read, [])))
    except UnreadableFile as error:
        if block:
            pipe.send_bytes(marshal.dumps((None, reader.read, block)))
        pipe.send_bytes(marshal.dumps((str(error), reader.read, [])))
    except (BrokenPipeError, ConnectionResetError):
        pass  # nobody reads any more
