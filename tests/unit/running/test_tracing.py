from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry import trace

from sojourn.tracing import configure_tracing, extract, inject, span

STORY = """
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sojourn.tracing import configure_tracing, inject, span
exporter = InMemorySpanExporter()
provider = configure_tracing("", "router", exporter)
with span("event"):
    carried = inject()           # stands in the outbox meanwhile
assert carried and carried.startswith("00-")
with span("workflow", carried, journey="cart_abandonment"):
    again = inject()
with span("send", again):
    pass
provider.shutdown()
spans = {s.name: s for s in exporter.get_finished_spans()}
assert len({s.context.trace_id for s in spans.values()}) == 1, spans
assert spans["workflow"].parent.span_id == spans["event"].context.span_id
assert spans["send"].parent.span_id == spans["workflow"].context.span_id
assert spans["workflow"].attributes["journey"] == "cart_abandonment"
assert spans["send"].resource.attributes["service.name"] == "sojourn-router"
print("told")
"""


def test_one_trace_leads_from_the_event_over_the_outbox_to_the_send() -> None:
    done = subprocess.run([sys.executable, "-c", STORY], capture_output=True, text=True, timeout=60)  # the provider is one a process
    assert done.stdout == "told\n", done.stderr


def test_without_an_endpoint_nothing_is_traced_or_carried() -> None:
    assert configure_tracing("", "api") is None
    with span("event", journey="x") as current:
        assert not current.is_recording()
        assert inject() is None


@pytest.mark.parametrize("text", [None, "", "x", "00-0-0-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "é" * 55])
def test_a_malformed_traceparent_begins_a_new_trace(text: str | None) -> None:
    assert extract(text) is None
    with span("route", text):
        assert trace.get_current_span() is not None
