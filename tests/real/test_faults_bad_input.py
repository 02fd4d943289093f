"""Bad input against a running Sojourn: a status and a sentence, never a traceback, and nothing good is lost."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from stack import ROOT, Stack, running, until

from sojourn.launch import PYTHON

pytestmark = pytest.mark.real
FOLDER = ROOT / "tests/real/journeys_faults"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("bad") / "var", "--journeys-dir", str(FOLDER)) as stack:
        yield stack


def event(**more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u1", "event": "Page Seen", **more}


def nested(depth: int) -> bytes:
    return b'{"userId":"u1","event":"Page Seen","properties":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"


def bomb() -> bytes:
    return gzip.compress(b" " * (200 * MEGABYTE))


REFUSED: dict[str, tuple[str, bytes | Callable[[], bytes], dict[str, str], int]] = {
    "no JSON": ("/v1/track", b'{"userId": "u1", ', {}, 400),
    "no object": ("/v1/batch", b"[1, 2]", {}, 400),
    "nothing": ("/v1/track", b"", {}, 400),
    "no UTF-8": ("/v1/track", b'{"userId":"\xff"}', {}, 400),
    "a batch without a list": ("/v1/batch", b'{"batch": {"a": 1}}', {}, 400),
    "an unknown call": ("/v1/teleport", b"{}", {}, 404),
    "an unknown route": ("/v2/track", b"{}", {}, 404),
    "a huge body": ("/v1/batch", b" " * (5 * MEGABYTE), {}, 413),
    "a gzip bomb": ("/v1/batch", bomb, {"content-encoding": "gzip"}, 413),
    "no gzip": ("/v1/batch", b"plain", {"content-encoding": "gzip"}, 400),
    "half a gzip": ("/v1/batch", gzip.compress(b"{}" * 100)[:-9], {"content-encoding": "gzip"}, 400),
    "another encoding": ("/v1/batch", b"{}", {"content-encoding": "br"}, 415),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_sentence(stack: Stack, what: str) -> None:
    path, body, headers, status = REFUSED[what]
    before = stack.rows("select count(*) from inbound")
    with stack.http as http:
        answer = http.post(path, content=body if isinstance(body, bytes) else body(), headers=headers)
    assert answer.status_code == status, answer.text[:300]
    assert "Traceback" not in answer.text
    assert len(answer.json().get("message") or answer.json().get("detail")) > 8
    assert stack.rows("select count(*) from inbound") == before


SET_ASIDE: dict[str, tuple[str, bytes, str]] = {
    "NaN": ("track", b'{"userId":"u1","event":"Page Seen","properties":{"price":NaN}}', "not finite"),
    "a number too large": ("track", b'{"userId":"u1","event":"Page Seen","properties":{"price":1e999}}', "not finite"),
    "deep nesting": ("track", nested(60), "nested deeper"),
    "nesting past any stack": ("track", nested(100_000), "nested deeper"),
    "40 kB": ("track", json.dumps(event(properties={"text": "x" * 40_000})).encode(), "at most 32768"),
    "a key twice": ("track", b'{"userId":"u1","event":"Page Seen","event":"Page Left"}', "twice"),
    "nobody": ("track", b'{"event":"Page Seen"}', "userId"),
    "no event": ("track", b'{"userId":"u1"}', "event's name"),
    "a name as a number": ("track", b'{"userId":"u1","event":7}', "event's name"),
    "properties as a list": ("track", b'{"userId":"u1","event":"Page Seen","properties":[1]}', "properties must be"),
    "a NUL": ("track", b'{"userId":"u1","event":"Page\\u0000Seen"}', "NUL"),
    "half a surrogate": ("track", b'{"userId":"u1","event":"Page \\ud800"}', "surrogate"),
    "a time outside of all calendars": (
        "track",
        b'{"userId":"u1","event":"Page Seen","timestamp":"0001-01-01T00:00:00Z","sentAt":"9999-12-31T00:00:00Z"}',
        "calendars",
    ),
    "an alias of nobody": ("alias", b'{"userId":"u2"}', "previousId"),
}


@pytest.mark.parametrize("what", SET_ASIDE)
def test_a_bad_event_is_answered_and_set_aside_with_its_reason(stack: Stack, what: str) -> None:
    call, body, reason = SET_ASIDE[what]
    with stack.http as http:
        answer = http.post(f"/v1/{call}", content=body)
    assert answer.status_code == 200, answer.text[:300]
    assert reason in answer.json()["quarantined"][0]["reason"]
    assert stack.rows("select count(*) from quarantine where instr(reason, ?) > 0", reason)[0][0] >= 1


def test_good_events_beside_bad_ones_are_taken_and_routed(stack: Stack) -> None:
    bad: list[Any] = [
        7,
        None,
        "text",
        [],
        {},
        event(userId=None),
        event(event=""),
        event(type="teleport"),
        event(context=[]),
        event(userId={}),
    ]
    good = [event(messageId=f"good-{number}") for number in range(len(bad))]
    mixed = [one for pair in zip(good, bad, strict=True) for one in pair]
    with stack.http as http:
        answer = http.post("/v1/batch", json={"batch": mixed})
    assert answer.status_code == 200
    assert len(answer.json()["quarantined"]) == len(bad)
    until(lambda: stack.rows("select count(*) from events where id like 'good-%'") == [(len(good),)], 30, "the good events")


@pytest.mark.parametrize("key", ["", "wrong", "x" * 10_000, "w\u00f6rng"])
def test_a_wrong_write_key_is_401(stack: Stack, key: str) -> None:
    answer = httpx.post(f"{stack.url}/v1/track", json=event(), auth=(key.encode(), b""))
    assert (answer.status_code, "write key" in answer.json()["message"]) == (401, True)


@pytest.mark.parametrize("token", [None, "wrong", "Bearer", "x" * 5_000])
@pytest.mark.parametrize("path", ["/api/journeys", "/api/profiles/u1", "/api/sends/x", "/api/entries?profile=u1"])
def test_the_admin_api_is_closed_to_a_wrong_token(stack: Stack, path: str, token: str | None) -> None:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    answer = httpx.get(f"{stack.url}{path}", headers=headers)
    assert answer.status_code in (401, 403)
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    "path", ["/api/profiles/nobody", "/api/sends/nothing", "/api/nowhere", "/c/abc", "/o/abc.gif", "/u/abc", "/inbox/..%2f..%2fkeys.json"]
)
def test_what_is_not_there_is_404(stack: Stack, path: str) -> None:
    answer = httpx.get(f"{stack.url}{path}", headers={"authorization": f"Bearer {stack.admin_token}"})
    assert answer.status_code == 404, answer.text[:300]
    assert stack.admin_token not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/track"), ("PUT", "/v1/batch"), ("DELETE", "/api/journeys"), ("POST", "/c/abc"), ("PATCH", "/u/abc")]
)
def test_a_wrong_method_is_405(stack: Stack, method: str, path: str) -> None:
    answer = httpx.request(method, f"{stack.url}{path}", headers={"authorization": f"Bearer {stack.admin_token}"})
    assert answer.status_code == 405, answer.text[:300]


def test_after_all_that_every_part_still_works_and_no_log_holds_a_traceback(stack: Stack) -> None:
    with stack.http as http:
        assert http.post("/v1/track", json=event(messageId="last")).status_code == 200
    until(lambda: stack.rows("select 1 from events where id = 'last'"), 30, "the last event")
    for log in (stack.data_dir / "logs").glob("*.log"):
        assert "Traceback" not in log.read_text(), log.name


BROKEN = ROOT / "tests/bad_definitions"
SOME = (
    "journey__verb_unknown",
    "journey__tab",
    "journey__alias_bomb",
    "journey__duplicate_key",
    "shop__shop_zone_unknown",
    "journey__depth",
)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        *(("check", name) for name in SOME),
        *(pytest.param("up", name, marks=[pytest.mark.exhaustive] if name in SOME[2:] else []) for name in SOME),
    ],
)
def test_broken_yaml_is_sentences_and_exit_code_one(tmp_path: Path, name: str, command: str) -> None:
    folder = tmp_path / "journeys"
    shutil.copytree(FOLDER, folder)
    text = (BROKEN / f"{name}.yaml").read_text()
    place = folder / ("shop.yaml" if name.startswith("shop__") else "broken.yaml")
    place.write_text(text)
    environment = os.environ | {"SOJOURN_JOURNEYS_DIR": str(folder), "SOJOURN_DATA_DIR": str(tmp_path / "var"), "COLUMNS": "200"}
    done = subprocess.run([*PYTHON, command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert re.search(rf"{place.name}:\d+:\d+", re.sub(r"\s*\n\s*", "", said)), said
