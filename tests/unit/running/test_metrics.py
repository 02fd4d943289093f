from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sojourn.console.health import measure_backlogs
from sojourn.intake.appender import Appender
from sojourn.intake.envelope import Envelope, Quarantined
from sojourn.metrics import HttpMetrics, Metrics, metrics_endpoint, prepare_folder, render
from sojourn.store.database import Database

COUNT = "import sojourn.metrics as m; m.metrics().events.labels('accepted').inc({0}); m.metrics().outbox_depth.set({0})"


def values(text: str, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def child(code: str, environment: dict[str, str]) -> str:
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_counts_of_all_processes_are_shown_as_one(tmp_path: Path) -> None:
    environment = prepare_folder(tmp_path / "metrics")
    child(COUNT.format(3), environment)
    child(COUNT.format(4), environment)
    shown = child("import sojourn.metrics as m; print(m.render().decode())", environment)
    assert values(shown, "sojourn_events_total") == {("accepted",): 7.0}
    assert list(values(shown, "sojourn_outbox_depth").values()) == [4.0]


def test_a_new_start_counts_from_nought(tmp_path: Path) -> None:
    child(COUNT.format(3), prepare_folder(tmp_path))
    assert values(child("import sojourn.metrics as m; print(m.render().decode())", prepare_folder(tmp_path)), "sojourn_events_total") == {}


async def _get(app: Starlette, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


@pytest.mark.parametrize(("status", "up"), [(200, 1.0), (500, 0.0)])
async def test_the_sdks_metrics_are_added_and_their_absence_is_said(status: int, up: float) -> None:
    theirs = "# TYPE temporal_request counter\ntemporal_request 5\n"
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, text=theirs))
    endpoint = metrics_endpoint("127.0.0.1:1", client=lambda: httpx.AsyncClient(transport=transport))
    answer = await _get(Starlette(routes=[Route("/metrics", endpoint)]), "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert list(values(answer.text, "sojourn_sdk_metrics_up").values()) == [up]
    assert ("temporal_request" in answer.text) == (status == 200)


async def test_requests_are_counted_by_route_and_never_by_what_a_path_holds() -> None:
    async def hello(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("hi")

    async def broken(_request: Request) -> PlainTextResponse:
        raise RuntimeError

    current = Metrics(CollectorRegistry())
    routes = [Route("/people/{name}", hello), Route("/broken", broken)]
    app = HttpMetrics(Starlette(routes=routes), current)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test") as client:
        for path in ("/people/canary", "/people/other", "/nowhere/canary", "/broken"):
            await client.get(path)
        await client.request("CANARY", "/people/x")
    text = render(current).decode()
    assert "canary" not in text.lower()
    counted = values(text, "sojourn_http_requests_total")
    assert counted[("GET", "/people/{name}", "200")] == 2
    assert counted[("GET", "none", "404")] == 1
    assert counted[("GET", "/broken", "500")] == 1


async def test_events_at_the_door_are_counted_by_what_became_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    current = Metrics(CollectorRegistry())
    monkeypatch.setattr("sojourn.intake.appender.metrics", lambda: current)
    monkeypatch.setattr("sojourn.console.health.metrics", lambda: current)
    database = Database("sqlite://", durable=False)
    await database.create()
    now = datetime(2026, 3, 2, tzinfo=UTC)
    appender = Appender(database)
    events = [Envelope(message_id=f"m{i}", kind="track", name="x", user_id="u", time=now, received_at=now) for i in range(3)]
    await appender.append(events, [Quarantined(None, reason="no name", body="{}", received_at=now)])
    await appender.append(events[:2])
    await measure_backlogs(database)
    await database.close()
    text = render(current).decode()
    assert values(text, "sojourn_events_total") == {("accepted",): 3, ("duplicate",): 2, ("quarantined",): 1}
    assert values(text, "sojourn_router_lag_events") == {(): 3}
