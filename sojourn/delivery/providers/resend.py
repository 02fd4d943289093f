"""Resend (class A): a second post under one Idempotency-Key within a day is answered as the first was.

From resend.com/docs: "Idempotency keys" (24 hours; in a batch one key stands for the whole of it), "Errors", "Rate limit"
(a team's default was 2 requests a second, then 5, and its newest libraries say 10: 5 is kept to), "Send batch emails" (100),
"Managing webhooks", "Verify webhooks requests" (svix) and the page of each event.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sojourn.delivery.bounces import classify, hard
from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import KEY, Klass, Limits, Receipt, Together
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpProvider, Meanings, mailbox, split_headers
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import FRESH, Forged, Hook, Kind, Notice, Posted, as_key, fresh, iso, mapping, same, unix, word
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, SettingsError

BASE = "https://api.resend.com"
KEPT = timedelta(hours=24)
MARGIN = timedelta(minutes=10)  # a key is not relied on to its last second
MEANS: Meanings = {
    # Another message under the same key: ours never change, so nobody knows what happened there.
    "invalid_idempotent_request": ProviderUnclear,
    "concurrent_idempotent_requests": ProviderUnclear,
    "invalid_from_address": ProviderLocked,
    "invalid_access": ProviderLocked,
    "security_error": ProviderBusy,  # perhaps of this request alone: it waits, and does not keep all others waiting at once
    # 429s, and yet no seconds will help.
    "daily_quota_exceeded": ProviderLocked,
    "monthly_quota_exceeded": ProviderLocked,
}
KINDS = {
    "email.sent": Kind.ACCEPTED,
    "email.delivered": Kind.DELIVERED,
    "email.delivery_delayed": Kind.DEFERRED,
    "email.bounced": Kind.BOUNCED,
    "email.failed": Kind.DROPPED,
    "email.suppressed": Kind.DROPPED,
    "email.complained": Kind.COMPLAINED,
    "email.opened": Kind.OPENED,
    "email.clicked": Kind.CLICKED,
}


class Resend(HttpProvider):
    """Delivers through Resend's API."""

    name = "resend"
    klass = Klass.KEYED
    key_window = KEPT - MARGIN
    limits = Limits(batch=100, together=Together.THE_KEY, per_second=5)
    means = MEANS

    def __init__(self, api_key: str, base: str = BASE, total_seconds: float = TOTAL_SECONDS) -> None:
        super().__init__(base, {"Authorization": f"Bearer {api_key}"}, total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over, once under its key."""
        reply_to, headers = split_headers(message)
        body: dict[str, Any] = {
            "from": mailbox(message.from_name, message.from_address), "to": [mailbox(message.to_name, message.to_address)],
            "subject": message.subject, "html": message.html, "text": message.text,
            "headers": headers, "tags": [{"name": KEY, "value": message.key}],
        }  # fmt: skip
        if reply_to:
            body["reply_to"] = reply_to
        answer = await self.api.post("/emails", json=body, headers={"Idempotency-Key": message.key})
        if not answer.ok:
            raise self.refusal(answer, answer.code("name"))
        return Receipt(answer.text("id"))


class ResendHook:
    """Reads posts that are signed as standardwebhooks (svix) has it: id, time stamp and raw body.

    Args:
        secret: `whsec_…`.

    Raises:
        SettingsError: it is none.
    """

    def __init__(self, secret: str) -> None:
        try:
            self._webhook = Webhook(secret)
        except (ValueError, RuntimeError):
            raise SettingsError("SOJOURN_RESEND_WEBHOOK_KEY is not a signing secret; it begins with whsec_") from None

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells; there is one event in each."""
        given = {name: posted.headers.get(f"svix-{name}") or posted.headers.get(f"webhook-{name}", "") for name in _SIGNED}
        at = unix(given["timestamp"])
        if not all(given.values()) or at is None:
            raise Forged("no signature")
        try:  # the library compares with the system's clock; the time stamp is judged here, by the one that is given
            signed = self._webhook.sign(given["id"], at, posted.body.decode())
            wanted = signed.partition(",")[2]
        except (WebhookVerificationError, UnicodeDecodeError, ValueError):
            raise Forged("a wrong signature") from None
        versions = [one.partition(",") for one in given["signature"].split(" ")]
        if not any(version == "v1" and same(signature, wanted) for version, _, signature in versions):
            raise Forged("a wrong signature")
        fresh(at, now, FRESH)
        event = mapping(posted.json())
        kind = KINDS.get(str(event.get("type")))
        return [_notice(event, kind, given["id"])] if kind is not None else []


_SIGNED = ("id", "timestamp", "signature")


def _notice(event: dict[str, Any], kind: Kind, event_id: str) -> Notice:
    data = mapping(event.get("data"))
    bounce, click, opened = (mapping(data.get(name)) for name in ("bounce", "click", "open"))
    return Notice(
        id=event_id,
        kind=kind,
        at=iso(event.get("created_at")),
        send_key=as_key(mapping(data.get("tags")).get(KEY)),
        message_id=str(data.get("email_id") or "") or None,
        hard=kind is Kind.BOUNCED and _hard(bounce),
        agent=str(click.get("userAgent") or opened.get("userAgent") or ""),
        url=str(click.get("link") or "") or None,
        code=word(bounce.get("subType")) or word(bounce.get("type")) or word(mapping(data.get("failed")).get("reason")),
    )


def _hard(bounce: dict[str, Any]) -> bool:
    """Tell whether a bounce is the address's fault; an older form has a sentence and no type."""
    words = " ".join(str(bounce.get(name) or "") for name in ("message", "diagnosticCode"))
    if str(bounce.get("subType") or "").endswith("Suppressed") or "suppression list" in words:
        return False  # it was not tried
    permanent = bounce.get("type") == "Permanent" if bounce.get("type") else "hard bounce" in words.lower()
    return hard(permanent, words) or (not bounce.get("type") and classify(diagnostic=words)[0].hard)


def _make(given: Given) -> Resend:
    return Resend(given.api_key)


def _hook(given: Given) -> Hook:
    return ResendHook(given.webhook_key)


PLUG = Plug(_make, _hook)
