"""P11: what providers post is authentic and counts once; P14: their robots move nothing."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from delivery_world import ANN, NOON, DeliveryWorld, make_world
from httpx import ASGITransport, AsyncClient
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from laws import law
from signed_posts import (
    CLICK,
    DEFERRED,
    DELIVERED,
    HARD,
    OPEN,
    PUBLIC,
    SIGNED_OVER_THE_BODY,
    SIGNED_WITH_A_TIME,
    SIGNERS,
    SOFT,
    SPAM,
    TOPIC,
    UNSUBSCRIBE,
    Fetched,
    long_ago,
    ses_event,
    sns_signed,
)
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.clock import VirtualClock
from sojourn.customers import suppression
from sojourn.delivery import ledger, sending, settling
from sojourn.delivery.engagement import Engagement
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, Unclear
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.providers.ses import SesHook
from sojourn.delivery.webhooks import Forged, Posted
from sojourn.delivery.webhooks.door import MAX_BODY_BYTES, WebhookDoor
from sojourn.delivery.webhooks.sns import Sns
from sojourn.metrics import metrics
from sojourn.store.tables import consents, engagements, notices

SECRET = "the secret of the shop, which is long enough"
EVENTS = {
    DELIVERED: ("Email Delivered", {}),
    HARD: ("Email Bounced", {"bounce": "hard"}),
    SOFT: ("Email Bounced", {"bounce": "soft"}),
    SPAM: ("Email Marked as Spam", {}),
    UNSUBSCRIBE: ("Unsubscribed", {}),
}
CASES = [(name, what) for name in SIGNERS for what in EVENTS if (name, what) != ("resend", UNSUBSCRIBE)]


class Named(Memory):
    """Memory under a provider's name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


class Town:
    """A send that a provider has, and the door that the provider posts to."""

    def __init__(self, world: DeliveryWorld, name: str) -> None:
        self.world, self.name, self.signer = world, name, SIGNERS[name]
        self.emitted: dict[str, Engagement] = {}
        world.plan()
        world.db.write_now(sending.claim, world.key, NOON, world.rules, Named(name))
        self.now = NOON + timedelta(minutes=10)
        hooks, clock = {name: self.signer.hook()}, VirtualClock(self.now)
        self.door = WebhookDoor(world.db, hooks, clock, self._emit, secret=SECRET, public_url=PUBLIC, real=lambda: self.now)
        self.app = Starlette(routes=self.door.routes())

    def _emit(self, _conn, event: Engagement) -> None:
        self.emitted.setdefault(event.message_id, event)

    def accept(self) -> None:
        self.world.db.write_now(sending.settle, self.world.key, Accepted("id"), NOON, 1)

    def post(self, what: str, number: int = 1, at=None) -> Posted:
        return self.signer.post(self.name, what, self.world.key, at or self.now - timedelta(minutes=1), number)

    async def take(self, posted: Posted, name: str | None = None, method: str = "POST") -> int:
        async with AsyncClient(transport=ASGITransport(self.app), base_url="http://test") as web:
            answer = await web.request(method, f"/v1/webhooks/{name or self.name}", content=posted.body, headers=posted.headers)
        return answer.status_code

    def events(self) -> list[tuple[str, str | None]]:
        return [(event.name, event.properties.get("bounce")) for event in self.emitted.values()]

    def state(self) -> State:
        return self.world.db.write_now(ledger.load, self.world.key).state

    def told(self) -> list[str]:
        query = select(notices.c.kind).where(notices.c.kind != "token").order_by(notices.c.id)
        return list(self.world.db.read_now(lambda conn: conn.execute(query).scalars().all()))

    def because(self) -> list[str | None]:
        return list(self.world.db.read_now(lambda conn: conn.execute(select(engagements.c.machine)).scalars().all()))


@pytest.fixture(params=list(SIGNERS))
def town(request: pytest.FixtureRequest, world: DeliveryWorld) -> Town:
    return Town(world, request.param)


@pytest.mark.parametrize(("name", "what"), CASES)
async def test_what_a_provider_tells_becomes_the_event_that_segment_names(world: DeliveryWorld, name: str, what: str) -> None:
    town = Town(world, name)
    town.accept()
    assert await town.take(town.post(what)) == 200
    event, more = EVENTS[what]
    (found,) = town.emitted.values()
    assert found.name == event
    assert found.properties.items() >= {"send_key": world.key, **more}.items()
    assert (found.user_id, found.time) == ("u-ann", town.now - timedelta(minutes=1))
    assert "ann@example.com" not in json.dumps(dict(found.properties))
    reason = {HARD: "hard_bounce", SPAM: "complaint", UNSUBSCRIBE: "unsubscribed"}.get(what)
    assert world.db.read_now(suppression.suppressed, SECRET, "ann@example.com") == reason


async def test_forty_six_copies_change_what_one_does(town: Town) -> None:
    posted = town.post(HARD)
    for _ in range(46):
        assert await town.take(posted) == 200
    assert town.events() == [("Email Bounced", "hard")]
    assert town.told() == ["bounced"]
    assert town.state() is State.ACCEPTED


async def test_forged_posts_are_401_and_change_nothing(town: Town) -> None:
    posted = town.post(HARD)
    forged = [Posted(posted.url, {}, posted.body)] if posted.headers else []
    if town.name in SIGNED_OVER_THE_BODY:
        forged += [Posted(posted.url, posted.headers, _flipped(posted.body, at)) for at in range(0, len(posted.body), 17)]
    for header, value in posted.headers.items():
        for at in (0, -3):
            other = {**posted.headers, header: _flipped(value.encode(), at).decode("latin-1")}
            forged.append(Posted(posted.url, other, posted.body))
    if town.name == "mailgun":
        said = json.loads(posted.body)
        for field, value in said["signature"].items():
            other = {**said, "signature": {**said["signature"], field: value[:-1] + ("0" if value[-1] != "0" else "1")}}
            forged.append(Posted(posted.url, {}, json.dumps(other).encode()))
        forged += [Posted(posted.url, {}, b"{}"), Posted(posted.url, {}, b'{"signature": 1}')]
    assert len(forged) >= 1
    before = metrics().webhooks_refused.labels(town.name, "forged")._value.get()
    statuses = [await town.take(each) for each in forged]
    assert set(statuses) <= {400, 401, 503}
    assert statuses.count(401) >= len(statuses) // 2
    assert metrics().webhooks_refused.labels(town.name, "forged")._value.get() - before == statuses.count(401)
    assert (town.told(), town.events(), town.state()) == ([], [], State.CLAIMED)


def _flipped(text: bytes, at: int) -> bytes:
    changed = bytearray(text)
    changed[at] = ord("A") if changed[at] != ord("A") else ord("B")
    return bytes(changed)


@pytest.mark.parametrize("name", SIGNED_WITH_A_TIME)
async def test_a_stale_post_is_401_and_changes_nothing_and_so_is_one_from_the_future(world: DeliveryWorld, name: str) -> None:
    town = Town(world, name)
    for at in (long_ago(town.now), town.now + timedelta(hours=1)):
        assert await town.take(town.post(HARD, at=at)) == 401
    assert (town.told(), town.events()) == ([], [])


async def test_another_event_under_a_signature_that_was_used_is_nothing(world: DeliveryWorld) -> None:
    town = Town(world, "mailgun")
    first = town.post(DELIVERED)
    assert await town.take(first) == 200
    swapped = {**json.loads(town.post(HARD).body), "signature": json.loads(first.body)["signature"]}
    assert await town.take(Posted(first.url, {}, json.dumps(swapped).encode())) == 200
    assert town.told() == ["delivered"]
    assert world.db.read_now(suppression.suppressed, SECRET, "ann@example.com") is None


async def test_any_order_leads_to_the_same(town: Town) -> None:
    whats = [DELIVERED, DEFERRED, HARD, SPAM, OPEN]
    posts = [town.post(what) for what in whats] * 3
    random.Random(7).shuffle(posts)
    for posted in posts:
        assert await town.take(posted) == 200
    assert sorted(town.told()) == sorted(["delivered", "deferred", "bounced", "complained", "opened"])
    assert sorted(name for name, _ in town.events()) == ["Email Bounced", "Email Delivered", "Email Marked as Spam"]
    assert town.state() is State.ACCEPTED
    assert world_reason(town) in ("hard_bounce", "complaint")


def world_reason(town: Town) -> str | None:
    return town.world.db.read_now(suppression.suppressed, SECRET, "ann@example.com")


@pytest.mark.parametrize("before", [State.CLAIMED, State.UNKNOWN, State.ABANDONED])
async def test_what_is_told_of_a_message_proves_that_it_was_accepted(town: Town, before: State) -> None:
    if before is not State.CLAIMED:
        town.world.db.write_now(sending.settle, town.world.key, Unclear("lost"), NOON, 1)
    if before is State.ABANDONED:
        town.world.db.write_now(sending.abandon, NOON + timedelta(hours=2))
    late = metrics().late_evidence.labels(town.name)._value.get()
    assert await town.take(town.post(DEFERRED)) == 200
    assert town.state() is State.ACCEPTED
    assert metrics().late_evidence.labels(town.name)._value.get() - late == (before is State.ABANDONED)
    assert town.events() == []  # a delay is kept as a fact, and is no event


@pytest.mark.parametrize("what", [OPEN, CLICK])
async def test_a_persons_open_or_click_is_told_when_it_has_settled_and_a_robots_is_marked(town: Town, what: str) -> None:
    town.accept()
    assert await town.take(town.post(what)) == 200
    assert await town.take(town.post("robot", number=2)) == 200
    reasons = town.because()
    assert len(reasons) == 2
    assert reasons.count(None) == 1
    town.world.db.write_now(settling.tell, town.now + timedelta(minutes=1), town._emit)
    by_robot = [event.properties.get("machine") for event in town.emitted.values()]
    assert sorted(by_robot, key=str) == [None, True]
    if what == CLICK:
        (clicked,) = [event for event in town.emitted.values() if event.name == "Email Link Clicked"]
        assert clicked.properties["link_url"] == "https://shop.example/help"


async def test_an_open_within_two_seconds_of_acceptance_is_a_robots_also_where_it_is_the_first_we_hear(town: Town) -> None:
    assert await town.take(town.post(OPEN, at=NOON + timedelta(seconds=1))) in (200, 401)
    assert all(why is not None for why in town.because())


async def test_what_is_told_of_a_message_that_another_was_given_changes_nothing(town: Town, world: DeliveryWorld) -> None:
    other = world.plan(world.another("9")).key
    world.db.write_now(sending.claim, other, NOON, world.rules, Named("someone else"))
    stranger = town.signer.post(town.name, HARD, other, town.now)
    nobody = town.signer.post(town.name, HARD, "93b4cb67-d9ae-5771-ac4e-52cf272f971e", town.now)
    assert [await town.take(stranger), await town.take(nobody)] == [200, 200]
    assert (town.told(), town.events()) == ([], [])


async def test_a_body_that_is_too_large_is_not_read_to_its_end(town: Town) -> None:
    assert await town.take(Posted("", {}, b"x" * (MAX_BODY_BYTES + 1))) == 413


async def test_a_webhook_of_nobody_is_not_there_and_looking_is_allowed(town: Town) -> None:
    assert await town.take(town.post(HARD), name="pigeon") == 404
    assert await town.take(Posted("", {}, b""), method="HEAD") == 200
    assert await town.take(Posted("", {}, b""), name="pigeon", method="HEAD") == 404
    assert town.told() == []


async def test_a_provider_that_tells_its_key_only_once_someone_is_there_finds_someone_before_the_key_is_set(world: DeliveryWorld) -> None:
    town = Town(world, "sendgrid")  # Mailchimp's key is not set
    assert await town.take(Posted("", {}, b""), name="mailchimp", method="HEAD") == 200
    assert await town.take(SIGNERS["mailchimp"].post("mailchimp", HARD, world.key, town.now), name="mailchimp") == 404


async def test_an_unsubscribe_at_the_provider_withdraws_the_consent(world: DeliveryWorld) -> None:
    town = Town(world, "sendgrid")
    town.accept()
    assert await town.take(town.post(UNSUBSCRIBE)) == 200
    granted = world.db.read_now(lambda conn: conn.execute(select(consents.c.granted).where(consents.c.profile_id == ANN)).scalars().all())
    assert False in granted


NUMBERS = st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False)
ODD = st.none() | st.booleans() | NUMBERS | st.text(max_size=400)
ODD_JSON = ODD | st.lists(ODD, max_size=3) | st.dictionaries(st.text(max_size=5), ODD | st.lists(ODD, max_size=2), max_size=3)


def _spoiled(value: object, draw: st.DataObject) -> object:
    """Return an event in which some value is something else than the documentation says."""
    if isinstance(value, dict) and value:
        name = draw.draw(st.sampled_from(sorted(value)))
        return {**value, name: _spoiled(value[name], draw) if draw.draw(st.booleans()) else draw.draw(ODD_JSON)}
    if isinstance(value, list) and value:
        return [_spoiled(value[0], draw), *value[1:]]
    return draw.draw(ODD_JSON)


def _resigned(name: str, said: object, key: str, at: datetime) -> Posted:
    """Return a body as its provider would sign it."""
    signer = SIGNERS[name]
    if name == "ses":
        moment = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        whole = {"Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": json.dumps(said), "Timestamp": moment}
        return Posted("", {}, sns_signed(whole))
    if name == "mailgun":
        whole = {**json.loads(signer.post(name, DELIVERED, key, at).body), "event-data": said}
        return Posted("", {}, json.dumps(whole).encode())
    body = json.dumps(said).encode() if name != "mailchimp" else urlencode({"mandrill_events": json.dumps(said)}).encode()
    return Posted("", signer.sign(body, at), body)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SIGNERS))
@law(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data())
def test_whatever_a_provider_signs_is_taken_or_refused_and_never_stuck(name: str, draw: st.DataObject) -> None:
    town = Town(make_world(), name)
    what = draw.draw(st.sampled_from([DELIVERED, HARD, OPEN, CLICK, SPAM]))
    at = town.now - timedelta(minutes=1)
    body = town.post(what).body
    if name == "ses":
        event: object = ses_event(what, town.world.key, at)
    elif name == "mailgun":
        event = json.loads(body)["event-data"]
    else:
        event = json.loads(dict(parse_qsl(body.decode()))["mandrill_events"] if name == "mailchimp" else body)
    posted = _resigned(name, _spoiled(event, draw), town.world.key, at)
    assert asyncio.run(town.take(posted)) in (200, 400)  # and not 503, which would have it sent again and again
    town.world.db.close_now()


async def test_one_good_signature_among_several_is_enough(world: DeliveryWorld) -> None:
    town = Town(world, "resend")
    posted = town.post(HARD)
    rotated = {**posted.headers, "svix-signature": f"v1a,xyz v1,AAAA {posted.headers['svix-signature']}"}
    assert await town.take(Posted(posted.url, rotated, posted.body)) == 200
    assert town.told() == ["bounced"]


# -- SNS ---------------------------------------------------------------------------------------


def subscription(**changes: str) -> bytes:
    said = {
        "Type": "SubscriptionConfirmation", "MessageId": "m", "Token": "t", "TopicArn": TOPIC, "Message": "You have chosen to subscribe",
        "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t", "Timestamp": "2026-03-02T12:00:00.000Z",
    }  # fmt: skip
    return sns_signed({**said, **changes})


EVIL_URLS = [
    "http://sns.eu-west-1.amazonaws.com/x.pem",
    "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem",
    "https://evil.example/sns.eu-west-1.amazonaws.com/x.pem",
    "https://sns.eu-west-1.amazonaws.com@evil.example/x.pem",
    "https://user:p@sns.eu-west-1.amazonaws.com/x.pem",
    "https://sns.eu-west-1.amazonaws.com:8443/x.pem",
    "https://evil.example\\@sns.eu-west-1.amazonaws.com/x.pem",
    "https://s3.eu-west-1.amazonaws.com/evil/x.pem",
    "https://169.254.169.254/latest/meta-data/x.pem",
    "file:///etc/passwd.pem",
    "",
]


async def test_a_subscription_to_the_named_topic_is_confirmed_and_no_other() -> None:
    fetched = Fetched()
    hook = SesHook(Sns(frozenset({TOPIC}), fetched))
    assert await hook.read(Posted("", {}, subscription()), NOON) == []
    assert fetched.urls[-1].endswith("Action=ConfirmSubscription&Token=t")
    asked = len(fetched.urls)
    with pytest.raises(Forged):
        await hook.read(Posted("", {}, subscription(TopicArn="arn:aws:sns:eu-west-1:999999999999:evil")), NOON)
    assert len(fetched.urls) == asked


@pytest.mark.parametrize("url", EVIL_URLS)
async def test_no_address_but_amazons_is_ever_asked(url: str) -> None:
    fetched = Fetched()
    hook = SesHook(Sns(frozenset({TOPIC}), fetched))
    with pytest.raises(Forged):
        await hook.read(Posted("", {}, subscription(SubscribeURL=url)), NOON)
    body = json.loads(subscription())
    with pytest.raises(Forged):
        await hook.read(Posted("", {}, json.dumps({**body, "SigningCertURL": url}).encode()), NOON)
    assert set(fetched.urls) <= {"https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"}


@pytest.mark.parametrize(
    ("about", "kind"),
    [
        ("bounceSubType", "OnAccountSuppressionList"), ("bounceSubType", "Suppressed"), ("bounceSubType", "OnTenantSuppressionList"),
        ("bounceSubType", "EmailValidationSuppressed"), ("bounceSubType", "UnsubscribedRecipient"), ("complaintSubType", ""),
    ],
)  # fmt: skip
async def test_a_message_on_amazons_own_list_is_dropped_and_says_nothing_new_of_the_address(
    world: DeliveryWorld, about: str, kind: str
) -> None:
    town = Town(world, "ses")
    event = ses_event(HARD if kind else SPAM, world.key, town.now)
    event["bounce" if kind else "complaint"][about] = kind or "OnAccountSuppressionList"
    said = {
        "Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": json.dumps(event), "Timestamp": "2026-03-02T12:10:00.000Z"
    }  # fmt: skip
    assert await town.take(Posted("", {}, sns_signed(said))) == 200
    assert town.events() == [("Email Bounced", "dropped")]
    assert world_reason(town) is None
