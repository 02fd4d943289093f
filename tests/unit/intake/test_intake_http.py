"""The door: who may write, what is answered, and what a browser is told."""

import base64
import gzip
import json
import zlib

import httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from structlog.testing import capture_logs

from sojourn.clock import SystemClock
from sojourn.errors import Overloaded
from sojourn.intake.appender import Appender
from sojourn.intake.http import MAX_BODY_BYTES, IntakeSettings, intake_routes
from sojourn.store.database import Database
from sojourn.store.tables import inbound, quarantine

KEY = "wk_12345678"
TRACK = {"messageId": "m1", "userId": "u1", "event": "Product Added"}


def basic(key):
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


class Door:
    def __init__(self, database, appender=None):
        self.database = database
        routes = intake_routes(appender or Appender(database), IntakeSettings([KEY, "other_key_123"]), SystemClock())
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=routes)), base_url="http://shop.test:8080")

    async def post(self, call, content, headers=None, **more):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return await self.client.post(f"/v1/{call}", content=body, headers=basic(KEY) if headers is None else headers, **more)

    def log(self):
        return self.database.read_now(lambda c: c.execute(select(inbound.c.message_id).order_by(inbound.c.seq)).scalars().all())

    def quarantined(self):
        return self.database.read_now(lambda c: c.execute(select(quarantine.c.reason)).scalars().all())


@pytest.fixture
async def database(store_url):
    opened = Database(store_url)
    await opened.create()
    yield opened
    await opened.close()


@pytest.fixture
async def door(database):
    made = Door(database)
    yield made
    await made.client.aclose()


async def test_a_call_is_answered_200_and_is_in_the_log(door):
    answer = await door.post("track", TRACK)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert door.log() == ["m1"]


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", ""])
async def test_the_content_type_does_not_matter(door, content_type):
    assert (await door.post("t", TRACK, {**basic(KEY), "content-type": content_type})).status_code == 200
    assert door.log() == ["m1"]


async def test_gzip_and_deflate_are_read(door):
    body = json.dumps(TRACK).encode()
    assert (await door.post("track", gzip.compress(body, mtime=0), {**basic(KEY), "content-encoding": "gzip"})).status_code == 200
    assert (await door.post("track", zlib.compress(body), {**basic(KEY), "content-encoding": "deflate"})).status_code == 200
    assert door.log() == ["m1"]


async def test_the_key_may_be_in_the_body(door):
    assert (await door.post("track", {**TRACK, "writeKey": "other_key_123"}, {})).status_code == 200
    assert door.log() == ["m1"]


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({}, None), ({}, "wrong"), ({}, 5), (basic("wrong"), KEY), (basic(""), KEY),
        ({"authorization": "Basic !!"}, KEY), ({"authorization": "Basic /w=="}, KEY), ({"authorization": "Bearer x"}, None),
    ],
)  # fmt: skip
async def test_without_a_known_key_nothing_is_taken(door, headers, key):
    answer = await door.post("track", {**TRACK, **({"writeKey": key} if key else {})}, headers)
    assert answer.status_code == 401
    assert "write key" in answer.json()["message"]
    assert door.log() == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400), (b"[]", {}, 400), (b"", {}, 400), (b'{"batch":3}', {}, 400), (b"\xff", {}, 400),
        (b"not gzip", {"content-encoding": "gzip"}, 400), (gzip.compress(b"{}", mtime=0)[:-9], {"content-encoding": "gzip"}, 400),
        (b"x" * (MAX_BODY_BYTES + 1), {}, 413), (gzip.compress(b" " * (MAX_BODY_BYTES + 1)), {"content-encoding": "gzip"}, 413),
        (b"{}", {"content-encoding": "br"}, 415),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_as_a_whole_is_refused_with_a_sentence(door, body, headers, status):
    answer = await door.post("batch", body, {**basic(KEY), **headers})
    assert answer.status_code == status
    assert len(answer.json()["message"]) > 10
    assert answer.json()["code"]
    assert "Traceback" not in answer.text
    assert (door.log(), door.quarantined()) == ([], [])


async def test_a_bad_event_is_answered_200_and_kept_with_its_reason(door):
    answer = await door.post("batch", {"batch": [{**TRACK, "type": "track"}, {"type": "track", "messageId": "m2", "event": "E"}]})
    assert answer.status_code == 200
    assert answer.json()["quarantined"] == [{"messageId": "m2", "reason": "needs a userId or an anonymousId"}]
    assert door.log() == ["m1"]
    assert door.quarantined() == ["needs a userId or an anonymousId"]


async def test_the_same_message_twice_is_answered_200_and_kept_once(door):
    assert [(await door.post("track", TRACK, {**basic(KEY), "x-retry-count": str(n)})).status_code for n in range(2)] == [200, 200]
    assert door.log() == ["m1"]


async def test_an_unknown_call_is_404_with_a_sentence(door):
    answer = await door.post("teleport", TRACK)
    assert answer.status_code == 404
    assert "track" in answer.json()["message"]


async def test_overload_is_said_with_when_to_come_back(database):
    class Full(Appender):
        async def append(self, envelopes, quarantined=()):
            raise Overloaded("too many events are waiting to be written; try again", 7)

    answer = await Door(database, Full(database)).post("track", TRACK)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert answer.headers["access-control-expose-headers"] == "retry-after"


async def test_a_fault_of_ours_is_no_traceback_and_is_tried_again(database):
    class Broken(Appender):
        async def append(self, envelopes, quarantined=()):
            raise RuntimeError("ann@example.com")

    answer = await Door(database, Broken(database)).post("track", TRACK)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "ann@example.com" not in answer.text


@pytest.mark.parametrize("path", ["/v1/t", "/v1/projects/x/settings", "/sourceConfig/"])
async def test_a_browsers_preflight_is_answered_for_the_headers_it_asks(door, path):
    asked = {"origin": "https://shop.example", "access-control-request-headers": "authorization,anonymousid,content-type,sentat"}
    answer = await door.client.options(path, headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-headers"] == "authorization,anonymousid,content-type,sentat"
    assert answer.headers["access-control-allow-origin"] == "*"
    odd = await door.client.options(path, headers={**asked, "access-control-request-headers": "a<b>"})
    assert "authorization" in odd.headers["access-control-allow-headers"]


async def test_segments_browser_library_is_told_to_send_here(door):
    answer = await door.client.get(f"/v1/projects/{KEY}/settings")
    assert answer.json()["integrations"]["Segment.io"] == {"apiKey": KEY, "apiHost": "shop.test:8080/v1", "protocol": "http"}
    assert (await door.client.get("/v1/projects/nobody/settings")).status_code == 401


async def test_rudderstacks_browser_library_is_told_its_source_is_enabled(door):
    answer = await door.client.get("/sourceConfig/", params={"p": "cdn", "writeKey": KEY})
    assert answer.json()["source"]["enabled"] is True
    assert (await door.client.get("/sourceConfig/", params={"writeKey": "nobody"})).status_code == 401
    assert (await door.client.get("/sourceConfig/", headers=basic(KEY))).status_code == 200


async def beacon(door, content, query=f"writeKey={KEY}", headers=None, call="batch"):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await door.client.post(f"/beacon/v1/{call}?{query}", content=body, headers={"content-type": "text/plain", **(headers or {})})


async def test_what_a_page_sends_as_it_goes_away_is_taken_with_the_key_in_the_query(door):
    answer = await beacon(door, {"batch": [{**TRACK, "type": "track"}]}, headers={"origin": "https://shop.example"})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert door.log() == ["m1"]
    preflight = await door.client.options("/beacon/v1/batch", headers={"access-control-request-headers": "content-type"})
    assert (preflight.status_code, preflight.headers["access-control-allow-headers"]) == (204, "content-type")


@pytest.mark.parametrize("query", ["writeKey=wrong_key_123", "writeKey=", "", "write_key=" + KEY])
async def test_a_beacon_without_a_known_key_is_401_and_leaves_nothing(door, query):
    assert (await beacon(door, {"batch": [{**TRACK, "type": "track"}]}, query)).status_code == 401
    assert door.log() == []


async def test_a_beacon_has_the_bounds_of_every_call(door):
    assert (await beacon(door, b"x" * (MAX_BODY_BYTES + 1))).status_code == 413
    assert (await beacon(door, b"no json")).status_code == 400
    assert (await beacon(door, TRACK, call="nothing")).status_code == 404
    assert (await beacon(door, {"batch": [{**TRACK, "type": "track"}], "writeKey": "wrong_key_123"})).status_code == 200
    assert (await door.client.get(f"/beacon/v1/batch?writeKey={KEY}")).status_code == 405


async def test_only_a_beacons_key_is_read_from_the_query(door):
    answer = await door.client.post(f"/v1/track?writeKey={KEY}", content=json.dumps(TRACK).encode())
    assert answer.status_code == 401
    assert door.log() == []


async def test_a_fault_of_ours_is_logged_with_its_place_and_without_what_was_sent(database):
    class Broken(Appender):
        async def append(self, *args, **more):
            raise KeyError(sent)

    sent = "Ann Canary"
    door = Door(database, Broken(database))
    with capture_logs() as lines:
        answer = await door.post("track", TRACK)
    await door.client.aclose()
    assert answer.status_code == 503
    (line,) = [line for line in lines if line["event"] == "a call failed"]
    assert line["exception_type"] == "KeyError"
    assert "in append" in line["exception"]
    assert "Canary" not in repr(line)
