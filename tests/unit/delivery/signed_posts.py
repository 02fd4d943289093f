"""Posts of each provider, written from its documentation and signed with keys made here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from standardwebhooks.webhooks import Webhook

from sojourn.delivery.providers.brevo import BrevoHook
from sojourn.delivery.providers.mailchimp import MailchimpHook
from sojourn.delivery.providers.mailgun import MailgunHook
from sojourn.delivery.providers.postmark import PostmarkHook
from sojourn.delivery.providers.resend import ResendHook
from sojourn.delivery.providers.sendgrid import SendGridHook
from sojourn.delivery.providers.ses import SesHook
from sojourn.delivery.webhooks.base import Hook, Posted
from sojourn.delivery.webhooks.sns import Sns, SnsAway

PUBLIC = "https://mail.example"
SECRET = "a-password-of-many-letters"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:sojourn"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123.pem"
AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"
ROBOT = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
DELIVERED, HARD, SOFT, DEFERRED = "delivered", "hard", "soft", "deferred"
OPEN, CLICK, SPAM, UNSUBSCRIBE = "open", "click", "spam", "unsubscribe"


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(rsa_key().public_key()).serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .sign(rsa_key(), hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


@dataclass
class Fetched:
    """What stands at Amazon's addresses; keeps which were asked for."""

    urls: list[str] = field(default_factory=list)

    async def __call__(self, url: str) -> bytes:
        self.urls.append(url)
        if url.endswith(".pem") and url != CERTIFICATE_URL:
            raise SnsAway("Amazon answered 404")
        return certificate()


@dataclass(frozen=True)
class Signer:
    """Signs a provider's body."""

    hook: Callable[[], Hook]
    body: Callable[[str, str, datetime, int], bytes]  # what happened, to which send, when, and which time it is
    sign: Callable[[bytes, datetime], dict[str, str]]
    resign: bool = False  # the signature stands in the body itself

    def post(self, name: str, what: str, key: str, at: datetime, number: int = 1) -> Posted:
        body = self.body(what, key, at, number)
        return Posted(f"{PUBLIC}/v1/webhooks/{name}", self.sign(body, at), body)


# -- SendGrid ----------------------------------------------------------------------------------


def sendgrid_body(what: str, key: str, at: datetime, number: int) -> bytes:
    event = {
        "email": "ann@example.com", "timestamp": int(at.timestamp()), "smtp-id": f"<{key}@shop.example>", "send_key": key,
        "sg_event_id": f"sg-event-{what}-{number}", "sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
    }  # fmt: skip
    more = {
        DELIVERED: {"event": "delivered", "response": "250 OK"},
        HARD: {"event": "bounce", "status": "5.1.1", "reason": "550 5.1.1 ann@example.com unknown", "type": "bounce"},
        SOFT: {"event": "bounce", "status": "4.2.2", "reason": "full", "type": "blocked"},
        DEFERRED: {"event": "deferred", "response": "400 try again later", "attempt": "5"},
        OPEN: {"event": "open", "useragent": AGENT, "sg_machine_open": False},
        "robot": {"event": "open", "useragent": AGENT, "sg_machine_open": True},
        CLICK: {"event": "click", "url": "https://shop.example/help", "useragent": AGENT},
        SPAM: {"event": "spamreport"},
        UNSUBSCRIBE: {"event": "unsubscribe"},
    }[what]
    return json.dumps([event | more]).encode()


def sendgrid_sign(body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = ec_key().sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": stamp,
    }


def sendgrid_hook() -> Hook:
    der = ec_key().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SendGridHook(base64.b64encode(der).decode())


# -- Mailgun -----------------------------------------------------------------------------------


def mailgun_body(what: str, key: str, at: datetime, number: int) -> bytes:
    token = hashlib.sha256(f"{what}{number}".encode()).hexdigest()[:50]
    stamp = str(int(at.timestamp()))
    client = {"client-type": "browser", "client-os": "OS X", "device-type": "desktop", "client-name": "Safari", "user-agent": AGENT}
    event = {
        "id": f"mg-event-{what}-{number}", "timestamp": at.timestamp(), "recipient": "ann@example.com", "log-level": "info",
        "message": {"headers": {"message-id": f"{key}@shop.example", "from": "hello@shop.example"}, "size": 1},
        "user-variables": {"send_key": key}, "tags": [],
    }  # fmt: skip
    more = {
        DELIVERED: {"event": "delivered", "delivery-status": {"code": 250, "message": "OK"}},
        HARD: {"event": "failed", "severity": "permanent", "reason": "bounce", "delivery-status": {"code": 550, "enhanced-code": "5.1.1"}},
        SOFT: {"event": "failed", "severity": "permanent", "reason": "generic", "delivery-status": {"code": 552, "enhanced-code": "5.2.2"}},
        DEFERRED: {"event": "failed", "severity": "temporary", "reason": "generic", "delivery-status": {"code": 452}},
        OPEN: {"event": "opened", "client-info": client},
        "robot": {"event": "opened", "client-info": client | {"bot": "apple"}},
        CLICK: {"event": "clicked", "url": "https://shop.example/help", "client-info": client},
        SPAM: {"event": "complained"},
        UNSUBSCRIBE: {"event": "unsubscribed"},
    }[what]
    signature = hmac.new(SECRET.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    return json.dumps({"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event | more}).encode()


# -- Postmark ----------------------------------------------------------------------------------


def postmark_body(what: str, key: str, at: datetime, number: int) -> bytes:
    moment = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"MessageID": f"pm-{key}", "Metadata": {"send_key": key}, "ServerID": 23, "MessageStream": "broadcast", "Tag": "", "n": number}
    bounce = {"RecordType": "Bounce", "ID": number, "Email": "ann@example.com", "BouncedAt": moment, "Inactive": True}
    more: dict[str, Any] = {
        DELIVERED: {"RecordType": "Delivery", "DeliveredAt": moment, "Recipient": "ann@example.com", "Details": "250"},
        HARD: {**bounce, "Type": "HardBounce", "TypeCode": 1},
        SOFT: {**bounce, "Type": "SoftBounce", "TypeCode": 4096},
        DEFERRED: {**bounce, "Type": "Transient", "TypeCode": 2},
        OPEN: {"RecordType": "Open", "ReceivedAt": moment, "FirstOpen": True, "UserAgent": AGENT, "Platform": "Desktop"},
        "robot": {"RecordType": "Open", "ReceivedAt": moment, "FirstOpen": True, "UserAgent": ROBOT},
        CLICK: {"RecordType": "Click", "ReceivedAt": moment, "OriginalLink": "https://shop.example/help", "UserAgent": AGENT},
        SPAM: {**bounce, "RecordType": "SpamComplaint", "Type": "SpamComplaint", "TypeCode": 100001},
        UNSUBSCRIBE: {
            "RecordType": "SubscriptionChange", "ChangedAt": moment, "Origin": "Recipient", "SuppressSending": True,
            "SuppressionReason": "ManualSuppression", "Recipient": "ann@example.com",
        },
    }[what]  # fmt: skip
    return json.dumps(event | more).encode()


def basic(_body: bytes, _at: datetime) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"sojourn:{SECRET}".encode()).decode()}


# -- Resend ------------------------------------------------------------------------------------

WHSEC = "whsec_" + base64.b64encode(b"a key of twenty-four byte").decode()


def resend_body(what: str, key: str, at: datetime, number: int) -> bytes:
    data: dict[str, Any] = {
        "email_id": f"re-{key}", "created_at": at.isoformat(), "from": "hello@shop.example", "to": ["ann@example.com"],
        "subject": "s", "tags": {"send_key": key}, "number": number,
    }  # fmt: skip
    kind, more = {
        DELIVERED: ("email.delivered", {}),
        HARD: ("email.bounced", {"bounce": {"message": "ann@example.com is unknown", "type": "Permanent", "subType": "General"}}),
        SOFT: ("email.bounced", {"bounce": {"message": "full", "type": "Transient", "subType": "MailboxFull"}}),
        DEFERRED: ("email.delivery_delayed", {}),
        OPEN: ("email.opened", {"open": {"ipAddress": "192.0.2.1", "userAgent": AGENT, "timestamp": at.isoformat()}}),
        "robot": ("email.opened", {"open": {"userAgent": ROBOT}}),
        CLICK: ("email.clicked", {"click": {"link": "https://shop.example/help", "userAgent": AGENT, "timestamp": at.isoformat()}}),
        SPAM: ("email.complained", {}),
    }[what]
    return json.dumps({"type": kind, "created_at": at.isoformat(), "data": data | more}).encode()


def resend_sign(body: bytes, at: datetime) -> dict[str, str]:
    event_id = "msg_" + hashlib.sha256(body).hexdigest()[:24]
    signature = Webhook(WHSEC).sign(event_id, at, body.decode())
    return {"svix-id": event_id, "svix-timestamp": str(int(at.timestamp())), "svix-signature": signature}


# -- Brevo -------------------------------------------------------------------------------------


def brevo_body(what: str, key: str, at: datetime, number: int) -> bytes:
    event = {
        "id": 26224, "email": "ann@example.com", "message-id": "<202603021200.1@smtp-relay.mailin.fr>", "X-Mailin-custom": key,
        "date": "2026-03-02 13:00:00", "ts": 1, "ts_event": int(at.timestamp()), "ts_epoch": int(at.timestamp() * 1000), "number": number,
    }  # fmt: skip
    more = {
        DELIVERED: {"event": "delivered"},
        HARD: {"event": "hard_bounce", "reason": "550 ann@example.com unknown"},
        SOFT: {"event": "soft_bounce", "reason": "full"},
        DEFERRED: {"event": "deferred", "reason": "later"},
        OPEN: {"event": "opened", "user_agent": AGENT},
        "robot": {"event": "proxy_open", "user_agent": AGENT},
        CLICK: {"event": "click", "link": "https://shop.example/help", "user_agent": AGENT},
        SPAM: {"event": "spam"},
        UNSUBSCRIBE: {"event": "unsubscribed"},
    }[what]
    return json.dumps(event | more).encode()


def bearer(_body: bytes, _at: datetime) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET}"}


# -- Mailchimp Transactional -------------------------------------------------------------------


def mailchimp_body(what: str, key: str, at: datetime, number: int) -> bytes:
    kind, more = {
        DELIVERED: ("delivered", {}), HARD: ("hard_bounce", {}), SOFT: ("soft_bounce", {}), DEFERRED: ("deferral", {}),
        OPEN: ("open", {"user_agent": AGENT}), "robot": ("open", {"user_agent": AGENT, "user_agent_parsed": {"type": "Robot"}}),
        CLICK: ("click", {"url": "https://shop.example/help", "user_agent": AGENT}), SPAM: ("spam", {}), UNSUBSCRIBE: ("unsub", {}),
    }[what]  # fmt: skip
    message = {"_id": f"mc-{key}-{number}", "email": "ann@example.com", "metadata": {"send_key": key}, "bounce_description": "bad_mailbox"}
    event = {"event": kind, "_id": f"mc-{key}-{number}", "ts": int(at.timestamp()), "msg": message} | more
    return urlencode({"mandrill_events": json.dumps([event])}).encode()


def mailchimp_sign(body: bytes, at: datetime) -> dict[str, str]:
    from urllib.parse import parse_qsl

    said = f"{PUBLIC}/v1/webhooks/mailchimp" + "".join(name + value for name, value in sorted(parse_qsl(body.decode())))
    return {"x-mandrill-signature": base64.b64encode(hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).digest()).decode()}


# -- SES, by SNS -------------------------------------------------------------------------------


def ses_event(what: str, key: str, at: datetime) -> dict[str, Any]:
    moment = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    mail = {"timestamp": moment, "messageId": f"ses-{key}", "destination": ["ann@example.com"], "tags": {"send_key": [key]}}
    recipients = [{"emailAddress": "ann@example.com", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1"}]
    bounced = {"bouncedRecipients": recipients, "timestamp": moment}
    kind, more = {
        DELIVERED: ("Delivery", {"delivery": {"timestamp": moment, "recipients": ["ann@example.com"]}}),
        HARD: ("Bounce", {"bounce": {"bounceType": "Permanent", "bounceSubType": "General", **bounced}}),
        SOFT: ("Bounce", {"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull", **bounced}}),
        DEFERRED: ("DeliveryDelay", {"deliveryDelay": {"timestamp": moment, "delayType": "MailboxFull"}}),
        OPEN: ("Open", {"open": {"timestamp": moment, "userAgent": AGENT, "ipAddress": "192.0.2.1"}}),
        "robot": ("Open", {"open": {"timestamp": moment, "userAgent": ROBOT}}),
        CLICK: ("Click", {"click": {"timestamp": moment, "link": "https://shop.example/help", "userAgent": AGENT}}),
        SPAM: ("Complaint", {"complaint": {"timestamp": moment, "complaintFeedbackType": "abuse"}}),
        UNSUBSCRIBE: ("Subscription", {"subscription": {"contactList": "news", "timestamp": moment}}),
    }[what]
    return {"eventType": kind, "mail": mail} | more


def sns_signed(said: dict[str, Any], version: str = "2") -> bytes:
    names = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
    text = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = base64.b64encode(rsa_key().sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return json.dumps({**said, "SignatureVersion": version, "Signature": signature, "SigningCertURL": CERTIFICATE_URL}).encode()


def ses_body(what: str, key: str, at: datetime, number: int) -> bytes:
    message = json.dumps(ses_event(what, key, at))
    said = {
        "Type": "Notification", "MessageId": f"sns-{what}-{number}", "TopicArn": TOPIC, "Message": message,
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }  # fmt: skip
    return sns_signed(said, "1" if number % 2 else "2")


def nothing(_body: bytes, _at: datetime) -> dict[str, str]:
    return {}


SIGNERS = {
    "sendgrid": Signer(sendgrid_hook, sendgrid_body, sendgrid_sign),
    "mailgun": Signer(lambda: MailgunHook(SECRET), mailgun_body, nothing, resign=True),
    "postmark": Signer(lambda: PostmarkHook(SECRET), postmark_body, basic),
    "resend": Signer(lambda: ResendHook(WHSEC), resend_body, resend_sign),
    "brevo": Signer(lambda: BrevoHook(SECRET), brevo_body, bearer),
    "mailchimp": Signer(lambda: MailchimpHook(SECRET), mailchimp_body, mailchimp_sign),
    "ses": Signer(lambda: SesHook(Sns(frozenset({TOPIC}), Fetched())), ses_body, nothing, resign=True),
}
SIGNED_WITH_A_TIME = ("sendgrid", "mailgun", "resend", "ses")
SIGNED_OVER_THE_BODY = ("sendgrid", "resend", "mailchimp", "ses")


def changed(posted: Posted, **changes: Any) -> Posted:
    return replace(posted, **changes)


def long_ago(at: datetime) -> datetime:
    return at - timedelta(days=3)
