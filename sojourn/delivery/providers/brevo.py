"""Brevo (class A): a second post under one idempotencyKey is refused as a duplicate, which proves that the first was taken.

From developers.brevo.com: "Idempotency for batch emails" (keys are kept for 30 minutes) and the changelog "Email API now
supports idempotency" (15: the shorter is believed); "Rate limits" (1,000 a second) and "Rate limit headers"; "Transactional
webhooks", "Batched webhooks" and "Secure webhook calls"; codes from the ErrorModel of its client libraries. A sender that is
not verified is accepted first and told of by an `error` event. Not to be found: the status of a duplicate's refusal, what
`duplicate_request` proves, and whether a Message-ID of ours is kept; nothing here relies on any of them.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sojourn.delivery.bounces import hard
from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import Klass, Limits, Receipt, Together
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpProvider, Meanings, named, split_headers
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import Hook, Kind, Notice, Posted, check_secret, digest, heard, key_in, mapping, unix, word
from sojourn.errors import ProviderLocked, ProviderUnclear

BASE = "https://api.brevo.com"
KEPT = timedelta(minutes=15)
MARGIN = timedelta(minutes=1)
DUPLICATE = "duplicate_parameter"
_OURS = ("unauthorized", "not_enough_credits", "account_under_validation", "permission_denied", "reseller_permission_denied")
MEANS: Meanings = {**dict.fromkeys(_OURS, ProviderLocked), "duplicate_request": ProviderUnclear}
_SENDER = re.compile(r"((in)?valid )?sender\b", re.IGNORECASE)  # how words begin that are about us; a recipient's name may follow
MILLISECONDS_FROM = 10**11  # a smaller number is one of seconds: in one of its examples ts_epoch is
CUSTOM = "X-Mailin-custom"  # comes back in webhooks
KINDS = {
    "request": Kind.ACCEPTED,
    "sent": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "deferred": Kind.DEFERRED,
    "soft_bounce": Kind.BOUNCED,
    "hard_bounce": Kind.BOUNCED,
    "invalid_email": Kind.BOUNCED,
    "blocked": Kind.DROPPED,
    "error": Kind.DROPPED,
    "spam": Kind.COMPLAINED,
    "complaint": Kind.COMPLAINED,
    "unsubscribe": Kind.UNSUBSCRIBED,
    "unsubscribed": Kind.UNSUBSCRIBED,
    "opened": Kind.OPENED,
    "unique_opened": Kind.OPENED,
    "proxy_open": Kind.OPENED,
    "unique_proxy_open": Kind.OPENED,
    "click": Kind.CLICKED,
}
HARD = ("hard_bounce", "invalid_email")


class Brevo(HttpProvider):
    """Delivers through Brevo's API (v3)."""

    name = "brevo"
    klass = Klass.KEYED
    key_window = KEPT - MARGIN
    limits = Limits(batch=1000, together=Together.THE_KEY, per_second=1000)
    means = MEANS

    def __init__(self, api_key: str, base: str = BASE, total_seconds: float = TOTAL_SECONDS) -> None:
        super().__init__(base, {"api-key": api_key, "Accept": "application/json"}, total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over, once under its key; whether opens are tracked is set in the account."""
        reply_to, headers = split_headers(message)
        body: dict[str, Any] = {
            "sender": named(message.from_name, message.from_address), "to": [named(message.to_name, message.to_address)],
            "subject": message.subject, "htmlContent": message.html, "textContent": message.text,
            "headers": {**headers, CUSTOM: message.key, "idempotencyKey": message.key},
        }  # fmt: skip
        if reply_to:
            body["replyTo"] = {"email": reply_to}
        answer = await self.api.post("/v3/smtp/email", json=body)
        if answer.ok:
            return Receipt((answer.text("messageId") or "").strip("<>") or None)
        code = answer.code("code")
        if code == DUPLICATE and answer.status in (400, 409):
            return Receipt(None)
        raise self.refusal(answer, code, sender=_SENDER.match(str(answer.field("message"))) is not None)


class BrevoHook:
    """Reads posts that carry a token of ours: Brevo signs nothing.

    Args:
        token: as it was set on the webhook, sent as a bearer's, or as the password of a Basic one.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells; one event, or a list where they are batched."""
        check_secret(posted, self._token)
        said = posted.json()
        return heard(KINDS, said if isinstance(said, list) else [mapping(said)], _notice)


def _notice(event: dict[str, Any], kind: Kind) -> Notice:
    what, message_id = str(event["event"]), str(event.get("message-id") or "")
    # ts_epoch is the only one of its times that is in UTC, whatever the account's zone; in milliseconds. Complaints have none.
    epoch = event.get("ts_epoch")
    if isinstance(epoch, int | float) and epoch >= MILLISECONDS_FROM:
        epoch /= 1000
    custom = str(event.get(CUSTOM) or event.get("x-mailin-custom") or "")
    return Notice(
        id=digest({name: value for name, value in event.items() if name not in ("ts", "date")}),
        kind=kind,
        at=unix(epoch) or unix(event.get("ts_event")),
        send_key=key_in(f"{custom}@") or key_in(message_id),
        message_id=message_id.strip("<>") or None,
        hard=hard(what in HARD, event.get("reason")),
        robot="Brevo says that a proxy opened it" if "proxy" in what else None,
        agent=str(event.get("user_agent") or ""),
        url=str(event.get("link") or "") or None,
        code=word(what) if kind in (Kind.BOUNCED, Kind.DROPPED) else None,
    )


def _make(given: Given) -> Brevo:
    return Brevo(given.api_key)


def _hook(given: Given) -> Hook:
    return BrevoHook(given.webhook_key)


PLUG = Plug(_make, _hook)
