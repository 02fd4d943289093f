"""What a transaction does last, just before the commit: events of our own are appended, and the ledger's notes written, together.

The log is written to by one transaction at a time (`locks.hold_log`); one that emits early and works on
would keep everyone else from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
Handler = Callable[[Connection, Sequence[Any]], object]
_KEY = "sojourn.last"


def do_last(connection: Connection, handler: Handler, item: Any) -> None:
    """Have a handler given an item, together with its others, when the transaction has done all else."""
    connection.info.setdefault(_KEY, {}).setdefault(handler, []).append(item)


def do_now(connection: Connection, handler: Handler) -> None:
    """Have a handler given now what it was to be given last: something is to be read that it writes."""
    items = connection.info.get(_KEY, {}).pop(handler, None)
    if items:
        handler(connection, items)


def forget(connection: Connection, handler: Handler) -> None:
    """Give a handler nothing of what it was to be given last: what that is about was taken back."""
    connection.info.get(_KEY, {}).pop(handler, None)


def with_last(connection: Connection, work: Callable[[Connection], T]) -> T:
    """Do the work of a transaction, and then what it wants done last."""
    notes = connection.info  # a connection that is lost on the way has none
    notes.pop(_KEY, None)
    try:
        result = work(connection)
        while pending := notes.pop(_KEY, None):
            for handler, items in pending.items():
                handler(connection, items)
        return result
    finally:
        notes.pop(_KEY, None)
