"""Mailchimp Transactional, once Mandrill (class B): raw MIME; the send key goes out as metadata and can be searched by.

From mailchimp.com/developer/transactional: "Messages API" (send-raw, search; the reasons of a reject also from its client
libraries), "Metadata API", "Webhooks" ("Authenticate webhook requests": before it tells the key it asks the address with
HEAD), "SMTP integration" (X-MC-Metadata). Its errors are 500s with a name, most of which are as definite as anyone's 4xx;
a wrong key is a 401 since 2023. Not to be found: a rate limit of this API, and how long its search lags behind.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import orjson

from sojourn.delivery.bounces import hard
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.base import KEY, Limits, Receipt, Sought, Together
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpProvider, Meanings
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import Forged, Hook, Kind, Notice, Posted, Unreadable, as_key, digest, heard, mapping, same, unix, word
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, Rejected

BASE = "https://mandrillapp.com/api/1.0"
MEANS: Meanings = {
    "ValidationError": Rejected,
    "Invalid_Key": ProviderLocked,
    "PaymentRequired": ProviderLocked,
    "Unknown_Subaccount": ProviderLocked,
    "ServiceUnavailable": ProviderBusy,
}
KINDS = {
    "send": Kind.ACCEPTED,
    "delivered": Kind.DELIVERED,
    "deferral": Kind.DEFERRED,
    "hard_bounce": Kind.BOUNCED,
    "soft_bounce": Kind.BOUNCED,
    "reject": Kind.DROPPED,
    "open": Kind.OPENED,
    "click": Kind.CLICKED,
    "spam": Kind.COMPLAINED,
    "unsub": Kind.UNSUBSCRIBED,
}
# What tells one event of a message from another: they bear the message's id, and what they say of it grows.
_TELLING = ("event", "_id", "ts", "url", "ip", "user_agent")
# Of the reasons for which it refuses one recipient, those that are our account's.
_OURS = ("unsigned", "invalid-sender", "test-mode-limit")


class Mailchimp(HttpProvider):
    """Delivers through the API of Mailchimp Transactional."""

    name = "mailchimp"
    carries_amp = True  # the message goes out as MIME
    limits = Limits(batch=1000, together=Together.THE_BODY)
    means = MEANS
    index_lag = timedelta(minutes=30)

    def __init__(self, api_key: str, subaccount: str = "", base: str = BASE, total_seconds: float = TOTAL_SECONDS) -> None:
        self._key = api_key
        self._subaccount = subaccount
        super().__init__(base, total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over as it was written, with its metadata before it as headers that Mailchimp takes out."""
        extra = f'X-MC-Metadata: {{"{KEY}":"{message.key}"}}\r\nX-MC-Autotext: no\r\n'
        if self._subaccount:
            extra += f"X-MC-Subaccount: {self._subaccount}\r\n"
        raw = extra + to_bytes(message).decode("ascii")
        answer = await self.api.post("/messages/send-raw.json", json={"key": self._key, "raw_message": raw, "to": [message.to_address]})
        if not answer.ok:
            raise self.refusal(answer, answer.code("name"))
        if not isinstance(answer.field(0), dict):  # what became of the message stands in the body, and that is cut short
            raise ProviderUnclear("mailchimp answered 200 without saying what became of the message")
        status, reason = answer.code(0, "status"), answer.code(0, "reject_reason")
        if status in ("rejected", "invalid"):
            said = f"mailchimp: {status} {reason}".rstrip()
            raise ProviderLocked(said) if reason in _OURS else Rejected(said)
        return Receipt(answer.text(0, "_id"))

    async def look_up(self, sought: Sought) -> Receipt | None:
        """Search the last days' messages by the metadata that carries the key; the account must index that field."""
        day = sought.since.date()
        body = {
            "key": self._key, "query": f"u_{KEY}:{sought.key}", "limit": 1,
            "date_from": (day - timedelta(days=1)).isoformat(), "date_to": (day + timedelta(days=2)).isoformat(),
        }  # fmt: skip
        fields = await self.api.look("POST", "/metadata/list.json", json={"key": self._key})
        if not any(field.get("name") == KEY and field.get("state") == "active" for field in _objects(fields.json)):
            raise ProviderBusy(f"mailchimp does not index the metadata field {KEY}; add it in the account's settings")
        answer = await self.api.look("POST", "/messages/search.json", json=body)
        return Receipt(answer.text(0, "_id")) if self.list_of(answer) else None


class MailchimpHook:
    """Reads signed events: HMAC-SHA1 over the address and the form's fields, in the order of their names.

    Args:
        key: the webhook's key.
    """

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells; nothing in it is signed with a time, so that a copy is told by its events' ids."""
        try:
            fields = parse_qsl(posted.body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(posted.body), max_num_fields=20)
        except (ValueError, UnicodeDecodeError):
            raise Forged("no form") from None
        said = posted.url + "".join(name + value for name, value in sorted(dict(fields).items()))
        wanted = base64.b64encode(hmac.new(self._key, said.encode("utf-8", "surrogatepass"), hashlib.sha1).digest())
        if len(dict(fields)) != len(fields) or not same(posted.headers.get("x-mandrill-signature", ""), wanted):
            raise Forged("a wrong signature")
        try:
            events = orjson.loads(dict(fields).get("mandrill_events", ""))
        except orjson.JSONDecodeError:
            raise Unreadable("mandrill_events is not JSON") from None
        return heard(KINDS, events, _notice)


def _notice(event: dict[str, Any], kind: Kind) -> Notice:
    message = mapping(event.get("msg"))
    agent = mapping(event.get("user_agent_parsed"))
    return Notice(
        id=digest({name: event.get(name) for name in _TELLING}),
        kind=kind,
        at=unix(event.get("ts")),
        send_key=as_key(mapping(message.get("metadata")).get(KEY)),
        message_id=str(event.get("_id") or message.get("_id") or "") or None,
        hard=hard(event["event"] == "hard_bounce", message.get("diag")),
        robot="Mailchimp says: Robot" if agent.get("type") == "Robot" else None,
        agent=str(event.get("user_agent") or ""),
        url=str(event.get("url") or "") or None,
        code=word(message.get("bounce_description")),
    )


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _make(given: Given) -> Mailchimp:
    return Mailchimp(given.api_key, given.option("subaccount"))


def _hook(given: Given) -> Hook:
    return MailchimpHook(given.webhook_key)


PLUG = Plug(_make, _hook)
