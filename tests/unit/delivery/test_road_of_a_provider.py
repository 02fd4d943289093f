"""One provider end to end: delivery.yaml, the claim's choice, the API, its webhook, and what is written down."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

from delivery_world import NOON, DeliveryWorld
from fake_api import Asked, FakeApi, serving
from httpx import ASGITransport, AsyncClient
from sqlalchemy import select
from starlette.applications import Starlette

from sojourn.clock import VirtualClock
from sojourn.customers import suppression
from sojourn.delivery import ledger, sending
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted
from sojourn.delivery.providers.plug import Given
from sojourn.delivery.providers.postmark import Postmark, PostmarkHook
from sojourn.delivery.routing import Carriers
from sojourn.delivery.webhooks.door import WebhookDoor
from sojourn.language.loader import load_delivery
from sojourn.store.tables import notices

SECRET = "a secret of the unit tests, long"
POSTMARK_ID = "b7bc2f4a-e38e-4336-af7d-e6c392c2f817"


def postmark(api: FakeApi, asked: Asked) -> tuple[int, object]:
    api.accepted.append(asked.json)
    return 200, {"To": "ann@example.com", "SubmittedAt": "2026-03-02T12:00:00Z", "MessageID": POSTMARK_ID, "ErrorCode": 0, "Message": "OK"}


def bounce(key: str) -> dict[str, object]:
    """As https://postmarkapp.com/developer/webhooks/bounce-webhook shows it."""
    return {
        "RecordType": "Bounce", "ID": 4323372036854775807, "Type": "HardBounce", "TypeCode": 1, "Name": "Hard bounce",
        "Tag": "", "MessageID": POSTMARK_ID, "Metadata": {"send_key": key}, "ServerID": 23, "MessageStream": "broadcast",
        "Description": "The server was unable to deliver your message", "Details": "smtp;550 5.1.1 unknown", "Email": "ann@example.com",
        "From": "hello@shop.example", "BouncedAt": "2026-03-02T12:00:05Z", "Inactive": True, "CanActivate": True, "Subject": "s",
    }  # fmt: skip


async def test_from_delivery_yaml_to_a_bounce_that_suppresses(world: DeliveryWorld) -> None:
    settings = load_delivery("providers:\n  - provider: postmark\n    stream: news\n    rate: 100/s\n")
    emitted = []
    async with serving(postmark) as api:
        carriers = Carriers.of(settings, {"postmark": Postmark("token", "news", api.url)})
        world.plan()
        outcome = await sending.deliver(world.db, carriers, world.key, VirtualClock(NOON), world.rules)
        assert outcome == Accepted(POSTMARK_ID)
    (sent,) = api.accepted
    assert api.asked[0].headers["x-postmark-server-token"] == "token"
    assert (sent["From"], sent["To"]) == ('"The Shop" <hello@shop.example>', '"Ann" <ann@example.com>')
    assert (sent["Metadata"], sent["MessageStream"], sent["TrackLinks"]) == ({"send_key": world.key}, "news", "None")
    headers = {each["Name"]: each["Value"] for each in sent["Headers"]}
    assert headers["Message-ID"] == f"<{world.key}@shop.example>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    row = world.db.write_now(ledger.load, world.key)
    assert (row.state, row.provider, row.provider_message_id) == (State.ACCEPTED, "postmark", POSTMARK_ID)

    door = WebhookDoor(
        world.db, {"postmark": PostmarkHook("a password of many letters")}, VirtualClock(NOON + timedelta(minutes=1)),
        lambda _conn, event: emitted.append(event), secret=SECRET, public_url="https://mail.example", real=lambda: NOON,
    )  # fmt: skip
    body = json.dumps(bounce(world.key))
    async with AsyncClient(transport=ASGITransport(Starlette(routes=door.routes())), base_url="http://test") as web:
        wrong = await web.post("/v1/webhooks/postmark", content=body, auth=("sojourn", "another password"))
        assert (wrong.status_code, emitted) == (401, [])
        for _ in range(46):
            right = await web.post("/v1/webhooks/postmark", content=body, auth=("sojourn", "a password of many letters"))
            assert right.status_code == 200
    assert [(event.name, event.properties["bounce"]) for event in emitted] == [("Email Bounced", "hard")]
    assert world.db.read_now(suppression.suppressed, SECRET, "ann@example.com") == "hard_bounce"
    assert [row.kind for row in world.db.read_now(lambda conn: conn.execute(select(notices)).all())] == ["bounced"]


def test_a_secret_shows_in_no_text_of_what_is_given() -> None:
    given = Given("postmark", {"postmark_api_key": "hunter22hunter22"})
    assert "hunter22" not in repr(given)
    assert base64.b64encode(b"hunter22").decode() not in repr(given)
