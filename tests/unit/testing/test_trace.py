"""One trace leads from an event's receipt over its routing to the activities of the journey."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import httpx
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.clock import SystemClock
from sojourn.intake.appender import Appender
from sojourn.intake.http import IntakeSettings, intake_routes
from sojourn.intake.outbox import StartCall
from sojourn.intake.process import process_batch
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import outbox
from sojourn.tracing import configure_tracing
from sojourn.travel.registry import Registry

KEY = "write-key-1"
JOURNEYS = Path(__file__).parents[3] / "journeys"


async def test_the_receipt_the_routing_and_the_start_of_a_journey_stand_in_one_trace() -> None:
    spans = InMemorySpanExporter()
    provider = configure_tracing("", "test", spans)
    assert provider is not None
    database = Database("sqlite://")
    await database.create()
    registry = Registry(load(JOURNEYS))
    await database.write(registry.store, datetime.now(UTC))
    app = Starlette(routes=intake_routes(Appender(database), IntakeSettings([KEY]), SystemClock()))
    event = {
        "userId": "ada",
        "event": "Signed Up",
        "context": {"consent": {"categoryPreferences": {"marketing": True}}},
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop", auth=(KEY, "")) as http:
        assert (await http.post("/v1/track", json=event)).status_code == 200
    await database.write(process_batch, registry, datetime.now(UTC))
    body = await database.read(lambda conn: conn.execute(select(outbox.c.body).where(outbox.c.kind == "start")).scalar_one())
    provider.force_flush()
    by_name = {span.name: span for span in spans.get_finished_spans()}
    trace = StartCall.model_validate(body).trace
    assert trace is not None
    assert by_name["route"].context.trace_id == by_name["intake"].context.trace_id == int(trace.split("-")[1], 16)
    assert by_name["route"].parent is not None
    assert by_name["route"].parent.span_id == by_name["intake"].context.span_id
    await database.close()
