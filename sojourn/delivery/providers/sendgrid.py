"""SendGrid (class B): the send key goes out as a custom argument and comes back in events; Email Activity can be searched.

From twilio.com/docs/sendgrid: "Mail Send" and its "Errors" (all 400; 1,000 personalizations, which share one content), "How
to use the v3 API: responses" (401, 403 for a sender that is not verified, 413, 429), "Event Webhook reference" (`sg_event_id`
is what copies are told by; a late bounce comes without `sg_message_id`), "Event Webhook security features" (ECDSA). Not to be
found: a limit of requests to this endpoint, and how long Email Activity lags behind.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from sojourn.delivery.bounces import hard
from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import KEY, Limits, Receipt, Sought, Together
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpProvider, named, split_headers
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import (
    Forged,
    Hook,
    Kind,
    Notice,
    Posted,
    as_key,
    digest,
    exact_base64,
    fresh,
    heard,
    key_in,
    unix,
    word,
)
from sojourn.errors import SettingsError

BASES = {"": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
SIGNATURE, TIMESTAMP = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"
KINDS = {
    "processed": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DEFERRED,
    "bounce": Kind.BOUNCED,
    "dropped": Kind.DROPPED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spamreport": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "group_unsubscribe": Kind.UNSUBSCRIBED,
    "group_resubscribe": Kind.RESUBSCRIBED,  # the reader did, on SendGrid's page of groups
}
OFF = {"enable": False}


class SendGrid(HttpProvider):
    """Delivers through SendGrid's API (v3)."""

    name = "sendgrid"
    carries_amp = True  # a content of the type text/x-amp-html
    limits = Limits(batch=1000, together=Together.THE_BODY)

    def __init__(self, api_key: str, base: str = BASES[""], total_seconds: float = TOTAL_SECONDS) -> None:
        super().__init__(base, {"Authorization": f"Bearer {api_key}"}, total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over; opens, links and unsubscribing are ours, not SendGrid's."""
        reply_to, headers = split_headers(message)
        amp = [] if message.amp is None else [{"type": "text/x-amp-html", "value": message.amp}]
        body: dict[str, Any] = {
            "personalizations": [{"to": [named(message.to_name, message.to_address)], "custom_args": {KEY: message.key}}],
            "from": named(message.from_name, message.from_address),
            "subject": message.subject,
            "content": [{"type": "text/plain", "value": message.text}, *amp, {"type": "text/html", "value": message.html}],
            "headers": headers,
            "tracking_settings": {
                "click_tracking": {**OFF, "enable_text": False}, "open_tracking": OFF, "subscription_tracking": OFF, "ganalytics": OFF,
            },
        }  # fmt: skip
        if reply_to:
            body["reply_to"] = {"email": reply_to}
        answer = await self.api.post("/v3/mail/send", json=body)
        if not answer.ok:  # it has no codes; the field that is wrong is one in all but name
            at_fault = answer.code("errors", 0, "field")
            raise self.refusal(answer, at_fault, sender=at_fault.startswith("from"))
        return Receipt((answer.headers.get("X-Message-Id") or "")[:255] or None)


class SearchedSendGrid(SendGrid):
    """SendGrid with Email Activity, an addition to the account that must be bought."""

    index_lag = timedelta(minutes=30)

    async def look_up(self, sought: Sought) -> Receipt | None:
        """Search the activity by the custom argument that carries the key."""
        query = f"(unique_args['{KEY}']=\"{sought.key}\")"
        answer = await self.api.look("GET", "/v3/messages", params={"limit": 1, "query": query})
        found = self.list_of(answer, "messages")
        return Receipt((answer.text("messages", 0, "msg_id") or "").partition(".")[0] or None) if found else None


class SendGridHook:
    """Reads signed events: ECDSA over the time stamp and the raw body.

    Args:
        public_key: as SendGrid shows it: base64 of DER.

    Raises:
        SettingsError: it is none.
    """

    def __init__(self, public_key: str) -> None:
        try:
            key = load_der_public_key(base64.b64decode(public_key, validate=True))
        except (ValueError, binascii.Error):
            key = None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise SettingsError("SOJOURN_SENDGRID_WEBHOOK_KEY is not the verification key that SendGrid shows for its event webhook")
        self._key = key

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells."""
        stamp = posted.headers.get(TIMESTAMP, "")
        at = unix(stamp)
        try:
            signature = exact_base64(posted.headers.get(SIGNATURE, ""))
            self._key.verify(signature, stamp.encode() + posted.body, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError, binascii.Error):
            raise Forged("a wrong signature") from None
        if at is None:
            raise Forged("no time stamp")
        fresh(at, now)
        return heard(KINDS, posted.json(), _notice)


def _notice(event: dict[str, Any], kind: Kind) -> Notice:
    blocked = event.get("type") == "blocked"  # the server refused the message, and not the address
    return Notice(
        id=str(event.get("sg_event_id") or digest(event)),
        kind=kind,
        at=unix(event.get("timestamp")),
        send_key=as_key(event.get(KEY)) or key_in(event.get("smtp-id")),  # our Message-ID, where the domain is verified
        message_id=str(event.get("sg_message_id") or "").strip().partition(".")[0] or None,
        hard=not blocked and hard(kind is Kind.BOUNCED, event.get("status"), event.get("reason")),
        robot="SendGrid says that a machine opened it" if event.get("sg_machine_open") is True else None,
        agent=str(event.get("useragent") or ""),
        url=str(event.get("url") or "") or None,
        code=word(event.get("status")) or word(event.get("type")) or (word(event.get("reason")) if kind is Kind.DROPPED else None),
    )


def _make(given: Given) -> SendGrid:
    made = SearchedSendGrid if given.option("look_up") else SendGrid
    return made(given.api_key, BASES.get(given.option("region"), BASES[""]))


def _hook(given: Given) -> Hook:
    return SendGridHook(given.webhook_key)


PLUG = Plug(_make, _hook)
