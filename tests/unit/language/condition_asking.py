"""Asks a condition in SQL about a life that is in hand, for the tests of conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from sqlalchemy import ColumnElement, Connection, insert, null, select

from sojourn.language.conditions import Condition, Facts, ListHistory, parse
from sojourn.language.conditions.sqlshared import SharedQuestions
from sojourn.store.database import Database
from sojourn.store.tables import events, profiles

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


NEIGHBOURS = [
    parse(text)
    for text in (
        'did("Product Viewed", within="3d") and last("Order Completed") > first("Product Viewed", within="2h")',
        'count("Order Completed", within="2d") > 1 and not did("Order Completed", where="event.price == 1")',
        'sum("Product Viewed", "price", within="1d") > distinct("Product Viewed", "tag", within="5d")',
        'did("Product Viewed", where="event.price == true") or count("Product Viewed", within="7d") >= 2',
    )
]
"""What is asked at the same time: about the same events, in other windows, and in a like way."""


class _Asked(Exception):
    """The answer."""


Ask = Callable[[Condition, SharedQuestions], ColumnElement[Any] | None]
"""Writes down what is asked about a condition, its questions to the past shared with others; None: there is nothing to ask."""


def ask_together(connection: Connection, condition: Condition, others: Sequence[Condition], ask: Ask) -> Any:
    """Ask something about a condition and the profile p1 in one query with others."""
    shared = SharedQuestions()
    columns = [null() if (asked := ask(one, shared)) is None else asked for one in (*others, condition)]
    here = profiles.c.id == "p1"
    query = select(*columns).select_from(shared.beside_profiles(connection.dialect.name, here)).where(here)
    return connection.execute(query).one()[-1]


@pytest.fixture(scope="module", name="database")
def fresh_database() -> Iterator[Database]:
    found = Database("sqlite://")
    yield found
    found.close_now()


def ask_sql(database: Database, condition: Condition, facts: Facts, segments: dict[str, Condition], zone: str | None = None) -> Any:
    """Return what the database says to a condition of a life that is written there for the question only."""
    assert isinstance(facts.history, ListHistory)

    def holds(one: Condition, shared: SharedQuestions) -> ColumnElement[bool]:
        return one.sql(facts.now, segments, facts.event, facts.scores, facts.engaged, shared)

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
        for others in ([], NEIGHBOURS):
            assert ask_together(connection, condition, others, holds) == answer, "asked beside others it says the same"
        raise _Asked(answer, found)  # so that nothing of it stays

    with pytest.raises(_Asked) as asked:
        database.write_now(ask)
    answer, found = asked.value.args
    assert answer in (0, 1), "two-valued: never NULL"
    assert bool(found) == bool(answer)
    return bool(answer)
