"""How one person stands to one segment: in or out and why, since when, until when at least, and what was before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from sojourn.customers.history import StoredHistory
from sojourn.customers.segments.lists import StoredLists
from sojourn.customers.segments.live import ENTERED, EXITED
from sojourn.language.conditions import Condition, EventFact, Explanation, Facts, History
from sojourn.store.tables import events, profiles, segment_members


@dataclass(frozen=True)
class Moved:
    """Someone came into a segment, or left it."""

    at: datetime
    entered: bool


@dataclass(frozen=True)
class Standing:
    """How a person stands to a segment.

    Attributes:
        why: the condition's answer at the moment asked about, each leaf with its value.
        since: since when the person is a member, as it is written now; None for one who is not.
        turns: when the answer can change by itself next, though nothing happens; None: never.
        moves: every entering and leaving that was told, oldest first.
    """

    why: Explanation
    since: datetime | None
    turns: datetime | None
    moves: tuple[Moved, ...]


@dataclass(frozen=True)
class _Until:
    """A history as it was at a moment: what came later is not in it, whatever moment is asked about."""

    whole: History
    at: datetime

    def events(self, name: str, after: datetime | None, until: datetime) -> Sequence[EventFact]:
        """Return the events of a name in the window that were there."""
        return self.whole.events(name, after, min(until, self.at))


def standing(connection: Connection, segment: str, conditions: Mapping[str, Condition], profile_id: str, at: datetime) -> Standing:
    """Return how a person stands to a segment at a moment.

    Traits, and the lists that the person is on, are those of now, also for a moment that is past.

    Args:
        connection: open.
        segment: its name.
        conditions: those of all segments.
        profile_id: the canonical profile.
        at: the moment.
    """
    condition = conditions[segment]
    person = connection.execute(select(profiles.c.traits, profiles.c.zone).where(profiles.c.id == profile_id)).one()
    history = _Until(StoredHistory(connection, profile_id), at)
    calendar, lists = condition.calendar.of(person.zone), StoredLists(connection, profile_id)
    facts = Facts(now=at, profile=person.traits, history=history, listed=lists, calendar=calendar)
    member = (segment_members.c.segment == segment, segment_members.c.profile_id == profile_id)
    told = select(events.c.time, events.c.name, events.c.properties).where(
        events.c.profile_id == profile_id, events.c.name.in_([ENTERED, EXITED])
    )
    return Standing(
        why=condition.explain(facts, conditions),
        since=connection.execute(select(segment_members.c.since).where(*member)).scalar(),
        turns=condition.changes_at(facts, conditions),
        moves=tuple(
            Moved(row.time, row.name == ENTERED)
            for row in connection.execute(told.order_by(events.c.time, events.c.seq))
            if row.properties.get("segment") == segment
        ),
    )


__all__ = ["Moved", "Standing", "standing"]
