"""Brevo (class A): a second post under one idempotencyKey is refused as a duplicate, which proves that the first was taken.

https://developers.brevo.com/reference/sendtransacemail, …/docs/heterogenous-versions-batch-emails (idempotency),
…/docs/transactional-webhooks. One page says that keys are kept for 30 minutes, another 15: the shorter is believed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import Klass, Limits, Receipt
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpApi, Meanings, refusal, split_headers
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import (
    Forged,
    Hook,
    Kind,
    Notice,
    Posted,
    bearer,
    digest,
    key_in,
    kind_of,
    listed,
    mapping,
    same,
    unix,
    word,
)
from sojourn.errors import ProviderLocked

BASE = "https://api.brevo.com"
KEPT = timedelta(minutes=15)
MARGIN = timedelta(minutes=1)
DUPLICATE = "duplicate_parameter"
MEANS: Meanings = dict.fromkeys(
    ("unauthorized", "not_enough_credits", "account_under_validation", "permission_denied", "reseller_permission_denied"), ProviderLocked
)
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


class Brevo:
    """Delivers through Brevo's API (v3)."""

    name = "brevo"
    klass = Klass.KEYED
    carries_amp = False  # its API takes no such part
    key_window = KEPT - MARGIN
    limits = Limits(batch=1000, per_second=1000)

    def __init__(self, api_key: str, base: str = BASE, total_seconds: float = TOTAL_SECONDS) -> None:
        self.api = HttpApi(self.name, base, {"api-key": api_key, "Accept": "application/json"}, total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over, once under its key; whether opens are tracked is set in the account."""
        reply_to, headers = split_headers(message)
        body: dict[str, Any] = {
            "sender": _mailbox(message.from_name, message.from_address), "to": [_mailbox(message.to_name, message.to_address)],
            "subject": message.subject, "htmlContent": message.html, "textContent": message.text,
            "headers": {**headers, "Message-ID": message.id, CUSTOM: message.key, "idempotencyKey": message.key},
        }  # fmt: skip
        if reply_to:
            body["replyTo"] = {"email": reply_to}
        answer = await self.api.post("/v3/smtp/email", json=body)
        if answer.ok:
            return Receipt((answer.text("messageId") or "").strip("<>") or None)
        code = answer.code("code")
        if code == DUPLICATE and answer.status in (400, 409):
            return Receipt(None)
        raise refusal(self.name, answer, code, exceptions=MEANS)


class BrevoHook:
    """Reads posts that carry a token of ours: Brevo signs nothing.

    Args:
        token: as it was set on the webhook, sent as a bearer's.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells; one event, or a list where they are batched."""
        if not same(bearer(posted), self._token):
            raise Forged("a wrong token")
        said = posted.json()
        events = listed(said) if isinstance(said, list) else [mapping(said)]
        return [_notice(event, kind) for event in events if (kind := kind_of(KINDS, event.get("event"))) is not None]


def _notice(event: dict[str, Any], kind: Kind) -> Notice:
    what, message_id = str(event["event"]), str(event.get("message-id") or "")
    # ts_epoch is the only one of its times that is in UTC, whatever the account's zone; in milliseconds.
    epoch = event.get("ts_epoch")
    custom = str(event.get(CUSTOM) or event.get("x-mailin-custom") or "")
    return Notice(
        id=digest({name: value for name, value in event.items() if name not in ("ts", "date")}),
        kind=kind,
        at=unix(epoch / 1000) if isinstance(epoch, int | float) else unix(event.get("ts_event")),
        send_key=key_in(f"{custom}@") or key_in(message_id),
        message_id=message_id.strip("<>") or None,
        hard=what in HARD,
        robot="Brevo says that a proxy opened it" if "proxy" in what else None,
        agent=str(event.get("user_agent") or ""),
        url=str(event.get("link") or "") or None,
        code=word(what) if kind in (Kind.BOUNCED, Kind.DROPPED) else None,
    )


def _mailbox(name: str | None, address: str) -> dict[str, str]:
    return {"email": address, **({"name": name} if name else {})}


def _make(given: Given) -> Brevo:
    return Brevo(given.api_key)


def _hook(given: Given) -> Hook:
    return BrevoHook(given.webhook_key)


PLUG = Plug(_make, _hook)
