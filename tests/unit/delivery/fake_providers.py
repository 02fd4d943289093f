"""Each provider's API as its documentation says it behaves: what it takes, how it answers, what its look-up finds."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.parser import BytesParser
from typing import Any

from fake_api import Answerer, Asked, FakeApi

from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import Klass, Receipt
from sojourn.delivery.providers.brevo import Brevo
from sojourn.delivery.providers.http import HttpApi, refusal
from sojourn.delivery.providers.mailchimp import Mailchimp
from sojourn.delivery.providers.mailgun import Mailgun
from sojourn.delivery.providers.postmark import Postmark
from sojourn.delivery.providers.resend import Resend
from sojourn.delivery.providers.sendgrid import SearchedSendGrid, SendGrid
from sojourn.delivery.providers.ses import Ses

PATIENT, IMPATIENT = 10.0, 1.2  # seconds; the second where a server is to hang, and above what a busy machine needs to reach it
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def resend(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    key = asked.headers["idempotency-key"]
    if key not in api.accepted:
        api.accepted.append(key)
    return 200, {"id": f"re-{key}"}


def brevo(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    key = asked.json["headers"]["idempotencyKey"]
    if key in api.accepted:
        return 400, {"code": "duplicate_parameter", "message": "idempotencyKey was used before"}
    api.accepted.append(key)
    return 201, {"messageId": f"<br-{key}@smtp-relay.mailin.fr>"}


def postmark(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    if asked.method == "GET":
        found = [key for key in api.accepted if key == asked.query["metadata_send_key"]]
        return 200, {"TotalCount": len(found), "Messages": [{"MessageID": f"pm-{key}"} for key in found]}
    key = asked.json["Metadata"]["send_key"]
    api.accepted.append(key)
    return 200, {"ErrorCode": 0, "Message": "OK", "MessageID": f"pm-{key}"}


def sendgrid(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    if asked.method == "GET":
        (sought,) = UUID.findall(asked.query["query"])
        return 200, {"messages": [{"msg_id": f"sg-{key}.filter1", "status": "delivered"} for key in api.accepted if key == sought]}
    api.accepted.append(asked.json["personalizations"][0]["custom_args"]["send_key"])
    return 202, None


def form(asked: Asked) -> dict[str, bytes]:
    """Return the fields of a multipart form."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + asked.body, policy=policy.HTTP).iter_parts()
    return {part.get_param("name", header="content-disposition"): _content(part) for part in parts}


def _content(part: Any) -> bytes:
    if part.get_content_type() == "message/rfc822":
        return part.get_content().as_bytes(policy=policy.SMTP)
    return part.get_payload(decode=True)


def mailgun(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    if asked.method == "GET":
        return 200, {"items": [{"event": "accepted"} for key in api.accepted if asked.query["message-id"].startswith(key)]}
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"api:key").decode()
    fields = form(asked)
    key = fields["v:send_key"].decode()
    read = BytesParser(policy=policy.default).parsebytes(fields["message"])
    assert read["Message-ID"] == f"<{key}@shop.example>"
    api.accepted.append(key)
    return 200, {"id": f"<{key}@shop.example>", "message": "Queued. Thank you."}


def mailchimp(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    if asked.path.endswith("/metadata/list.json"):
        return 200, [{"name": "send_key", "state": "active", "view_template": ""}]
    if asked.path.endswith("/messages/search.json"):
        return 200, [{"_id": f"mc-{key}"} for key in api.accepted if asked.json["query"] == f"u_send_key:{key}"]
    (key,) = re.findall(r'^X-MC-Metadata: \{"send_key":"([0-9a-f-]{36})"\}\r$', asked.json["raw_message"], re.M)
    api.accepted.append(key)
    return 200, [{"email": "ann@example.com", "status": "queued", "reject_reason": None, "_id": f"mc-{key}"}]


def ses(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    assert asked.path == "/v2/email/outbound-emails"
    (tag,) = asked.json["EmailTags"]
    api.accepted.append(tag["Value"])
    return 200, {"MessageId": f"ses-{tag['Value']}"}


def blind(api: FakeApi, asked: Asked) -> tuple[int, Any]:
    api.accepted.append(asked.headers["x-key"])
    return 200, {}


class Blind:
    """A provider of class D: it takes a message, and nothing ever comes back."""

    name = "blind"
    klass = Klass.BLIND
    carries_amp = True
    key_window = timedelta(0)

    def __init__(self, url: str, seconds: float) -> None:
        self.api = HttpApi(self.name, url, total_seconds=seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over."""
        answer = await self.api.post("/", content=to_bytes(message), headers={"x-key": message.key})
        if not answer.ok:
            raise refusal(self.name, answer)
        return Receipt()


@dataclass(frozen=True)
class Fake:
    """A provider, and what stands for its servers."""

    answer: Answerer
    make: Callable[[str, float], Any]
    clears: bool = False  # whether its class, or a look-up, clears up a lost answer


FAKES = {
    "resend": Fake(resend, lambda url, seconds: Resend("key", url, seconds), clears=True),
    "brevo": Fake(brevo, lambda url, seconds: Brevo("key", url, seconds), clears=True),
    "postmark": Fake(postmark, lambda url, seconds: Postmark("key", "broadcast", url, seconds), clears=True),
    "mailgun": Fake(mailgun, lambda url, seconds: Mailgun("key", "mg.shop.example", url, seconds), clears=True),
    "mailchimp": Fake(mailchimp, lambda url, seconds: Mailchimp("key", "", url, seconds), clears=True),
    "searched": Fake(sendgrid, lambda url, seconds: SearchedSendGrid("key", url, seconds), clears=True),
    "sendgrid": Fake(sendgrid, lambda url, seconds: SendGrid("key", url, seconds)),
    "ses": Fake(
        ses,
        lambda url, seconds: Ses("eu-west-1", endpoint=url, step_seconds=seconds, aws_access_key_id="test", aws_secret_access_key="test"),
    ),
    "blind": Fake(blind, Blind),
}
