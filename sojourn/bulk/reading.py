"""The rows of a file, read and understood: in this process, or in one beside it while this one writes.

A second process is worth its start only for a large file of people; it reads on while a page is written. Rows come in
the order of the file either way, each with the place where it ends, and what could not be taken with its reason.
"""

from __future__ import annotations

import gc
import marshal
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from queue import Empty, Queue
from threading import Event, Thread
from typing import Any, BinaryIO, NamedTuple, cast

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
BLOCKS_AHEAD = 16  # of them that wait for whoever writes
STOP_SECONDS = 0.05  # between two looks whether the thread that receives them has ended
SELDOM = 100_000  # objects between two collections: a page is many small ones and no cycle, and looking through them costs a third
_LENGTH = 8  # bytes that say how long a message is


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
        is_people, regular, names = self._order.kind is Kind.profiles, rows.regular, rows.columns()
        of_all = None if names is None else columns.layout(names)
        for row in rows:
            ends = (place.rows, place.offset, place.line)
            item: Prepared | Envelope
            try:
                if row.values is None:
                    raise BadRow(row.reason)
                checked(row.values, regular)
                record = (of_all or columns.layout(tuple(row.values))).record(row.values)
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
        told = (self._order, self._format, self._place, self._origin, self._policy.texts())
        with _reading_beside(told) as stream, _received_ahead(stream) as received:
            while True:
                problem, self.read, rows = _understood(received.get())
                if problem is not None:
                    raise UnreadableFile(problem)
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


_Told = tuple[Order, Format, Place, Origin, tuple[str, str | None]]
"""What the process beside needs to know. A policy's compiled parts do not travel, its texts do."""


@contextmanager
def _reading_beside(told: _Told) -> Iterator[BinaryIO]:
    """Start a process that reads a file, and give the stream of what it sends.

    It is a program of its own (`python -m`), not a fork and not multiprocessing's: no thread, lock or connection of ours
    is taken along, and whatever script called us is not run again.
    """
    path = os.pathsep.join(found for found in sys.path if found)
    with subprocess.Popen(  # noqa: S603 (our own program)
        [sys.executable, "-P", "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):  # it died at once; reading says so
                process.stdin.write(pickle.dumps(told))
                process.stdin.close()
            yield cast(BinaryIO, process.stdout)
        finally:
            process.terminate()


def read_beside(told: _Told, out: BinaryIO) -> None:
    """Read a file and send its rows in blocks, each as `(problem, bytes read, rows)`; a block without rows is the end."""
    order, format_, place, origin, texts = told
    reader = Reader(order, format_, place, origin, of_texts(*texts))
    block: list[tuple[Any, ...]] = []
    problem: str | None = None
    try:
        for read in reader:
            item = read.item
            kept = tuple(item) if isinstance(item, Prepared) else None
            block.append((*read[:3], kept, None if read.refused is None else tuple(read.refused), read.reason))
            if len(block) >= BLOCK:
                _send((None, reader.read, block), out)
                block = []
    except UnreadableFile as error:
        problem = str(error)
    if block:
        _send((None, reader.read, block), out)
    _send((problem, reader.read, []), out)


def _send(message: tuple[Any, ...], out: BinaryIO) -> None:
    body = marshal.dumps(message)
    out.write(len(body).to_bytes(_LENGTH, "big"))
    out.write(body)
    out.flush()


@contextmanager
def _received_ahead(stream: BinaryIO) -> Iterator[Queue[bytes]]:
    """Receive blocks in a thread, some ahead of whoever takes them: a pipe holds so little that its sender would wait for each page."""
    received: Queue[bytes] = Queue(BLOCKS_AHEAD)
    wanted = Event()
    wanted.set()

    def receive() -> None:
        while wanted.is_set():
            body = _receive(stream)  # after its last block the process ends, and nothing comes
            received.put(body)
            if not body:
                return

    thread = Thread(target=receive, name="import-reader", daemon=True)
    thread.start()
    try:
        yield received
    finally:
        wanted.clear()
        while thread.is_alive():  # it may wait for room
            with suppress(Empty):
                received.get(timeout=STOP_SECONDS)


def _receive(stream: BinaryIO) -> bytes:
    """Return the next block as it was sent; nothing where the process ended before it had sent it all."""
    size = int.from_bytes(stream.read(_LENGTH), "big")
    body = stream.read(size)
    return body if size and len(body) == size else b""


def _understood(body: bytes) -> Any:
    if not body:
        raise ReaderDied("the process that read the file ended; the same command goes on where it was")
    return marshal.loads(body)  # noqa: S302 (from a child of ours)


def main() -> None:
    """Read what standard input says, and send it to standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    gc.set_threshold(SELDOM)
    with suppress(BrokenPipeError):  # nobody reads any more
        read_beside(pickle.load(sys.stdin.buffer), sys.stdout.buffer)  # noqa: S301 (from our parent)


if __name__ == "__main__":
    main()
