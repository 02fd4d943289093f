"""Asks a condition of the person of an event as of its moment, for whoever decides what the event begins or ends."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sojourn.customers.computed import profile_facts
from sojourn.customers.history import StoredHistory
from sojourn.customers.segments.lists import StoredLists
from sojourn.language.conditions import EventFact, Explanation, Facts, parse
from sojourn.store.tables import profiles
from sojourn.travel.listening import Ask, Happened
from sojourn.travel.registry import Registry


def ask_of(connection: Connection, registry: Registry) -> Ask:
    """Return what asks a condition about the moment of an event."""

    def ask(condition: str, event: Happened) -> Explanation:
        row = connection.execute(select(profiles.c.traits, profiles.c.zone).where(profiles.c.id == event.profile_id)).one()
        history, calendar = StoredHistory(connection, event.profile_id), registry.calendar.of(row.zone)
        facts = Facts(
            now=event.time,
            event=EventFact(event.name, event.time, event.properties),
            profile=profile_facts(row.traits, registry.computed, history, event.time, calendar),
            history=history,
            calendar=calendar,
            listed=StoredLists(connection, event.profile_id),
        )
        return parse(condition).explain(facts, registry.segments)

    return ask
