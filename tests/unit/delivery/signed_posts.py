"""Posts of each provider, written from its documentation and signed with keys made here.

Each provider's file names the pages; Brevo's, Mailchimp's and Mailgun's shapes were held against posts that django-anymail's
tests record as received.
"""

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
        "sg_event_id": f"sg-event-{what}-{number}", "sg_message_id": " 14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0",
        "category": ["marketing"],
    }  # fmt: skip
    more = {
        DELIVERED: {"event": "delivered", "response": "250 OK", "ip": "192.0.2.7", "tls": 1},
        HARD: {
            "event": "bounce", "status": "5.1.1", "reason": "550 5.1.1 ann@example.com unknown", "type": "bounce",
            "bounce_classification": "Invalid Address", "tls": 1,
        },
        SOFT: {"event": "bounce", "status": "5.0.0", "reason": "500 no", "type": "blocked", "bounce_classification": "Reputation"},
        DEFERRED: {"event": "deferred", "response": "400 try again later", "attempt": "5", "domain": "example.com"},
        OPEN: {"event": "open", "useragent": AGENT, "sg_machine_open": False},
        "robot": {"event": "open", "useragent": AGENT, "sg_machine_open": True},
        CLICK: {"event": "click", "url": "https://shop.example/help", "useragent": AGENT, "url_offset": {"index": 0, "type": "html"}},
        SPAM: {"event": "spamreport"},
        UNSUBSCRIBE: {"event": "unsubscribe"},
    }[what]  # fmt: skip
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
        "user-variables": {"send_key": key}, "tags": [], "account": {"id": "1234567890303a4bd1f33898"}, "domain": {"name": "shop.example"},
        "recipient-domain": "example.com", "envelope": {"sender": "hello@shop.example", "targets": "ann@example.com", "transport": "smtp"},
        "flags": {"is-authenticated": True, "is-test-mode": False}, "storage": {"key": "k", "url": "https://storage.example/k"},
    }  # fmt: skip
    tried = {"attempt-no": 1, "description": "", "mx-host": "mx.example.com", "session-seconds": 2.9, "tls": True, "utf8": True}
    more = {
        DELIVERED: {"event": "delivered", "delivery-status": {**tried, "code": 250, "message": "OK"}},
        HARD: {
            "event": "failed", "severity": "permanent", "reason": "bounce", "log-level": "error",
            "delivery-status": {**tried, "code": 550, "enhanced-code": "5.1.1", "message": "5.1.1 The email account does not exist."},
        },
        SOFT: {
            "event": "failed", "severity": "permanent", "reason": "generic", "log-level": "error",
            "delivery-status": {**tried, "code": 550, "message": "5.7.1 Our system has detected unsolicited mail.\n5.7.1 See our page"},
        },
        DEFERRED: {
            "event": "failed", "severity": "temporary", "reason": "generic", "log-level": "warn",
            "delivery-status": {**tried, "code": 452, "message": "4.2.2 full", "retry-seconds": 600},
        },
        OPEN: {"event": "opened", "client-info": client},
        "robot": {"event": "opened", "client-info": client | {"bot": "apple"}},
        CLICK: {"event": "clicked", "url": "https://shop.example/help", "client-info": client},
        SPAM: {"event": "complained"},
        UNSUBSCRIBE: {"event": "unsubscribed", "client-info": client},
    }[what]  # fmt: skip
    signature = hmac.new(SECRET.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    return json.dumps({"signature": {"timestamp": stamp, "token": token, "signature": signature}, "event-data": event | more}).encode()


# -- Postmark ----------------------------------------------------------------------------------


def postmark_body(what: str, key: str, at: datetime, number: int) -> bytes:
    moment = at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")  # seven digits, as it writes them
    event = {"MessageID": f"pm-{key}", "Metadata": {"send_key": key}, "ServerID": 23, "MessageStream": "broadcast", "Tag": "", "n": number}
    bounce = {
        "RecordType": "Bounce", "ID": number, "Email": "ann@example.com", "From": "hello@shop.example", "BouncedAt": moment,
        "Inactive": True, "CanActivate": True, "DumpAvailable": True, "Subject": "s", "Description": "The server was unable to deliver",
        "Details": "smtp;550 5.1.1 ann@example.com does not exist",
    }  # fmt: skip
    opened = {"Recipient": "ann@example.com", "Platform": "Desktop", "Geo": {}, "Client": {"Name": "Mail"}, "OS": {"Name": "macOS"}}
    more: dict[str, Any] = {
        DELIVERED: {"RecordType": "Delivery", "DeliveredAt": moment, "Recipient": "ann@example.com", "Details": "250"},
        HARD: {**bounce, "Type": "HardBounce", "TypeCode": 1},
        SOFT: {**bounce, "Type": "SoftBounce", "TypeCode": 4096},
        DEFERRED: {**bounce, "Type": "Transient", "TypeCode": 2},
        OPEN: {**opened, "RecordType": "Open", "ReceivedAt": moment, "FirstOpen": True, "UserAgent": AGENT},
        "robot": {**opened, "RecordType": "Open", "ReceivedAt": moment, "FirstOpen": True, "UserAgent": ROBOT},
        CLICK: {
            **opened, "RecordType": "Click", "ReceivedAt": moment, "ClickLocation": "HTML", "OriginalLink": "https://shop.example/help",
            "UserAgent": AGENT,
        },
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
        "subject": "s", "tags": {"send_key": key}, "number": number, "message_id": f"<{key}@shop.example>",
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
        "subject": "s", "sending_ip": "192.0.2.7", "tags": ["marketing"], "tag": '["marketing"]',
    }  # fmt: skip
    if what == SPAM:  # its example of a complaint has no ts_epoch
        del event["ts_epoch"]
    more = {
        DELIVERED: {"event": "delivered"},
        HARD: {"event": "hard_bounce", "reason": "550 ann@example.com unknown"},
        SOFT: {"event": "soft_bounce", "reason": "full"},
        DEFERRED: {"event": "deferred", "reason": "later"},
        OPEN: {"event": "opened", "user_agent": AGENT},
        "robot": {"event": "proxy_open", "user_agent": AGENT},
        CLICK: {"event": "click", "link": "https://shop.example/help", "user_agent": AGENT},
        SPAM: {"event": "complaint"},
        UNSUBSCRIBE: {"event": "unsubscribed"},
    }[what]
    return json.dumps(event | more).encode()


def bearer(_body: bytes, _at: datetime) -> dict[str, str]:
    return {"authorization": f"Bearer {SECRET}"}


# -- Mailchimp Transactional -------------------------------------------------------------------


def mailchimp_body(what: str, key: str, at: datetime, number: int) -> bytes:
    kind, more = {  # an event bears the id of its message
        DELIVERED: ("delivered", {}), HARD: ("hard_bounce", {}), SOFT: ("soft_bounce", {}), DEFERRED: ("deferral", {}),
        OPEN: ("open", {"user_agent": AGENT}),
        "robot": ("open", {"user_agent": AGENT, "user_agent_parsed": {"type": "Robot"}, "ip": "198.51.100.9"}),
        CLICK: ("click", {"url": "https://shop.example/help", "user_agent": AGENT}), SPAM: ("spam", {}), UNSUBSCRIBE: ("unsub", {}),
    }[what]  # fmt: skip
    message = {
        "_id": f"mc-{key}", "email": "ann@example.com", "sender": "hello@shop.example", "subject": "s", "ts": int(at.timestamp()) - 5,
        "metadata": {"send_key": key}, "bounce_description": "bad_mailbox", "bgtools_code": 10, "diag": "smtp;550 5.1.1 unknown",
        "tags": [], "opens": [{"ts": int(at.timestamp())}] * number, "clicks": [], "state": "sent",
    }  # fmt: skip
    event = {"event": kind, "_id": f"mc-{key}", "ts": int(at.timestamp()), "ip": "192.0.2.1", "msg": message} | more
    return urlencode({"mandrill_events": json.dumps([event])}).encode()


def mailchimp_sign(body: bytes, at: datetime) -> dict[str, str]:
    from urllib.parse import parse_qsl

    said = f"{PUBLIC}/v1/webhooks/mailchimp" + "".join(name + value for name, value in sorted(parse_qsl(body.decode())))
    return {"x-mandrill-signature": base64.b64encode(hmac.new(SECRET.encode(), said.encode(), hashlib.sha1).digest()).decode()}


# -- SES, by SNS -------------------------------------------------------------------------------


def ses_event(what: str, key: str, at: datetime) -> dict[str, Any]:
    moment = at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    tags = {"send_key": [key], "ses:configuration-set": ["sojourn"], "ses:source-ip": ["192.0.2.7"], "ses:from-domain": ["shop.example"]}
    mail = {
        "timestamp": moment, "messageId": f"ses-{key}", "source": "The Shop <hello@shop.example>", "sendingAccountId": "123456789012",
        "destination": ["ann@example.com"], "headersTruncated": False, "headers": [{"name": "Subject", "value": "s"}], "tags": tags,
        "commonHeaders": {"from": ["The Shop <hello@shop.example>"], "messageId": f"<{key}@shop.example>", "subject": "s"},
    }  # fmt: skip
    recipients = [{"emailAddress": "ann@example.com", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1"}]
    bounced = {"bouncedRecipients": recipients, "timestamp": moment, "feedbackId": "f-1", "reportingMTA": "dsn; mta.example.com"}
    complained = {"complainedRecipients": [{"emailAddress": "ann@example.com"}], "timestamp": moment, "complaintSubType": None}
    kind, more = {
        DELIVERED: ("Delivery", {"delivery": {"timestamp": moment, "recipients": ["ann@example.com"]}}),
        HARD: ("Bounce", {"bounce": {"bounceType": "Permanent", "bounceSubType": "General", **bounced}}),
        SOFT: ("Bounce", {"bounce": {"bounceType": "Transient", "bounceSubType": "MailboxFull", **bounced}}),
        DEFERRED: ("DeliveryDelay", {"deliveryDelay": {"timestamp": moment, "delayType": "MailboxFull"}}),
        OPEN: ("Open", {"open": {"timestamp": moment, "userAgent": AGENT, "ipAddress": "192.0.2.1"}}),
        "robot": ("Open", {"open": {"timestamp": moment, "userAgent": ROBOT}}),
        CLICK: ("Click", {"click": {"timestamp": moment, "link": "https://shop.example/help", "userAgent": AGENT}}),
        SPAM: ("Complaint", {"complaint": {**complained, "complaintFeedbackType": "abuse", "userAgent": "AnyCompany (V0.01)"}}),
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
    message = json.dumps(ses_event(what, key, at)) + "\n"  # so it ends
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
