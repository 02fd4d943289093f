"""What people chose on their preference page: topics (as words of consent) and how often they want to be written to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, bindparam, select

from sojourn.store.bulk import insert_new
from sojourn.store.ids import uuid5_text
from sojourn.store.tables import preferences

TOPIC_PREFIX = "topic:"  # of a consent row's purpose that speaks of a topic
PAUSE = timedelta(days=30)
WEEK = timedelta(days=7)
_NAMESPACE = UUID("0d4a0c8e-5a2e-5d1e-8d0b-707265666572")
_STANDING = (
    select(preferences.c.frequency, preferences.c.until)
    .where(preferences.c.profile_id.in_(bindparam("people", expanding=True)))
    .order_by(preferences.c.at.desc(), preferences.c.id.desc())
    .limit(1)
)


class Frequency(StrEnum):
    """How often a person wants to be written to."""

    NORMAL = "normal"
    WEEKLY = "weekly"  # at most one message in seven days
    PAUSED = "paused"  # nothing until a moment


@dataclass(frozen=True)
class Rhythm:
    """The frequency that stands, and until when, where it ends by itself."""

    frequency: Frequency = Frequency.NORMAL
    until: datetime | None = None

    def at(self, now: datetime) -> Rhythm:
        """Return it as it is at a moment: a pause that is over is none."""
        return Rhythm() if self.frequency is Frequency.PAUSED and self.until is not None and self.until <= now else self


def topic_purpose(topic: str) -> str:
    """Return the purpose under which words about a topic are kept."""
    return TOPIC_PREFIX + topic


def rhythm(connection: Connection, people: list[str]) -> Rhythm:
    """Return how often a person wants to be written to, whatever the moment.

    Args:
        connection: to the store.
        people: all their profile ids.
    """
    row = connection.execute(_STANDING, {"people": people}).one_or_none()
    return Rhythm() if row is None else Rhythm(Frequency(row.frequency), row.until)


def choose(
    connection: Connection, profile_id: str, chosen: Rhythm, at: datetime, source: str, because_of: str, origin_id: str | None = None
) -> None:
    """Keep how often a person wants to be written to.

    Args:
        connection: of a writing transaction.
        profile_id: the canonical profile.
        chosen: the frequency.
        at: when.
        source: where it was said.
        because_of: what it was said by, such as a message id; the same one twice is kept once.
        origin_id: whose word it would be without any merge, where that is another.
    """
    row: dict[str, Any] = {
        "id": uuid5_text(_NAMESPACE, because_of), "profile_id": profile_id, "origin_id": None if origin_id == profile_id else origin_id,
        "frequency": chosen.frequency.value, "until": chosen.until, "source": source[:200], "at": at,
    }  # fmt: skip
    insert_new(connection, preferences, [row])
