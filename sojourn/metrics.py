"""What is counted and measured, and `/metrics`, which shows it for all our processes together.

The processes of one `up` share a folder of memory-mapped files (prometheus-client's multiprocess
mode, on where PROMETHEUS_MULTIPROC_DIR is set before a process starts); the one that answers
`/metrics` adds them up, and adds what the Temporal SDK measured in the worker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
SDK_TIMEOUT_S = 1.0
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Every metric of Sojourn's own; names begin with `sojourn_`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        r: dict[str, Any] = {"registry": registry}
        self.events = Counter("sojourn_events", "Events at the door.", ["result"], **r)  # accepted duplicate quarantined
        self.router_lag = Gauge("sojourn_router_lag_events", "Accepted events not yet routed.", multiprocess_mode="mostrecent", **r)
        self.router_delay = Histogram("sojourn_router_delay_seconds", "From an event's receipt to its routing.", buckets=_LATENCY, **r)
        self.outbox_depth = Gauge("sojourn_outbox_depth", "Calls to Temporal not yet answered.", multiprocess_mode="mostrecent", **r)
        self.entries_started = Counter("sojourn_entries_started", "Entries begun.", ["journey"], **r)
        self.entries_ended = Counter("sojourn_entries_ended", "Entries ended.", ["journey", "outcome"], **r)
        self.segment_changes = Counter("sojourn_segment_changes", "People who came into segments, or left.", ["segment", "change"], **r)
        self.sends = Counter("sojourn_sends", "Transitions of sends, by the state arrived at.", ["journey", "state"], **r)
        self.brakes = Counter("sojourn_brakes", "Brakes and alarms that were raised.", ["journey", "kind", "level"], **r)
        self.provider_latency = Histogram("sojourn_provider_seconds", "A provider's answer.", ["provider"], buckets=_LATENCY, **r)
        self.provider_failures = Counter("sojourn_provider_failures", "Posts that a provider did not accept.", ["provider", "why"], **r)
        self.late_evidence = Counter("sojourn_late_evidence", "Messages accepted after they were given up.", ["provider"], **r)
        self.notices = Counter("sojourn_notices", "What providers told of messages.", ["provider", "kind"], **r)
        self.ids_refused = Counter("sojourn_ids_refused", "Identifiers that are words for nothing, not taken.", ["kind"], **r)
        self.webhooks_refused = Counter("sojourn_webhooks_refused", "Posts to webhooks not taken.", ["provider", "why"], **r)
        self.http_requests = Counter("sojourn_http_requests", "HTTP requests answered.", ["route", "method", "status"], **r)
        self.http_latency = Histogram("sojourn_http_seconds", "HTTP requests, until the answer began.", ["route"], buckets=_LATENCY, **r)


@lru_cache(maxsize=1)
def metrics() -> Metrics:
    """Return this process's metrics, made at the first call."""
    return Metrics(CollectorRegistry())


def prepare_folder(folder: Path) -> dict[str, str]:
    """Empty the folder that processes share and return the environment that makes them share it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.db"):
        file.unlink()
    return {FOLDER_VARIABLE: str(folder)}


def forget_process(pid: int, folder: Path) -> None:
    """Stop showing what only a living process can say (gauges); its counts stay."""
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def render(current: Metrics | None = None) -> bytes:
    """Return our metrics in Prometheus' text form, of all processes where they share a folder."""
    if os.environ.get(FOLDER_VARIABLE):
        merged = CollectorRegistry()
        MultiProcessCollector(merged)  # type: ignore[no-untyped-call]
        return generate_latest(merged)
    return generate_latest((current or metrics()).registry)


async def _nothing() -> None:
    return


def metrics_endpoint(
    sdk_metrics_address: str = "",
    refresh: Callable[[], Awaitable[None]] = _nothing,
    client: Callable[[], httpx.AsyncClient] = httpx.AsyncClient,
) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of `/metrics`.

    Args:
        sdk_metrics_address: host:port at which the worker shows the Temporal SDK's; empty for none.
        refresh: measures what is best measured when asked for, such as backlogs.
        client: makes the HTTP client that asks the worker.
    """

    async def endpoint(_request: Request) -> Response:
        await refresh()
        body = render()
        if sdk_metrics_address:
            body += await _sdk_metrics(sdk_metrics_address, client)
        return Response(body, media_type=CONTENT_TYPE_LATEST)

    return endpoint


async def _sdk_metrics(address: str, client: Callable[[], httpx.AsyncClient]) -> bytes:
    """Return the SDK's metrics, and in any case whether they were to be had."""
    answer = b""
    try:
        async with client() as http:
            response = await http.get(f"http://{address}/metrics", timeout=SDK_TIMEOUT_S)
            response.raise_for_status()
            answer = response.content
    except httpx.HTTPError:
        pass  # a worker that restarts; said by the gauge below
    up = b"1" if answer else b"0"
    head = b"# HELP sojourn_sdk_metrics_up Whether the worker showed the Temporal SDK's metrics.\n# TYPE sojourn_sdk_metrics_up gauge\n"
    return head + b"sojourn_sdk_metrics_up " + up + b"\n" + answer


class HttpMetrics:
    """ASGI middleware that counts requests by route, method and status.

    The route's template is counted and never the path: a path may hold an id, and anyone could make up new ones.
    """

    def __init__(self, app: ASGIApp, current: Metrics | None = None) -> None:
        self.app = app
        self.metrics = current or metrics()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.metrics.http_latency.labels(_route(scope)).observe(time.perf_counter() - began)
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            self.metrics.http_requests.labels(_route(scope), _method(scope), str(status)).inc()


def _method(scope: Scope) -> str:
    method = str(scope["method"])
    return method if method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "other"


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "none"))
