"""Asks a condition in SQL about a life that is in hand, for the tests of conditions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from sqlalchemy import Connection, insert, select

from sojourn.language.conditions import Condition, Facts, ListHistory
from sojourn.store.database import Database
from sojourn.store.tables import events, profiles

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class _Asked(Exception):
    """The answer."""


@pytest.fixture(scope="module", name="database")
def fresh_database() -> Iterator[Database]:
    found = Database("sqlite://")
    yield found
    found.close_now()


def ask_sql(database: Database, condition: Condition, facts: Facts, segments: dict[str, Condition], zone: str | None = None) -> Any:
    """Return what the database says to a condition of a life that is written there for the question only."""
    assert isinstance(facts.history, ListHistory)

    def ask(connection: Connection) -> NoReturn:
        for profile, traits in (("p1", dict(facts.profile)), ("other", {"tag": "a", "price": 1})):
            connection.execute(insert(profiles).values(id=profile, traits=traits, zone=zone, first_seen=NOW, last_seen=NOW))
        rows = [
            {"id": f"e{i}", "seq": i, "profile_id": "p1", "kind": "track", "name": e.name, "time": e.time, "properties": dict(e.properties)}
            for i, e in enumerate(facts.history.all)
        ]
        noise = [
            {**row, "id": f"{name}-{i}", "seq": 100 + i, "profile_id": owner, "machine": machine}
            for name, owner, machine in (("robot", "p1", True), ("other", "other", False))
            for i, row in enumerate(({**rows[0]}, {**rows[-1], "time": NOW}) if rows else ())
        ]
        for row in [*({**row, "machine": False} for row in rows), *noise]:
            connection.execute(insert(events).values(**row))
        expression = condition.sql(facts.now, segments, event=facts.event, scores=facts.scores, engaged=facts.engaged)
        answer = connection.execute(select(expression).where(profiles.c.id == "p1").select_from(profiles)).scalar_one()
        found = connection.execute(select(profiles.c.id).where(expression, profiles.c.id == "p1")).all()
        raise _Asked(answer, found)  # so that nothing of it stays

    with pytest.raises(_Asked) as asked:
        database.write_now(ask)
    answer, found = asked.value.args
    assert answer in (0, 1), "two-valued: never NULL"
    assert bool(found) == bool(answer)
    return bool(answer)
