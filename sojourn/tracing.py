"""Traces: one from an event through the outbox and the workflow to the send.

Off unless an endpoint is set: then OpenTelemetry's own no-op tracer answers, and `inject` gives nothing.
What crosses a process (an outbox row, a workflow's input) carries the W3C `traceparent` as text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

NAME = "sojourn"
_PROPAGATOR = TraceContextTextMapPropagator()


def configure_tracing(endpoint: str, process: str, exporter: SpanExporter | None = None) -> TracerProvider | None:
    """Send spans to a collector from now on; None where no endpoint is set.

    Args:
        endpoint: the collector's address, such as http://127.0.0.1:4318; empty for no tracing.
        process: the name under which this process appears.
        exporter: where spans go instead of to the collector; for tests.

    Returns:
        The provider; call its `shutdown()` at the end, so that the last spans are sent.
    """
    if not endpoint and exporter is None:
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": f"{NAME}-{process}", "service.namespace": NAME}))
    provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))
    trace.set_tracer_provider(provider)
    return provider


def inject() -> str | None:
    """Return the present span as a W3C traceparent; None where there is none."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def extract(traceparent: str | None) -> Context | None:
    """Return the context that a traceparent names; None where there is none or it is malformed."""
    if not traceparent:
        return None
    context = _PROPAGATOR.extract({"traceparent": traceparent})
    return context if trace.get_current_span(context).get_span_context().is_valid else None


@contextmanager
def span(name: str, traceparent: str | None = None, **attributes: str | int | float | bool) -> Iterator[Span]:
    """Run a block as a span.

    Args:
        name: what is done, such as `route` or `send`.
        traceparent: the span it follows from, in another process; default: the present one.
        attributes: ids and names only, never personal data.
    """
    with trace.get_tracer(NAME).start_as_current_span(name, context=extract(traceparent), attributes=attributes) as current:
        yield current
