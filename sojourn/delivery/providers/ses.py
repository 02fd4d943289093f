"""Amazon SES (class B): raw MIME through SES v2; the send key goes out as a tag and comes back in events by SNS.

From docs.aws.amazon.com/ses: "SendEmail" (API v2; its errors as in botocore's own model of the service), "Contents of event data
that Amazon SES publishes to Amazon SNS" and "Examples" of it, "Complaint" (a complaint of the account's suppression list is no
new one). A batch (SendBulkEmail) takes templates only. How many a second is each account's own: `rate` in delivery.yaml.
SES has no look-up by tag. boto3 tries again by itself unless it is told not to: a second post is ours to decide.
Credentials are AWS's own (AWS_ACCESS_KEY_ID, a profile, or the machine's role).
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from sojourn.delivery.bounces import hard
from sojourn.delivery.message import Message, to_bytes
from sojourn.delivery.providers.answers import AnswerWindow
from sojourn.delivery.providers.base import KEY, UNKEYED, Klass, Limits, Receipt
from sojourn.delivery.providers.http import CONNECT_SECONDS, STEP_SECONDS
from sojourn.delivery.providers.plug import Given, Plug
from sojourn.delivery.webhooks.base import Hook, Kind, Notice, Posted, Unreadable, as_key, iso, mapping, word
from sojourn.delivery.webhooks.sns import Sns, fetch
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, Rejected, SettingsError, SojournError

THREADS = 16
REFUSED = ("MessageRejected", "BadRequestException", "ValidationException")
BUSY = ("TooManyRequestsException", "ThrottlingException", "Throttling", "LimitExceededException")
KINDS = {
    "Send": Kind.ACCEPTED,
    "Delivery": Kind.DELIVERED,
    "DeliveryDelay": Kind.DEFERRED,
    "Bounce": Kind.BOUNCED,
    "Reject": Kind.DROPPED,
    "Rendering Failure": Kind.DROPPED,
    "Complaint": Kind.COMPLAINED,
    "Open": Kind.OPENED,
    "Click": Kind.CLICKED,
    "Subscription": Kind.UNSUBSCRIBED,
}
# One code says of a message that it is refused, and of us that our identity is not verified.
_UNVERIFIED = ("not verified", "did not have authority")
# Where an event says more, and when it was.
_PLACES = {
    "Open": "open",
    "Click": "click",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "DeliveryDelay": "deliveryDelay",
    "Subscription": "subscription",
}
_CODES = ("bounceSubType", "complaintSubType", "complaintFeedbackType", "delayType")
# Why SES tried nothing: the last three from its users' reports, for the pages at hand are older.
_ON_A_LIST = ("Suppressed", "OnAccountSuppressionList", "OnTenantSuppressionList", "EmailValidationSuppressed", "UnsubscribedRecipient")
_NO_COMPLAINTS = ("not-spam", "auth-failure")  # types of a feedback report (IANA's) that complain of nothing


class Ses:
    """Delivers through SES.

    Args:
        region: of AWS.
        configuration_set: whose events come to our webhook.
        endpoint: another address than AWS's own.
        step_seconds: how long one answer may take.
    """

    name = "ses"
    klass = Klass.EVIDENTIAL
    carries_amp = True  # the message goes out as MIME
    key_window = UNKEYED
    limits = Limits()

    def __init__(
        self,
        region: str,
        configuration_set: str = "",
        *,
        endpoint: str | None = None,
        step_seconds: float = STEP_SECONDS,
        **credentials: str,
    ) -> None:
        self._region = region
        self._configuration_set = configuration_set
        self._endpoint = endpoint
        self._step_seconds = step_seconds
        self._credentials = credentials
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="ses")
        self._places = asyncio.Semaphore(THREADS)
        self.answers = AnswerWindow()
        self._client: Any = None
        self._making = threading.Lock()

    async def deliver(self, message: Message) -> Receipt:
        """Hand a message over as it was written."""
        raw = to_bytes(message)
        async with self.answers.place():
            return await self._hand_over(message, raw)

    async def _hand_over(self, message: Message, raw: bytes) -> Receipt:
        try:  # a message that waited in the pool could go out long after its claim, or after its post was given up
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._places.acquire()
        except TimeoutError:
            raise ProviderBusy("ses: every connection is in use") from None
        posting = asyncio.get_running_loop().run_in_executor(self._pool, self._send, message, raw)
        posting.add_done_callback(self._ended)
        return await asyncio.shield(posting)  # a thread goes on, whoever stops waiting for it, and keeps its place until it ends

    def _ended(self, posting: asyncio.Future[Receipt]) -> None:
        self._places.release()
        if not posting.cancelled():
            posting.exception()  # heard, where nobody waits for it

    def _send(self, message: Message, raw: bytes) -> Receipt:
        from botocore.exceptions import BotoCoreError, ClientError

        asked: dict[str, Any] = {
            "FromEmailAddress": message.from_address,
            "Destination": {"ToAddresses": [message.to_address]},
            "Content": {"Raw": {"Data": raw}},
            "EmailTags": [{"Name": KEY, "Value": message.key}],
        }
        if self._configuration_set:
            asked["ConfigurationSetName"] = self._configuration_set
        try:
            answer = self._opened().send_email(**asked)
        except ClientError as error:
            raise _answered(error.response) from None
        except BotoCoreError as error:
            raise _broke(error) from None
        return Receipt(str(answer.get("MessageId") or "")[:255] or None)

    def _opened(self) -> Any:
        with self._making:
            if self._client is None:
                import boto3
                from botocore.config import Config

                config = Config(
                    connect_timeout=min(CONNECT_SECONDS, self._step_seconds),
                    read_timeout=self._step_seconds,
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    max_pool_connections=THREADS,
                )
                session = boto3.session.Session(region_name=self._region, **self._credentials)
                self._client = session.client("sesv2", config=config, endpoint_url=self._endpoint)
            return self._client


def _answered(response: dict[str, Any]) -> SojournError:
    status = int(mapping(response.get("ResponseMetadata")).get("HTTPStatusCode") or 0)
    code = word(mapping(response.get("Error")).get("Code")) or ""
    words = str(mapping(response.get("Error")).get("Message")).lower()  # they hold addresses, and are not kept
    ours = any(sign in words for sign in _UNVERIFIED)
    said = f"ses answered {status} {code}".rstrip()
    if code in BUSY or status == 429:
        return ProviderBusy(said)
    if code in REFUSED and not ours:
        return Rejected(said)
    if 400 <= status < 500 and status != 408:
        return ProviderLocked(f"{said}: it takes nothing from us; look at the account, its credentials and its identities")
    return ProviderUnclear(said)


def _broke(error: Exception) -> SojournError:
    from botocore import exceptions

    never_sent = (
        exceptions.EndpointConnectionError,
        exceptions.ConnectTimeoutError,
        exceptions.SSLError,
        exceptions.ProxyConnectionError,
    )
    ours = (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.NoRegionError, exceptions.ParamValidationError)
    said = f"ses: {type(error).__name__}"
    if isinstance(error, ours):
        return ProviderLocked(f"{said}; look at AWS's credentials and at delivery.yaml")
    return ProviderBusy(said) if isinstance(error, never_sent) else ProviderUnclear(said)


class SesHook:
    """Reads SES's events out of SNS's signed posts.

    Args:
        sns: verifies the posts, and confirms the subscription.
    """

    def __init__(self, sns: Sns) -> None:
        self._sns = sns

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells."""
        taken = await self._sns.open(posted, now)
        if taken is None:
            return []
        event, sns_id = taken
        what = str(event.get("eventType") or event.get("notificationType") or "")
        kind = KINDS.get(what)
        if kind is None:
            return []
        mail = mapping(event.get("mail"))
        tags = mapping(mail.get("tags")).get(KEY)
        if not mail:
            raise Unreadable("an event of no mail")
        return [_notice(event, what, kind, mail, tags[0] if isinstance(tags, list) and tags else None, sns_id)]


def _notice(event: dict[str, Any], what: str, kind: Kind, mail: dict[str, Any], key: Any, sns_id: str) -> Notice:
    about = mapping(event.get(_PLACES.get(what, "")))
    recipients = about.get("bouncedRecipients")
    first = mapping(recipients[0]) if isinstance(recipients, list) and recipients else {}
    status = first.get("status")
    if about.get("complaintFeedbackType") in _NO_COMPLAINTS:
        kind = Kind.ACCEPTED  # whoever reports of it has it, and that is all
    if kind is Kind.UNSUBSCRIBED and _opted_in(about):
        kind = Kind.RESUBSCRIBED
    suppressed = about.get("bounceSubType") in _ON_A_LIST or about.get("complaintSubType") in _ON_A_LIST
    return Notice(
        id=sns_id,
        kind=Kind.DROPPED if suppressed else kind,
        at=iso(about.get("timestamp")) or iso(mail.get("timestamp")),
        send_key=as_key(key),
        message_id=str(mail.get("messageId") or "") or None,
        hard=not suppressed and hard(kind is Kind.BOUNCED and about.get("bounceType") == "Permanent", status, first.get("diagnosticCode")),
        agent=str(about.get("userAgent") or ""),
        url=str(about.get("link") or "") or None,
        code=word(status) or next((word(about[name]) for name in _CODES if about.get(name)), None),
    )


def _opted_in(about: dict[str, Any]) -> bool:
    """Tell whether a reader who had opted out chose to hear of it again, and opted out of nothing."""
    new, old = _out_of(about.get("newTopicPreferences")), _out_of(about.get("oldTopicPreferences"))
    return new is not None and old is not None and new < old


def _out_of(preferences: Any) -> frozenset[str] | None:
    """Return what a reader opted out of: topics by name, and the empty name for everything; None where it is not said."""
    if not isinstance(preferences, dict):
        return None
    statuses = preferences.get("topicSubscriptionStatus")
    topics = [mapping(one) for one in statuses] if isinstance(statuses, list) else []
    out = {str(one.get("topicName")) for one in topics if str(one.get("subscriptionStatus")).lower() == "optout"}
    return frozenset(out | ({""} if preferences.get("unsubscribeAll") else set()))


def _make(given: Given) -> Ses:
    return Ses(given.option("region"), given.option("configuration_set"))


def _hook(given: Given) -> Hook:
    topic = given.option("topic")
    if not topic:
        raise SettingsError("delivery.yaml names ses without a `topic`; anyone has a topic, so only a named one is believed")
    return SesHook(Sns(frozenset({topic}), fetch))


PLUG = Plug(_make, _hook, keyless=True)
