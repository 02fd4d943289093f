"""A profile's events, as conditions ask for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, false, select

from sojourn.language.conditions.facts import EventFact
from sojourn.store.tables import events

_OF_A_NAME = (
    select(events.c.name, events.c.time, events.c.properties)
    .where(
        events.c.profile_id == bindparam("profile_id"),
        events.c.name == bindparam("name"),
        events.c.time > bindparam("after"),
        events.c.time <= bindparam("until"),
        events.c.machine == false(),
    )
    .order_by(events.c.time, events.c.id)
)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class StoredHistory:
    """The History of a stored profile.

    What a machine opened or clicked is not in it: it never counts as the person's doing.

    It is of one moment: what was asked once is not asked again.

    Args:
        connection: open for as long as the history is asked.
        profile_id: the canonical profile.
    """

    def __init__(self, connection: Connection, profile_id: str) -> None:
        self._connection = connection
        self._profile_id = profile_id
        self._known: dict[tuple[str, datetime | None, datetime], Sequence[EventFact]] = {}

    def events(self, name: str, after: datetime | None, until: datetime) -> Sequence[EventFact]:
        """Return the events of a name with `after < time <= until`, oldest first."""
        asked = (name, after, until)
        if asked not in self._known:
            window = {"profile_id": self._profile_id, "name": name, "after": after or _BEFORE_ALL, "until": until}
            rows = self._connection.execute(_OF_A_NAME, window)
            self._known[asked] = [EventFact(row.name, row.time, row.properties) for row in rows]
        return self._known[asked]
