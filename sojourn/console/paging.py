"""Lists by the page, newest first, that stay true while rows are added: a cursor names the last row seen."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Column, ColumnElement, and_, false, or_

from sojourn.errors import Terminal
from sojourn.store.types import from_micros, to_micros

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


class BadCursor(Terminal):
    """A cursor that no page of ours ended with."""


@dataclass(frozen=True)
class Cursor:
    """The last row seen. `rank` tells rows of different tables at one moment apart."""

    at: datetime
    rank: int
    id: str

    def text(self) -> str:
        """Return it as it stands in a URL."""
        return base64.urlsafe_b64encode(orjson.dumps([to_micros(self.at), self.rank, self.id])).decode().rstrip("=")


def parse_cursor(text: str | None) -> Cursor | None:
    """Return the cursor that a text means; None for none.

    Raises:
        BadCursor: it is not one of ours.
    """
    if not text:
        return None
    try:
        at, rank, row_id = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not (isinstance(at, int) and isinstance(rank, int) and isinstance(row_id, str)):
            raise ValueError
        return Cursor(from_micros(at), rank, row_id)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise BadCursor("this cursor is not from a page of this list; leave it out to begin anew") from None


def older_than(cursor: Cursor | None, at: Column[Any], row_id: Column[Any], rank: int = 0) -> list[ColumnElement[bool]]:
    """Return the conditions under which a row comes after a cursor."""
    if cursor is None:
        return []
    if rank != cursor.rank:
        same_moment: ColumnElement[bool] = at == cursor.at if rank < cursor.rank else false()
    else:
        same_moment = and_(at == cursor.at, row_id < cursor.id)
    return [or_(at < cursor.at, same_moment)]
