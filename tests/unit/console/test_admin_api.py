from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, update

sys.path.insert(0, str(Path(__file__).parent))
from people import ALICE, BOB, OTHER, SEND, START, at, settle_in

from sojourn.clock import SystemClock, TimeScale, real_now
from sojourn.console.api import admin_app
from sojourn.customers.segments import due
from sojourn.delivery.brakes import release
from sojourn.language.model import Journey, Segment
from sojourn.store.database import Database
from sojourn.store.heartbeats import beat
from sojourn.store.tables import brakes, inbound, segment_builds, segment_members

TOKEN = "a-token-of-the-tests"
JOURNEY = Journey.model_validate(
    {"journey": "cart_abandonment", "description": "Remind once.", "enter": {"on": "Product Added"}, "steps": [{"end": "done"}]}
)
SEGMENTS = {
    name: Segment.model_validate({"segment": name, "description": "Some.", **who})
    for name, who in (("high_value", {"members": 'did("Order Completed")'}), ("invited", {"list": "upload", "source": "a fair"}))
}


class Served:
    def __init__(self, database: Database, clock: SystemClock) -> None:
        self.database = database
        self.temporal_answers = True

        async def temporal() -> bool:
            return self.temporal_answers

        self.app = admin_app(database, {"cart_abandonment": JOURNEY}, clock, TOKEN, temporal, SEGMENTS)

    async def get(self, path: str, token: str | None = TOKEN) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test", headers=headers) as client:
            return await client.get(path)


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    database = Database("sqlite://", durable=False)
    await database.create()
    await database.write(settle_in)
    yield Served(database, SystemClock(TimeScale(scale=60, real_origin=real_now(), shop_origin=START)))
    await database.close()


@pytest.mark.parametrize("reference", [ALICE, OTHER, "alice%2F1", "alice/1", "anon-1"])
async def test_a_person_is_found_by_every_id_they_ever_had(served: Served, reference: str) -> None:
    body = (await served.get(f"/api/profiles/{reference}")).json()
    assert body["id"] == ALICE
    assert body["merged"] == [OTHER]
    assert {found["value"] for found in body["identifiers"]} == {"alice/1", "anon-1"}
    assert [(consent["granted"], consent["wording"]) for consent in body["consents"]] == [(True, "v2")]
    assert body["segments"] == [{"segment": "high_value", "since": START.isoformat().replace("+00:00", "Z")}]


async def test_the_timeline_tells_a_merged_persons_whole_story_newest_first(served: Served) -> None:
    body = (await served.get("/api/profiles/alice%2F1/timeline")).json()
    assert [item["kind"] for item in body["items"]] == ["entry_ended", "event", "send", "refusal", "entry_started", "event"]
    assert body["next"] is None


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
async def test_pages_of_any_size_give_the_same_timeline(served: Served, limit: int) -> None:
    whole = (await served.get(f"/api/profiles/{ALICE}/timeline")).json()["items"]
    pieced, cursor = [], ""
    while True:
        page = (await served.get(f"/api/profiles/{ALICE}/timeline?limit={limit}{cursor}")).json()
        assert len(page["items"]) <= limit
        pieced += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert pieced == whole


async def test_entries_and_sends_are_those_of_the_person_asked_for(served: Served) -> None:
    assert [entry["id"] for entry in (await served.get("/api/entries?profile=anon-1&journey=cart_abandonment")).json()["items"]] == ["e1"]
    assert [found["key"] for found in (await served.get(f"/api/sends?profile={OTHER}&state=accepted")).json()["items"]] == [SEND]
    assert (await served.get(f"/api/entries?profile={BOB}")).json()["items"] == []
    assert (await served.get("/api/sends?profile=bob")).json()["items"] == []
    assert (await served.get("/api/entries?journey=other")).json()["items"] == []


async def test_a_send_explains_itself(served: Served) -> None:
    body = (await served.get(f"/api/sends/{SEND}")).json()
    assert [(v["check"], v["verdict"], v["because"]) for v in body["verdicts"]] == [("consent", "pass", "granted by form")]
    assert [step["to_state"] for step in body["transitions"]] == ["planned", "accepted"]
    assert body["message"]["subject"] == "Your [cart]"
    assert body["consent"]["wording"] == "v2"
    assert [decision["because"] for decision in body["decisions"]] == ["0.2"]
    assert [event["title"] for event in body["engagement"]] == ["Email Link Clicked"]
    assert body["entry"]["outcome"] == "browsed"


async def test_journeys_come_with_what_became_of_them(served: Served) -> None:
    (journey,) = (await served.get("/api/journeys")).json()
    assert (journey["running"], journey["outcomes"], journey["sends"]) == (0, {"browsed": 1}, {"accepted": 1})


@pytest.mark.parametrize(
    "path", ["/api/journeys", f"/api/profiles/{ALICE}", "/api/profiles/x/timeline", "/api/entries", "/api/sends", f"/api/sends/{SEND}"]
)
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1], "ü"])
async def test_nothing_is_told_without_the_token(served: Served, path: str, token: str | None) -> None:
    if token == "ü":
        async with httpx.AsyncClient(transport=httpx.ASGITransport(served.app), base_url="http://test") as client:
            answer = await client.get(path, headers={"Authorization": "Bearer ü".encode()})
    else:
        answer = await served.get(path, token)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "alice" not in answer.text


@pytest.mark.parametrize(
    "path", ["/api/profiles/nobody", "/api/profiles/nobody/timeline", "/api/sends/none", "/api/entries?profile=nobody", "/api/profiles/%00"]
)
async def test_an_unknown_id_is_a_404_with_a_sentence(served: Served, path: str) -> None:
    answer = await served.get(path)
    assert answer.status_code == 404
    assert len(answer.json()["detail"]) > 20


@pytest.mark.parametrize("cursor", ["x", "bm8", "W10", "WzEsMiwzXQ", "WzFlOTksMCwiYSJd", "WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAsMCwiYSJd"])
async def test_a_made_up_cursor_is_refused(served: Served, cursor: str) -> None:
    assert (await served.get(f"/api/entries?cursor={cursor}")).status_code == 400


async def test_health_tells_strangers_only_whether_all_is_well(served: Served) -> None:
    for role in ("router", "worker"):
        await served.database.write(beat, role, f"{role}:1", real_now())
    answer = await served.get("/api/health", token=None)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["time_scale"], answer.json()["parts"]) == ("ok", 60.0, None)
    parts = (await served.get("/api/health")).json()["parts"]
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(
        ("database", "routing", "outbox", "workflows", "delivery", "segments", "router", "worker", "temporal"), "ok"
    )


async def test_health_names_the_part_that_is_silent(served: Served) -> None:
    await served.database.write(beat, "router", "router:1", real_now())
    await served.database.write(beat, "worker", "worker:1", real_now() - timedelta(minutes=5))
    served.temporal_answers = False
    await served.database.write(
        lambda connection: connection.execute(
            insert(inbound).values(message_id="m9", kind="track", name="x", time=START, received_at=START - timedelta(hours=1), body={})
        )
    )
    body = (await served.get("/api/health")).json()
    assert body["status"] == "degraded"
    assert {name: part["state"] for name, part in body["parts"].items()} == {
        "database": "ok",
        "routing": "late",
        "outbox": "ok",
        "workflows": "ok",
        "delivery": "ok",
        "segments": "ok",
        "router": "ok",
        "worker": "down",
        "temporal": "down",
    }


async def test_health_says_how_far_segments_are_and_strangers_hear_nothing_of_it(served: Served) -> None:
    build = {"version": "v", "condition": "true", "total": 40, "started_at": START, "entered": 0, "exited": 0}
    rows = [{"segment": "one", "state": "building", "done": 10, **build}, {"segment": "two", "state": "live", "done": 40, **build}]
    await served.database.write(lambda connection: connection.execute(insert(segment_builds), rows))
    body = (await served.get("/api/health")).json()
    assert (body["building"], body["parts"]["segments"]["detail"]) == (1, "1 of 2 segments are being built, 25% of it done")
    assert (await served.get("/api/health", token=None)).json()["building"] == 0
    await served.database.write(lambda connection: connection.execute(update(segment_builds).values(state="live")))
    assert await segments_of(served) == "2 segments are live"
    await served.database.write(due.touch, [ALICE, BOB], START)
    assert await segments_of(served) == "2 segments are live, and 2 people are yet to be judged"
    assert (await served.get("/api/health")).json()["building"] == 0


async def segments_of(served: Served) -> str:
    return str((await served.get("/api/health")).json()["parts"]["segments"]["detail"])


async def test_health_is_a_503_when_no_event_can_be_taken(no_tables_url: str) -> None:
    database = Database(no_tables_url)
    answer = await Served(database, SystemClock()).get("/api/health")
    await database.close()
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"]["state"] == "down"


async def test_segments_are_listed_with_their_people_and_their_build(served: Served) -> None:
    high_value, invited = (await served.get("/api/segments")).json()
    assert (high_value["name"], high_value["condition"], high_value["members"]) == ("high_value", 'did("Order Completed")', 1)
    assert high_value["build"] is None
    assert (invited["list"], invited["source"], invited["members"]) == ("upload", "a fair", 0)


async def test_the_members_of_a_segment_come_by_the_page_latest_first(served: Served) -> None:
    await served.database.write(
        lambda connection: connection.execute(insert(segment_members).values(segment="high_value", profile_id=BOB, since=at(1)))
    )
    first = (await served.get("/api/segments/high_value/members?limit=1")).json()
    assert [(one["profile_id"], one["known_as"]) for one in first["items"]] == [(BOB, "bob")]
    second = (await served.get(f"/api/segments/high_value/members?limit=1&cursor={first['next']}")).json()
    assert [(one["profile_id"], one["known_as"]) for one in second["items"]] == [(ALICE, "alice/1")]
    assert second["next"] is None


async def test_a_segment_that_is_not_there_is_said_so_with_the_nearest_name(served: Served) -> None:
    answer = await served.get("/api/segments/high_valu/members")
    assert answer.status_code == 404
    assert "did you mean `high_value`?" in answer.json()["detail"]


async def test_brakes_are_listed_while_they_are_on_and_with_every_also_after(served: Served) -> None:
    assert (await served.get("/api/brakes", None)).status_code == 401
    row = {"journey": "cart_abandonment", "kind": "complaint", "level": "halt", "share": 0.004, "bad": 4, "sent": 1000, "because": "much"}
    await served.database.write(lambda conn: conn.execute(insert(brakes).values(id="b1", at=START, **row)))
    (shown,) = (await served.get("/api/brakes")).json()
    assert {key: shown[key] for key in row} == row
    await served.database.write(release, "cart_abandonment", "cleaned", START)
    assert (await served.get("/api/brakes")).json() == []
    assert [one["released_because"] for one in (await served.get("/api/brakes?every=true")).json()] == ["cleaned"]
