"""Postmark (class B): the send key goes out as metadata, comes back in webhooks, and can be searched by.

From postmarkapp.com/developer: "Email API", "Send batch emails" (500 messages, 50 MB; each has an answer and metadata of its
own), "API overview" (status codes; error codes), "Messages API", "Webhooks overview" and the page of each webhook; the types
of bounces from its client library, the words of its error 300 from its users' reports. It states no rate limit in numbers,
and no Retry-After. Not to be found: how long the search lags behind, and the codes 1235 and 1236 (streams), which stand here
as they were known before.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from sojourn.delivery.bounces import hard
from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import KEY, Limits, Receipt, Sought
from sojourn.delivery.providers.http import TOTAL_SECONDS, HttpProvider, Meanings, mailbox, split_headers
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import Hook, Kind, Notice, Posted, as_key, check_secret, digest, iso, mapping, word
from sojourn.errors import ProviderBusy, ProviderLocked

BASE = "https://api.postmarkapp.com"
# Of 422: the token, the sender's signature, the account's approval, credits, streams. All else is about the message.
_LOCKED = {str(code): ProviderLocked for code in (10, 400, 401, 405, 412, 413, 1235, 1236)}
MEANS: Meanings = {**_LOCKED, "100": ProviderBusy, "429": ProviderBusy}  # maintenance; too many
_SENDER = re.compile("(Invalid|Error parsing) 'From'")  # and no more: behind it may stand a recipient's name
HARD = ("HardBounce", "BadEmailAddress")
NO_BOUNCE = ("Transient", "AutoResponder", "Subscribe", "AddressChange", "ChallengeVerification", "OpenRelayTest")
NOT_SENT = ("ManuallyDeactivated", "SMTPApiError", "TemplateRenderingFailed", "Unconfirmed")  # by Postmark itself


class Postmark(HttpProvider):
    """Delivers through Postmark's API."""

    name = "postmark"
    limits = Limits(batch=500)
    means = MEANS
    index_lag = timedelta(minutes=15)

    def __init__(self, token: str, stream: str = "broadcast", base: str = BASE, total_seconds: float = TOTAL_SECONDS) -> None:
        self._stream = stream
        super().__init__(base, {"X-Postmark-Server-Token": token, "Accept": "application/json"}, total_seconds=total_seconds)

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over; opens and links are tracked by us, not by Postmark."""
        reply_to, headers = split_headers(message)
        # Without X-PM-KeepID Postmark writes a Message-ID of its own.
        extra = {**headers, "X-PM-KeepID": "true"}
        body: dict[str, Any] = {
            "From": mailbox(message.from_name, message.from_address), "To": mailbox(message.to_name, message.to_address),
            "Subject": message.subject, "HtmlBody": message.html, "TextBody": message.text, "MessageStream": self._stream,
            "Headers": [{"Name": name, "Value": value} for name, value in extra.items()],
            "Metadata": {KEY: message.key}, "TrackOpens": False, "TrackLinks": "None",
        }  # fmt: skip
        if reply_to:
            body["ReplyTo"] = reply_to
        answer = await self.api.post("/email", json=body)
        if not answer.ok:
            raise self.refusal(answer, answer.code("ErrorCode"), sender=_SENDER.match(str(answer.field("Message"))) is not None)
        return Receipt(answer.text("MessageID"))

    async def look_up(self, sought: Sought) -> Receipt | None:
        """Search the sent messages by the metadata that carries the key."""
        answer = await self.api.look("GET", "/messages/outbound", params={"count": 1, "offset": 0, f"metadata_{KEY}": sought.key})
        return Receipt(answer.text("Messages", 0, "MessageID")) if self.list_of(answer, "Messages") else None


class PostmarkHook:
    """Postmark signs nothing: the address that it is given carries a user name and a password.

    Args:
        secret: the password.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells; there is one event in each."""
        check_secret(posted, self._secret)
        event = mapping(posted.json())
        kind = str(event.get("RecordType"))
        read = {"Delivery": _delivery, "Bounce": _bounce, "SpamComplaint": _complaint, "SubscriptionChange": _subscription}.get(kind)
        if kind == "Open":
            agent = str(event.get("UserAgent") or "")
            return [_notice(event, Kind.OPENED, event.get("ReceivedAt"), agent=agent)]
        if kind == "Click":
            agent, url = str(event.get("UserAgent") or ""), str(event.get("OriginalLink") or "")
            return [_notice(event, Kind.CLICKED, event.get("ReceivedAt"), agent=agent, url=url)]
        return read(event) if read is not None else []


def _notice(event: dict[str, Any], kind: Kind, at: Any, **more: Any) -> Notice:
    key, message_id = as_key(mapping(event.get("Metadata")).get(KEY)), str(event.get("MessageID") or "") or None
    # Told once by a webhook of its own and once by that of suppressions: by one name it counts once.
    once = message_id and (kind is Kind.COMPLAINED or more.get("hard"))
    return Notice(digest([message_id, kind]) if once else digest(event), kind, iso(at), key, message_id, **more)


def _delivery(event: dict[str, Any]) -> list[Notice]:
    return [_notice(event, Kind.DELIVERED, event.get("DeliveredAt"))]


def _bounce(event: dict[str, Any]) -> list[Notice]:
    what = event.get("Type")
    if what == "SpamComplaint":
        return _complaint(event)
    if what == "Unsubscribe":  # an answer that asks for it
        return [_notice(event, Kind.UNSUBSCRIBED, event.get("BouncedAt"))]
    if what in NOT_SENT:
        return [_notice(event, Kind.DROPPED, event.get("BouncedAt"), code=word(what))]
    if what in NO_BOUNCE:
        return [_notice(event, Kind.DEFERRED, event.get("BouncedAt"), code=word(what))]
    return [_notice(event, Kind.BOUNCED, event.get("BouncedAt"), hard=hard(what in HARD, event.get("Details")), code=word(what))]


def _complaint(event: dict[str, Any]) -> list[Notice]:
    return [_notice(event, Kind.COMPLAINED, event.get("BouncedAt"), code=word(event.get("Type")))]


def _subscription(event: dict[str, Any]) -> list[Notice]:
    """Why Postmark sends no more, or does again: a bounce or a complaint, whose own webhook may not be set up, or what the reader did.

    What the shop or Postmark puts on its list or takes off it (`Customer`, `Admin`) says nothing of the reader's wish.
    """
    stops, why, at = event.get("SuppressSending"), event.get("SuppressionReason"), event.get("ChangedAt")
    if stops is True and why == "HardBounce":
        return [_notice(event, Kind.BOUNCED, at, hard=True, code=word(why))]
    if stops is True and why == "SpamComplaint":
        return [_notice(event, Kind.COMPLAINED, at, code=word(why))]
    if event.get("Origin") != "Recipient":
        return []
    if stops is False:
        return [_notice(event, Kind.RESUBSCRIBED, at)]
    return [_notice(event, Kind.UNSUBSCRIBED, at)] if stops is True and why == "ManualSuppression" else []


def _make(given: Given) -> Postmark:
    return Postmark(given.api_key, given.option("stream", "broadcast"))


def _hook(given: Given) -> Hook:
    return PostmarkHook(given.webhook_key)


PLUG = Plug(_make, _hook)
