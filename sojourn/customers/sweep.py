"""Looks at everyone, on a schedule, and tells who came into a segment and who left it.

Until segments are live this is how a journey can begin `on: Segment Entered`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import Connection, delete, insert, select

from sojourn.language.conditions import Condition
from sojourn.store.tables import profiles, segment_members

ENTERED, EXITED = "Segment Entered", "Segment Exited"
PAGE = 1000
_NAMESPACE = UUID("3e5f0d5a-7c1f-5b0a-8a7c-7365676d656e")

Tell = Callable[[str, str, str, str], None]
"""Takes profile id, event name, segment and a message id."""


def sweep(connection: Connection, segment: str, conditions: Mapping[str, Condition], now: datetime, tell: Tell) -> tuple[int, int]:
    """Bring one segment's membership up to date; return how many entered and exited.

    Args:
        connection: of a writing transaction.
        segment: its name.
        conditions: every segment's condition by name.
        now: the shop's moment.
        tell: appends the event of each change.
    """
    holds = conditions[segment].sql(now=now, segments=conditions)
    are = select(profiles.c.id).where(profiles.c.merged_into.is_(None), holds)
    were = select(segment_members.c.profile_id).where(segment_members.c.segment == segment)
    entered = list(connection.execute(are.except_(were)).scalars())
    exited = list(connection.execute(were.except_(are)).scalars())
    for start in range(0, len(entered), PAGE):
        page = entered[start : start + PAGE]
        connection.execute(insert(segment_members), [{"segment": segment, "profile_id": one, "since": now} for one in page])
    for start in range(0, len(exited), PAGE):
        page = exited[start : start + PAGE]
        connection.execute(delete(segment_members).where(segment_members.c.segment == segment, segment_members.c.profile_id.in_(page)))
    for name, people in ((ENTERED, entered), (EXITED, exited)):
        for person in people:
            tell(person, name, segment, str(uuid5(_NAMESPACE, f"{name}:{segment}:{person}:{now.isoformat()}")))
    return len(entered), len(exited)
