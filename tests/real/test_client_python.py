"""The real Python libraries of Segment and RudderStack, unchanged, against a real server."""

from datetime import UTC, datetime, timedelta

import pytest
import rudderstack.analytics.client as rudder
import segment.analytics.client as segment
from intake_server import WRITE_KEY, running_intake

pytestmark = pytest.mark.real


@pytest.fixture
def intake(tmp_path):
    with running_intake(tmp_path) as running:
        yield running


@pytest.mark.parametrize("library", [segment, rudder], ids=["segment", "rudderstack"])
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_identify_track_and_the_rest_arrive(intake, library, gzip):
    failed = []
    client = library.Client(WRITE_KEY, host=intake.url, gzip=gzip, on_error=lambda error, batch: failed.append(error))
    client.identify(
        "u1", {"email": "ann@example.com", "plan": "pro"}, anonymous_id="a1", context={"locale": "de-DE", "timezone": "Europe/Berlin"}
    )
    client.track("u1", "Product Added", {"price": 12.5, "quantity": 2})
    client.page("u1", "Docs", "Start", {"url": "https://shop.example/"})
    client.screen("u1", "App", "Home")
    client.group("u1", "g1", {"name": "Shop"})
    client.alias("a0", "u1")
    client.shutdown()
    assert failed == []
    log = intake.wait_for(6)
    assert [e.kind for e in log] == ["identify", "track", "page", "screen", "group", "alias"]
    identify, track, page, _, group, alias = log
    assert (identify.user_id, identify.anonymous_id, identify.traits) == ("u1", "a1", {"email": "ann@example.com", "plan": "pro"})
    assert identify.context["locale"] == "de-DE"
    assert identify.context["timezone"] == "Europe/Berlin"
    assert (track.name, track.properties) == ("Product Added", {"price": 12.5, "quantity": 2})
    assert (page.properties["category"], page.properties["name"]) == ("Docs", "Start")
    assert group.properties["group_id"] == "g1"
    assert (alias.previous_id, alias.user_id) == ("a0", "u1")
    assert all(abs(e.time - datetime.now(UTC)) < timedelta(minutes=1) for e in log)


@pytest.mark.parametrize("library", [segment, rudder], ids=["segment", "rudderstack"])
def test_an_event_of_the_past_keeps_its_time(intake, library):
    client = library.Client(WRITE_KEY, host=intake.url)
    then = datetime.now(UTC) - timedelta(days=40)
    client.track("u1", "Order Completed", {"revenue": 20}, timestamp=then)
    client.shutdown()
    assert abs(intake.wait_for(1)[0].time - then) < timedelta(minutes=1)


@pytest.mark.parametrize("library", [segment, rudder], ids=["segment", "rudderstack"])
def test_a_bad_event_does_not_cost_the_batch_its_good_ones(intake, library):
    failed = []
    client = library.Client(WRITE_KEY, host=intake.url, on_error=lambda error, batch: failed.append(error))
    for i in range(20):
        client.track("u1", "Product Viewed", {"n": i})
    client.track("u1", "x" * 300)
    client.track("u1", "Price Seen", {"price": 1e308 * 10})
    client.shutdown()
    assert failed == []
    log = intake.wait_for(20)
    assert {e.name for e in log} <= {"Product Viewed", "Price Seen"}
    assert "the event's name is longer than 200 characters" in intake.quarantined()


@pytest.mark.parametrize("library", [segment, rudder], ids=["segment", "rudderstack"])
def test_a_wrong_key_is_said_to_the_library(intake, library):
    failed = []
    client = library.Client("wrong_key_1234", host=intake.url, on_error=lambda error, batch: failed.append(str(error)), max_retries=0)
    client.track("u1", "Product Viewed")
    client.shutdown()
    assert len(failed) == 1
    assert "401" in failed[0] or "unauthorized" in failed[0]
    assert intake.log() == []
