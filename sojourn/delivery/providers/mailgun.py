"""Mailgun (class B): raw MIME with our own Message-ID, by which its events can be searched; the key comes back as a variable.

From documentation.mailgun.com: "Send an email in MIME format" (1,000 recipients in one request), "Webhooks" ("Securing
webhooks", "Webhook payloads"), "Event types", "Event structure" (an id is unique within a day) and "Event polling" (events of
the last half hour may still be missing); help.mailgun.com "Webhooks" (tried again for eight hours). Its events are kept for
three days at least, and their API gives way to that of logs. A domain that may not send is a 403 (from its users' reports).
Not to be found: numbers for its rate limit, and whether a signature is made anew for each attempt: it is believed for a day.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Any

from sojourn.delivery.bounces import classify
from sojourn.delivery.bounces.status_codes import reason_of
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import KEY, Limits, Receipt, Sought, Together
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpProvider
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import Forged, Hook, Kind, Notice, Posted, as_key, digest, fresh, kind_of, mapping, same, unix, word

BASES = {"": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}
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


# How a 400 begins that is about us. No more is looked at: what follows may repeat a name that its owner chose.
_OURS = re.compile(r"domain \S+ is not allowed to send|'?from'? parameter", re.IGNORECASE)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class Mailgun(HttpProvider):
    """Delivers through Mailgun's API (v3)."""

    name = "mailgun"
    carries_amp = True  # the message goes out as MIME
    limits = Limits(batch=1000, together=Together.THE_BODY)
    index_lag = timedelta(minutes=30)

    def __init__(self, api_key: str, domain: str, base: str = BASES[""], total_seconds: float = TOTAL_SECONDS) -> None:
        self._domain = domain
        super().__init__(base, auth=("api", api_key), total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over as it was written; opens and links are tracked by us."""
        fields = {"to": message.to_address, f"v:{KEY}": message.key, "o:tracking": "no"}
        files = {"message": ("message.eml", to_bytes(message), "message/rfc822")}
        answer = await self.api.post(f"/v3/{self._domain}/messages.mime", data=fields, files=files)
        if not answer.ok:
            raise self.refusal(answer, sender=_OURS.match(str(answer.field("message"))) is not None)
        return Receipt((answer.text("id") or "").strip("<>") or None)

    async def look_up(self, sought: Sought) -> Receipt | None:
        """Search the events by our Message-ID, which Mailgun keeps."""
        message_id = sought.message_id.strip("<>")
        asked = {"message-id": message_id, "recipient": sought.to_address, "limit": 1}
        answer = await self.api.look("GET", f"/v3/{self._domain}/events", params=asked)
        return Receipt(message_id) if self.list_of(answer, "items") else None


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
        fresh(at, now)
        heard = event.get("event") == "failed" or kind_of(KINDS, event.get("event")) is not None
        return [_notice(event, token)] if heard else []


def _notice(event: dict[str, Any], token: str) -> Notice:
    failed = event["event"] == "failed"
    # "old": it has tried for as long as it does; the last attempt at a domain without a mail server is called temporary all the same.
    permanent = event.get("severity") == "permanent" or event.get("reason") == "old"
    kind = KINDS[event["event"]] if not failed else Kind.BOUNCED if permanent else Kind.DEFERRED
    status, client = mapping(event.get("delivery-status")), mapping(event.get("client-info"))
    refused_here = failed and str(event.get("reason", "")).startswith("suppress-")
    # Without an enhanced-code of its own the server's words may begin with one: a plain 550 would say "no such mailbox" for it.
    enhanced = _ENHANCED.match(str(status.get("message") or ""))
    code = status.get("enhanced-code") or (enhanced[0] if enhanced else status.get("code"))
    words = str(status.get("message") or status.get("description") or "")
    client_type = str(client.get("client-type") or "")
    return Notice(
        id=f"{event['id']} {event.get('timestamp')}" if event.get("id") else digest(event),
        token=token,
        kind=Kind.DROPPED if refused_here else kind,
        at=unix(event.get("timestamp")),
        send_key=as_key(mapping(event.get("user-variables")).get(KEY)),
        message_id=str(mapping(mapping(event.get("message")).get("headers")).get("message-id") or "") or None,
        hard=kind is Kind.BOUNCED and not refused_here and _of_the_address(code, words),
        robot=f"Mailgun says: {word(client_type)}" if client.get("bot") or (client_type and client_type not in PEOPLES) else None,
        agent=str(client.get("user-agent") or ""),
        url=str(event.get("url") or "") or None,
        code=word(event.get("reason")) if refused_here else word(code),
    )


def _of_the_address(code: Any, words: str) -> bool:
    """Tell whether a permanent failure is the address's: by the words as mails are, without any by the code; 605 is its own list."""
    text = str(code or "")
    if words and text != "605":
        return classify(text, f"{text} {words}")[0].hard
    return (text.startswith("5.1.") and reason_of(text).hard) or text in ("5.2.1", "550", "551", "553", "605")


def _make(given: Given) -> Mailgun:
    return Mailgun(given.api_key, given.option("domain"), BASES.get(given.option("region"), BASES[""]))


def _hook(given: Given) -> Hook:
    return MailgunHook(given.webhook_key)


PLUG = Plug(_make, _hook)
