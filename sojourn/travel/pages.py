"""What is read of many entries at once before each is advanced: a question to the store for all of them instead of one for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, false, select

from sojourn.customers import profiles
from sojourn.customers.profiles import Person
from sojourn.delivery import facts as gate_facts
from sojourn.errors import NotFound
from sojourn.store.tables import decisions, entries, events, sends
from sojourn.travel.state import Advance

# Statements are built once: building one costs more than SQLite takes to answer it.
_ENTRIES = select(entries).where(entries.c.id.in_(bindparam("entries", expanding=True)))
_DECIDED = select(decisions).where(
    decisions.c.entry_id.in_(bindparam("entries", expanding=True)), decisions.c.cursor.in_(bindparam("cursors", expanding=True))
)
_ENGAGED = (
    select(sends.c.entry_id, sends.c.send_id, events.c.name, events.c.profile_id)
    .join(events, events.c.send_key == sends.c.key)
    .where(sends.c.entry_id.in_(bindparam("entries", expanding=True)), events.c.machine == false())
)


@dataclass(frozen=True)
class Page:
    """What was read of some entries.

    Attributes:
        entries: by id.
        people: of each entry's profile, the person.
        decided: what was judged before, by entry and cursor.
        engaged: of each entry and person, the sends that were engaged with, and how.
        waits: whether any event at all is yet to be routed.
    """

    entries: Mapping[str, Row[Any]]
    people: Mapping[str, Person]
    decided: Mapping[tuple[str, str], Row[Any]]
    engaged: Mapping[tuple[str, str], Sequence[tuple[str, str]]]
    waits: bool

    def of(self, entry_id: str) -> tuple[Row[Any], Person]:
        """Return an entry and its person.

        Raises:
            NotFound: there is no such entry, or no such profile.
        """
        entry = self.entries.get(entry_id)
        person = None if entry is None else self.people.get(entry.profile_id)
        if entry is None or person is None:
            raise NotFound(f"no entry {entry_id}" if entry is None else "there is no such profile")
        return entry, person


def read_page(connection: Connection, asks: Sequence[Advance]) -> Page:
    """Return what is read of entries that are about to be advanced, in one reading transaction."""
    asked = {"entries": [ask.entry_id for ask in asks]}
    cursors = sorted({ask.cursor for ask in asks})
    found = {row.id: row for row in connection.execute(_ENTRIES, asked)}
    engaged: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in connection.execute(_ENGAGED, asked):
        engaged.setdefault((row.entry_id, row.profile_id), []).append((row.send_id, row.name))
    return Page(
        entries=found,
        people=profiles.load_all(connection, {row.profile_id for row in found.values()}),
        decided={(row.entry_id, row.cursor): row for row in connection.execute(_DECIDED, {**asked, "cursors": cursors})},
        engaged=engaged,
        waits=gate_facts.anything_waits(connection),
    )
