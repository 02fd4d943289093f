"""An import from its first row to its last: page by page, each in one transaction with the place it came to.

What was killed goes on where the last page ended, and what was done once is not done again. Pages are
short, so that a router beside it can write between them.
"""

from __future__ import annotations

import gc
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from threading import Event
from typing import Any

import orjson
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import IntegrityError

from sojourn.bulk.errorsfile import ErrorsFile
from sojourn.bulk.files import fingerprint, format_of
from sojourn.bulk.history import write_history, write_live
from sojourn.bulk.mapping import Kind, Layout
from sojourn.bulk.ordering import Order
from sojourn.bulk.people import Written, write_people
from sojourn.bulk.policy import Policy
from sojourn.bulk.preparing import Prepared
from sojourn.bulk.problems import UnreadableFile
from sojourn.bulk.reading import SELDOM, Read, Reader, open_file
from sojourn.bulk.records import Origin
from sojourn.bulk.rehearsing import Rehearsal
from sojourn.bulk.rows import Place, Row
from sojourn.bulk.told import Told
from sojourn.clock import monotonic
from sojourn.customers.segments import due
from sojourn.customers.segments.causes import Cause
from sojourn.errors import Transient
from sojourn.intake.envelope import Envelope, Quarantined
from sojourn.store import locks
from sojourn.store.bulk import insert_if_new
from sojourn.store.database import Database
from sojourn.store.ids import OrderedIds
from sojourn.store.outlast import outlast_now
from sojourn.store.pacing import Pace
from sojourn.store.tables import imports

FIRST_PAGE = 200
SMALLEST_PAGE, LARGEST_PAGE = 100, 5_000
PAGE_SECONDS = 0.08  # what a transaction is aimed to take; others wait for it
MAX_TRIES = 5
LIVE_A_SECOND = 200  # events that are put into the log as new: journeys begin on them


class ElsewhereError(Transient):
    """Another process imports the same file just now."""


class Import:
    """One import.

    Args:
        database: the store, its tables made.
        order: what is to be imported.
        now: the shop's present moment.
        advanced: told after each page how far it is.
        hashed: told how many bytes were hashed.
        policy: how words about people and events are taken; as they were said, where it is not given.

    Raises:
        UnreadableFile: the file or its mapping is wrong.
    """

    def __init__(
        self,
        database: Database,
        order: Order,
        now: Callable[[], datetime],
        advanced: Callable[[Told], None] = lambda _: None,
        hashed: Callable[[int], None] = lambda _: None,
        policy: Policy | None = None,
    ) -> None:
        self.database, self.order, self.now, self._advanced = database, order, now, advanced
        self.format = format_of(order.path, order.format)
        self.content = fingerprint(order.path, hashed)
        said = orjson.dumps([self.content, order.kind, order.said()], option=orjson.OPT_SORT_KEYS)
        self.fingerprint = hashlib.sha256(said).hexdigest()
        self.policy = policy or Policy()
        self.told = Told()
        self._new_id = OrderedIds()
        self._size = FIRST_PAGE
        self._pace = Pace(FIRST_PAGE, SMALLEST_PAGE, LARGEST_PAGE, PAGE_SECONDS)
        self._hopeful = False  # the page before was of people who are new, all of them: so may the next be

    # -- what the columns are ----------------------------------------------------------------------

    def layout(self) -> Layout | None:
        """Return which column goes where; None where each row names its own."""
        rows, columns = open_file(self.order, self.format, Place())
        names = rows.columns()
        return None if names is None else columns.check(names)

    # -- without writing -----------------------------------------------------------------------------

    def rehearse(self, refused: Callable[[Row, str], None] = lambda row, reason: None) -> Told:
        """Read all of it, write nothing, and return what would happen."""
        origin = Origin(self.content, self.order.as_of or self.now(), self.now(), self.order.as_of is not None)
        reader = Reader(self.order, self.format, Place(), origin, self.policy)
        rehearsal = Rehearsal(self.policy.identity)
        for page in _pages(iter(reader), lambda: LARGEST_PAGE):
            for row, reason in page.refused:
                refused(row, reason)
            new = self.database.read_now(rehearsal.new_people, page.people) if page.people else 0
            if page.events:
                fresh = self.database.read_now(rehearsal.new_events, [envelope for _, envelope in page.events])
                self.told.lived.note(fresh if self.into_log else ())
                new += len(fresh)
            self.told.new += new
            self.told.known += len(page.good) - new
            self._note(page)
            self.told.errors += len(page.refused)
            self.told.rows, self.told.read = page.place.rows, reader.read
            self._advanced(self.told)
        return self.told

    # -- with ----------------------------------------------------------------------------------------

    def run(self) -> Told:
        """Import what is not yet imported, and return what came of it.

        Raises:
            ElsewhereError: another process imports the same file.
        """
        usual = gc.get_threshold()
        gc.set_threshold(SELDOM, *usual[1:])
        try:
            return self._run()
        finally:
            gc.set_threshold(*usual)

    def _run(self) -> Told:
        began = self.database.write_now(self._begin)
        place = Place(began.position, began.offset, began.line)
        self.told = Told(rows=place.rows, errors=began.errors, resumed=place.rows, finished=began.finished_at is not None)
        if self.told.finished:
            return self.told
        origin = Origin(self.content, began.as_of, began.started_at, self.order.as_of is not None)
        errors = ErrorsFile(self.order.errors_path, began.errors_size, self.order.error_rows)
        before, done = began.position, began.done
        reader = Reader(self.order, self.format, place, origin, self.policy)
        with _Writing(self._write, beside=self.database.is_served) as writing:
            pace = _Pace()
            for page in _pages(reader.beside(), lambda: self._size):
                self._settle(writing.came())
                if self.into_log:
                    pace.hold(len(page.good))
                done += len(page.good)
                self.told.errors += len(page.refused)
                for row, reason in page.refused:
                    errors.add(row, reason)
                values = {
                    "position": page.place.rows, "offset": page.place.offset, "line": page.place.line, "done": done,
                    "errors": self.told.errors, "errors_size": errors.write(), "updated_at": self.now(),
                }  # fmt: skip
                writing.begin(page, reader.read, began.id, before, values, origin)
                before = page.place.rows
            self._settle(writing.came())
        self.database.write_now(self._finish, began.id)
        self.told.finished = True
        return self.told

    def _settle(self, came: _Came | None) -> None:
        """Note what a page came to, and tell of it."""
        if came is None:
            return
        self._size = _next_size(self._size, len(came.page.good), came.seconds)
        self._hopeful = came.written.known == 0
        self.told.rows, self.told.read = came.page.place.rows, came.read
        self._note(came.page)
        self.told.new += came.written.new
        self.told.known += came.written.known
        self._advanced(self.told)

    def _note(self, page: _Page) -> None:
        """Count what a page says of its people."""
        self.told.refused.update(page.values_refused)
        self.told.consenting += page.consenting
        for one in page.people:
            for trait in one.refused:
                self.told.refused_first.setdefault(trait, one.line)

    def _begin(self, connection: Connection) -> Any:
        now = self.now()
        row = {
            "fingerprint": self.fingerprint, "content": self.content, "size": self.order.path.stat().st_size,
            "file": self.order.path.name[:255], "kind": str(self.order.kind), "mapping": self.order.said(),
            "as_of": self.order.as_of or now, "position": 0, "offset": 0, "line": 0, "done": 0, "errors": 0, "errors_size": 0,
            "started_at": now, "updated_at": now,
        }  # fmt: skip
        insert_if_new(connection, imports, row)
        return connection.execute(select(imports).where(imports.c.fingerprint == self.fingerprint)).one()

    def _write(self, page: _Page, import_id: int, before: int, values: dict[str, Any], origin: Origin) -> tuple[Written, float]:
        """Write a page, however long others keep the store busy, and return how long it kept them from it itself."""

        def attempt(*, again: bool) -> tuple[Written, float]:
            write = self._pace.timed(self._write_page)
            written = self.database.write_now(write, import_id, before, values, page, origin, again=again)
            self._pace.ended(len(page.good))
            return written, self._pace.took

        for number in range(MAX_TRIES - 1):
            try:
                return outlast_now(partial(attempt, again=number > 0))
            except IntegrityError:
                continue  # one of these people, or a word about consent, is known since we looked
        return outlast_now(partial(attempt, again=True))

    def _write_page(
        self, connection: Connection, import_id: int, before: int, values: dict[str, Any], page: _Page, origin: Origin, *, again: bool
    ) -> Written:
        if not self.into_log:
            locks.router_turn(connection)  # before all else: who is who changes by one transaction at a time
        mine = update(imports).where(imports.c.id == import_id, imports.c.position == before, imports.c.finished_at.is_(None))
        if connection.execute(mine.values(values)).rowcount != 1:
            raise ElsewhereError("another process imports this file just now; see: sojourn import status")
        if self.order.kind is Kind.profiles:
            hopeful = self._hopeful and not again
            written = write_people(
                connection, page.people, origin, self.policy, self._new_id, again=again, hopeful=hopeful, live=self.order.live
            )
        elif self.into_log:
            written = write_live(connection, page.events, page.aside)
        else:
            written = write_history(connection, page.events, origin.now, import_id, self.policy, self._new_id)
        if self.order.live:
            due.touch(connection, written.profile_ids, self.now(), Cause.IMPORT, live=True)
        else:
            due.touch(connection, written.profile_ids, self.now())
        return written

    @property
    def into_log(self) -> bool:
        """Whether the rows are events that are to be lived: then the router makes of them what follows."""
        return self.order.live and self.order.kind is Kind.events

    def _finish(self, connection: Connection, import_id: int) -> None:
        now = self.now()
        connection.execute(update(imports).where(imports.c.id == import_id).values(finished_at=now, updated_at=now))


@dataclass(frozen=True)
class _Came:
    """What a page came to, how long its writing took, and how much of the file had been read for it."""

    page: _Page
    written: Written
    seconds: float
    read: int


class _Pace:
    """Lets so many events a second go on, from the first after a page's worth."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._gone = 0

    def hold(self, count: int) -> None:
        """Wait until it is the turn of so many more."""
        ahead = self._gone / LIVE_A_SECOND - (monotonic() - self._began)
        self._gone += count
        if ahead > 0:
            Event().wait(ahead)


class _Writing:
    """Writes a page at a time: at once, or beside whoever gathers the next.

    Args:
        write: writes a page.
        beside: in a thread, which waits for a server.
    """

    def __init__(self, write: Callable[..., tuple[Written, float]], *, beside: bool) -> None:
        self._write = write
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import-writer") if beside else None
        self._begun: Future[_Came] | None = None

    def __enter__(self) -> _Writing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)  # a transaction that was begun is brought to its end

    def begin(self, page: _Page, read: int, *args: Any) -> None:
        """Begin to write a page; what the one before came to has been asked for."""

        def timed() -> _Came:
            written, seconds = self._write(page, *args)
            return _Came(page, written, seconds, read)

        if self._thread is not None:
            self._begun = self._thread.submit(timed)
        else:
            self._begun = Future()
            self._begun.set_result(timed())

    def came(self) -> _Came | None:
        """Return what the page came to that was begun last, once it is written; None where none was, or it was told."""
        begun, self._begun = self._begun, None
        return None if begun is None else begun.result()


@dataclass
class _Page:
    """Rows that are written together, and where the last of them ends."""

    good: list[Prepared | Envelope] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    refused: list[tuple[Row, str]] = field(default_factory=list)
    aside: list[Quarantined] = field(default_factory=list)
    place: Place = field(default_factory=Place)

    @property
    def people(self) -> list[Prepared]:
        """The people among the rows."""
        return [item for item in self.good if isinstance(item, Prepared)]

    @property
    def values_refused(self) -> Counter[str]:
        """How often each trait of the people among the rows is not taken."""
        return Counter(trait for one in self.people for trait in one.refused)

    @property
    def consenting(self) -> int:
        """Of how many people among the rows a consent is said."""
        return sum(bool(one.consents) for one in self.people)

    @property
    def events(self) -> list[tuple[int, Envelope]]:
        """The events among the rows, each with its position."""
        return [(position, item) for position, item in zip(self.positions, self.good, strict=True) if isinstance(item, Envelope)]


def _pages(rows: Iterator[Read], size: Callable[[], int]) -> Iterator[_Page]:
    page, wanted, count = _Page(), size(), 0
    for read in rows:
        count += 1
        if read.item is not None:
            page.good.append(read.item)
            page.positions.append(read.rows)
        elif read.refused is not None:
            page.refused.append((read.refused, read.reason))
            if read.aside is not None:
                page.aside.append(read.aside)
        if count >= wanted:
            page.place = Place(read.rows, read.offset, read.line)
            yield page
            page, wanted, count = _Page(), size(), 0
    if count:
        page.place = Place(read.rows, read.offset, read.line)
        yield page


def _next_size(size: int, rows: int, seconds: float) -> int:
    """Return how many rows the next page has, so that its transaction takes as long as it should."""
    if rows < size // 2:
        return size
    aimed = int(rows * PAGE_SECONDS / max(seconds, 0.001))
    return max(SMALLEST_PAGE, min(LARGEST_PAGE, aimed, size * 2))


def listed(connection: Connection, limit: int = 50) -> list[Any]:
    """Return the latest imports, the latest first."""
    return list(connection.execute(select(imports).order_by(imports.c.id.desc()).limit(limit)))


__all__ = ["Import", "Order", "Told", "UnreadableFile", "listed"]
