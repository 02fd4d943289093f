"""Which profiles' segments are to be evaluated anew, and when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection


def touch(connection: Connection, profile_ids: Collection[str], now: datetime) -> None:
    """Have the segments of profiles evaluated anew at once.

    Until segments are live, the sweep looks at everyone and needs no word.
    """
