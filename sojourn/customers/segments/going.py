"""Goes through everyone from a command: page after page, each part in a transaction of its own, others having their turn between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from threading import Event

from sojourn.clock import monotonic
from sojourn.customers.inner import Tell
from sojourn.customers.segments import rebuild
from sojourn.customers.segments.book import SegmentBook
from sojourn.store.database import Database
from sojourn.store.outlast import outlast_now


def go_through(
    database: Database, book: SegmentBook, moment: Callable[[], datetime], tell: Tell, rest: float = 0.25
) -> Iterator[rebuild.Settled]:
    """Go through everyone for what is to be gone through, and give each part once it is written.

    Args:
        database: the store; while it is busy this waits.
        book: the segments in force.
        moment: gives the shop's moment.
        tell: takes the events of who came and went.
        rest: of the time that a part took, between two parts.
    """
    people, rows = rebuild.new_paces(database.is_served)
    while True:
        began = monotonic()
        page = outlast_now(lambda: database.read_now(rebuild.look, book, moment(), people.size))
        if page is None:
            return
        people.settle(len(page.people), monotonic() - began)
        after = page.start
        while True:
            write = partial(database.write_now, rows.timed(rebuild.settle), book, page, after, moment(), tell, rows.size)
            part = outlast_now(write)
            rows.ended(part.rows)
            yield part
            Event().wait(rows.took * rest)
            if part.after is None:
                break
            after = part.after


__all__ = ["go_through"]
