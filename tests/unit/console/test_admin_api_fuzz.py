"""Whatever is asked of the admin API, the answer is one that its own description allows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

sys.path.insert(0, str(Path(__file__).parent))
from people import settle_in

from sojourn.clock import SystemClock
from sojourn.console.api import admin_app
from sojourn.language.model import Segment
from sojourn.store.database import Database

pytestmark = pytest.mark.slow

TOKEN = "a-token-of-the-tests"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


PATHS = (
    "/api/health",
    "/api/journeys",
    "/api/segments",
    "/api/segments/{name}/members",
    "/api/profiles/{reference}/timeline",
    "/api/profiles/{reference}",
    "/api/entries",
    "/api/sends",
    "/api/sends/{key}",
    "/api/brakes",
)


@pytest.fixture
def described() -> schemathesis.BaseSchema:
    database = Database("sqlite://", durable=False)
    database.write_now(settle_in)

    async def temporal() -> bool:
        return True

    segments = {"high_value": Segment(segment="high_value", description="Some.", members='did("Order Completed")')}
    return schemathesis.openapi.from_asgi("/openapi.json", admin_app(database, {}, SystemClock(), TOKEN, temporal, segments))


def test_all_that_is_described_is_tried(described: schemathesis.BaseSchema) -> None:
    assert {operation.ok().path for operation in described.get_all_operations()} == set(PATHS)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_is_described(described: schemathesis.BaseSchema, path: str, mode: schemathesis.GenerationMode) -> None:
    operation = described[path]["GET"]

    statuses: list[int] = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: schemathesis.Case) -> None:
        statuses.append(case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, checks=CHECKS).status_code)

    ask()
    assert set(statuses) - {401}, "a wrong token is one of the wrong inputs, and must not be all that was tried"
