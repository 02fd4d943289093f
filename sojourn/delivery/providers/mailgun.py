"""Mailgun (class B): raw MIME with our own Message-ID, by which its events can be searched; the key comes back as a variable.

https://documentation.mailgun.com: messages.mime, events, webhooks ("Securing webhooks")
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import Klass, Limits, Receipt, Sought
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpApi, refusal
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import (
    RETRIED,
    Forged,
    Hook,
    Kind,
    Notice,
    Posted,
    as_key,
    digest,
    fresh,
    kind_of,
    mapping,
    same,
    unix,
    word,
)
from sojourn.errors import ProviderBusy

BASES = {"": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
KEY = "send_key"
KINDS = {
    "accepted": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "rejected": Kind.DROPPED,
    "opened": Kind.OPENED,
    "clicked": Kind.CLICKED,
    "complained": Kind.COMPLAINED,
    "unsubscribed": Kind.UNSUBSCRIBED,
}
PEOPLES = ("browser", "email client", "mobile browser")  # client types; the others are robots, libraries and unknowns


class Mailgun:
    """Delivers through Mailgun's API (v3)."""

    name = "mailgun"
    klass = Klass.EVIDENTIAL
    carries_amp = True  # the message goes out as MIME
    key_window = timedelta(0)
    limits = Limits(batch=1000)
    index_lag = timedelta(minutes=30)  # "events younger than half an hour may still be missing"

    def __init__(self, api_key: str, domain: str, base: str = BASES[""], total_seconds: float = TOTAL_SECONDS) -> None:
        self._domain = domain
        self.api = HttpApi(self.name, base, auth=("api", api_key), total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over as it was written; opens and links are tracked by us."""
        fields = {"to": message.to_address, f"v:{KEY}": message.key, "o:tracking": "no"}
        files = {"message": ("message.eml", to_bytes(message), "message/rfc822")}
        answer = await self.api.post(f"/v3/{self._domain}/messages.mime", data=fields, files=files)
        if not answer.ok:
            raise refusal(self.name, answer)
        return Receipt((answer.text("id") or "").strip("<>") or None)

    async def look_up(self, sought: Sought) -> Receipt | None:
        """Search the events by our Message-ID, which Mailgun keeps."""
        message_id = sought.message_id.strip("<>")
        asked = {"message-id": message_id, "recipient": sought.to_address, "limit": 1}
        answer = await self.api.look("GET", f"/v3/{self._domain}/events", params=asked)
        found = answer.field("items")
        if not isinstance(found, list):
            raise ProviderBusy("mailgun gave an answer without items")
        return Receipt(message_id) if found else None


class MailgunHook:
    """Reads signed events: HMAC-SHA256 over time stamp and token, which stand in the body.

    The signature covers no event: whoever has seen one post could put its signature before another body. So
    a token is good for one event only.

    Args:
        key: the HTTP webhook signing key.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells; there is one event in each."""
        body = mapping(posted.json())
        signed, event = mapping(body.get("signature")), mapping(body.get("event-data"))
        stamp, token = str(signed.get("timestamp", "")), str(signed.get("token", ""))
        wanted = hmac.new(self._key, f"{stamp}{token}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
        at = unix(stamp)
        if not token or at is None or not same(str(signed.get("signature", "")), wanted):
            raise Forged("a wrong signature")
        fresh(at, now, RETRIED)
        heard = event.get("event") == "failed" or kind_of(KINDS, event.get("event")) is not None
        return [_notice(event, token)] if heard else []


def _notice(event: dict[str, Any], token: str) -> Notice:
    failed, permanent = event["event"] == "failed", event.get("severity") == "permanent"
    kind = KINDS[event["event"]] if not failed else Kind.BOUNCED if permanent else Kind.DEFERRED
    status, client = mapping(event.get("delivery-status")), mapping(event.get("client-info"))
    refused_here = failed and str(event.get("reason", "")).startswith("suppress-")
    code = status.get("enhanced-code") or status.get("code")
    client_type = str(client.get("client-type") or "")
    return Notice(
        id=str(event.get("id") or digest(event)),
        token=token,
        kind=Kind.DROPPED if refused_here else kind,
        at=unix(event.get("timestamp")),
        send_key=as_key(mapping(event.get("user-variables")).get(KEY)),
        message_id=str(mapping(mapping(event.get("message")).get("headers")).get("message-id") or "") or None,
        hard=kind is Kind.BOUNCED and not refused_here and _of_the_address(code),
        robot=f"Mailgun says: {word(client_type)}" if client.get("bot") or (client_type and client_type not in PEOPLES) else None,
        agent=str(client.get("user-agent") or ""),
        url=str(event.get("url") or "") or None,
        code=word(event.get("reason")) if refused_here else word(code),
    )


def _of_the_address(code: Any) -> bool:
    """Tell whether a permanent failure is the address's: 5.1.x, 5.2.1 and plain 550, 551, 553; 605 is Mailgun's own list."""
    text = str(code or "")
    return text.startswith("5.1.") or text in ("5.2.1", "550", "551", "553", "605")


def _make(given: Given) -> Mailgun:
    return Mailgun(given.api_key, given.option("domain"), BASES.get(given.option("region"), BASES[""]))


def _hook(given: Given) -> Hook:
    return MailgunHook(given.webhook_key)


PLUG = Plug(_make, _hook)
