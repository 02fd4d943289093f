"""What is to be evaluated anew, and when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection


def touch(connection: Connection, profile_ids: Iterable[str], now: datetime) -> None:
    """Note that profiles were changed from outside an event, so that their segments are evaluated anew.

    Segments are swept over everyone as yet, which needs no note.
    """
