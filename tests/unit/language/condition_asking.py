"""Asks a condition in SQL about a life that is in hand, for the tests of conditions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from sqlalchemy import Connection, insert, null, select

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
        'did("Product Viewed", where="event.price == true") or segment.frequent',
    )
]
"""What is asked at the same time: about the same events, in other windows, and in a like way."""


class _Asked(Exception):
    """The answer."""


@dataclass(frozen=True)
class Together:
    """What a condition is answered that is asked together with others: whether it holds, and its next turn; None: it has none."""

    answer: bool
    turn: int | None


def ask_together(
    connection: Connection, condition: Condition, facts: Facts, segments: dict[str, Condition], others: Sequence[Condition]
) -> Together:
    """Ask a condition of the profile p1 in one query with others, all of them sharing their questions to the past."""
    shared, columns = SharedQuestions(), []
    for one in (*others, condition):
        columns.append(one.sql(facts.now, segments, facts.event, facts.scores, facts.engaged, shared))
        turn = one.sql_turn(facts.now, segments, shared)
        columns.append(null() if turn is None else turn)
    here = profiles.c.id == "p1"
    *_, answer, turns = connection.execute(
        select(*columns).select_from(shared.beside_profiles(connection.dialect.name, here)).where(here)
    ).one()
    return Together(answer, turns)


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
        for others in ([], NEIGHBOURS):
            assert ask_together(connection, condition, facts, segments, others).answer == answer, "asked beside others it says the same"
        raise _Asked(answer, found)  # so that nothing of it stays

    with pytest.raises(_Asked) as asked:
        database.write_now(ask)
    answer, found = asked.value.args
    assert answer in (0, 1), "two-valued: never NULL"
    assert bool(found) == bool(answer)
    return bool(answer)
