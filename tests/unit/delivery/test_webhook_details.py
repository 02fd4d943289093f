"""What single providers' webhooks say in ways of their own."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from delivery_world import NOON
from signed_posts import DEFERRED, DELIVERED, HARD, SECRET, SIGNERS, SOFT, SPAM, TOPIC, UNSUBSCRIBE, ses_event, sns_signed

from sojourn.delivery.providers.brevo import BrevoHook
from sojourn.delivery.webhooks import Forged, Kind, Notice, Posted

KEY = "93b4cb67-d9ae-5771-ac4e-52cf272f971e"


async def read(name: str, what: str, change: Any = None, *, key: str = KEY) -> Notice:
    """Return what a provider tells, its event changed as a test wants and signed again."""
    signer = SIGNERS[name]
    said = json.loads(signer.body(what, key, NOON, 1))
    event = said[0] if isinstance(said, list) else said.get("event-data", said)
    if change is not None:
        change(event)
    body = json.dumps(said).encode()
    (notice,) = await signer.hook().read(Posted("", signer.sign(body, NOON), body), NOON)
    return notice


# -- SendGrid ----------------------------------------------------------------------------------


async def test_a_late_bounce_is_known_by_our_message_id_where_sendgrid_leaves_out_its_own() -> None:
    def late(event: dict[str, Any]) -> None:
        for name in ("sg_message_id", "send_key", "ip"):
            event.pop(name, None)

    notice = await read("sendgrid", HARD, late)
    assert (notice.send_key, notice.message_id, notice.hard) == (KEY, None, True)
    foreign = await read("sendgrid", HARD, lambda event: (late(event), event.update({"smtp-id": "<14c5d75ce93.dfd@ismtpd-555>"})))
    assert foreign.send_key is None


async def test_a_block_is_no_hard_bounce_whatever_its_status() -> None:
    notice = await read("sendgrid", SOFT)
    assert (notice.kind, notice.hard, notice.code) == (Kind.BOUNCED, False, "5.0.0")


# -- Mailgun -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "hard", "code"),
    [
        ({"code": 550, "message": "5.1.1 no such user"}, True, "5.1.1"),
        ({"code": 550, "message": "5.7.1 [192.0.2.7] is on a list"}, False, "5.7.1"),
        ({"code": 550, "enhanced-code": "5.1.1", "message": "5.7.1 and yet"}, True, "5.1.1"),
        ({"code": 550, "message": "no such user"}, True, "550"),
        ({"code": 550, "enhanced-code": None, "message": None}, True, "550"),
        ({"code": 605, "message": "", "description": "Not delivering to previously bounced address"}, True, "605"),
    ],
)
async def test_a_spam_filters_550_says_nothing_of_the_address(status: dict[str, Any], hard: bool, code: str) -> None:
    notice = await read("mailgun", HARD, lambda event: event.update({"delivery-status": status}))
    assert (notice.kind, notice.hard, notice.code) == (Kind.BOUNCED, hard, code)


async def test_the_last_of_many_attempts_is_a_bounce_though_mailgun_calls_it_temporary() -> None:
    last = {"severity": "temporary", "reason": "old", "delivery-status": {"code": 498, "message": "No MX for example.com"}}
    notice = await read("mailgun", DEFERRED, lambda event: event.update(last))
    assert (notice.kind, notice.hard) == (Kind.BOUNCED, False)


async def test_an_id_that_mailgun_uses_again_on_another_day_is_another_events() -> None:
    one = await read("mailgun", DELIVERED)
    same = await read("mailgun", DELIVERED)
    later = await read("mailgun", DELIVERED, lambda event: event.update({"timestamp": event["timestamp"] + 86400}))
    assert one.id == same.id != later.id


# -- Postmark ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "means", "hard"),
    [
        ("HardBounce", Kind.BOUNCED, True), ("BadEmailAddress", Kind.BOUNCED, True), ("SoftBounce", Kind.BOUNCED, False),
        ("SpamNotification", Kind.BOUNCED, False), ("Blocked", Kind.BOUNCED, False), ("DnsError", Kind.BOUNCED, False),
        ("DMARCPolicy", Kind.BOUNCED, False), ("Transient", Kind.DEFERRED, False), ("AutoResponder", Kind.DEFERRED, False),
        ("OpenRelayTest", Kind.DEFERRED, False), ("Unsubscribe", Kind.UNSUBSCRIBED, False), ("SpamComplaint", Kind.COMPLAINED, False),
        ("ManuallyDeactivated", Kind.DROPPED, False), ("SMTPApiError", Kind.DROPPED, False),
        ("TemplateRenderingFailed", Kind.DROPPED, False),
    ],
)  # fmt: skip
async def test_each_of_postmarks_types_of_bounce_means_what_it_says(kind: str, means: Kind, hard: bool) -> None:
    notice = await read("postmark", HARD, lambda event: event.update({"Type": kind}))
    assert (notice.kind, notice.hard, notice.at) == (means, hard, NOON)


# -- Brevo -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "times",
    [
        {"ts_epoch": int(NOON.timestamp() * 1000)}, {"ts_epoch": int(NOON.timestamp())},
        {"ts_epoch": None, "ts_event": int(NOON.timestamp())}, {"ts_epoch": "soon", "ts_event": int(NOON.timestamp())},
    ],
)  # fmt: skip
async def test_brevos_moments_are_in_milliseconds_and_in_its_examples_in_seconds_too(times: dict[str, Any]) -> None:
    assert (await read("brevo", HARD, lambda event: event.update(times))).at == NOON


async def test_brevo_posts_one_event_or_a_batch_of_them_and_its_token_as_a_bearers_or_as_a_password() -> None:
    events = [json.loads(SIGNERS["brevo"].body(what, KEY, NOON, 1)) for what in (DELIVERED, HARD, DEFERRED)]
    body = json.dumps([*events, {"event": "list_addition"}]).encode()
    basic = {"authorization": "Basic " + base64.b64encode(f"any:{SECRET}".encode()).decode()}
    told = await BrevoHook(SECRET).read(Posted("", basic, body), NOON)
    assert [notice.kind for notice in told] == [Kind.DELIVERED, Kind.BOUNCED, Kind.DEFERRED]
    with pytest.raises(Forged):
        await BrevoHook("another").read(Posted("", basic, body), NOON)


# -- SES ---------------------------------------------------------------------------------------


async def from_sns(event: dict[str, Any]) -> Notice:
    said = {
        "Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": json.dumps(event),
        "Timestamp": "2026-03-02T12:00:00.000Z", "Subject": "Amazon SES Email Event Notification",
    }  # fmt: skip
    (notice,) = await SIGNERS["ses"].hook().read(Posted("", {}, sns_signed(said)), NOON + timedelta(seconds=1))
    return notice


@pytest.mark.parametrize(
    ("said", "means"),
    [("abuse", Kind.COMPLAINED), ("fraud", Kind.COMPLAINED), ("other", Kind.COMPLAINED), (None, Kind.COMPLAINED),
     ("not-spam", Kind.ACCEPTED), ("auth-failure", Kind.ACCEPTED)],
)  # fmt: skip
async def test_who_says_that_it_is_no_spam_does_not_complain(said: str | None, means: Kind) -> None:
    event = ses_event(SPAM, KEY, NOON)
    event["complaint"]["complaintFeedbackType"] = said
    assert (await from_sns(event)).kind is means


@pytest.mark.parametrize(
    ("kind", "sub", "hard"),
    [
        ("Permanent", "General", True), ("Permanent", "NoEmail", True), ("Undetermined", "Undetermined", False),
        ("Transient", "General", False), ("Transient", "MailboxFull", False), ("Transient", "MessageTooLarge", False),
        ("Transient", "ContentRejected", False), ("Transient", "AttachmentRejected", False), ("Transient", "CustomTimeoutExceeded", False),
    ],
)  # fmt: skip
async def test_each_of_sess_types_of_bounce_means_what_it_says(kind: str, sub: str, hard: bool) -> None:
    event = ses_event(HARD, KEY, NOON)
    event["bounce"] |= {"bounceType": kind, "bounceSubType": sub}
    notice = await from_sns(event)
    assert (notice.kind, notice.hard) == (Kind.BOUNCED, hard)


async def test_a_delay_is_told_with_its_own_moment_and_not_the_mails() -> None:
    event = ses_event(DEFERRED, KEY, NOON)
    event["mail"]["timestamp"] = "2026-03-02T11:00:00.000Z"
    notice = await from_sns(event)
    assert (notice.kind, notice.at, notice.code) == (Kind.DEFERRED, NOON, "MailboxFull")


# -- One classification for all of them ----------------------------------------------------------

# What a recipient's server said, and whether it says that the address does not exist.
SERVERS_WORDS = [
    ("550 5.1.1 The email account that you tried to reach does not exist.", True),
    ("550 no such user here", True),
    ("550 5.7.1 Message rejected due to poor reputation", False),
    ("552 5.2.2 The email account that you tried to reach is over quota", False),
    ("550 5.1.8 Sender address rejected: Domain not found", False),
    ("550 5.7.26 Unauthenticated email is not accepted due to the domain's DMARC policy", False),
    ("550 Sender verify failed", False),
]


def says(name: str, words: str) -> Any:
    """Return what puts a server's words where a provider passes them on."""
    status = words.split(" ")[1] if words[4:5].isdigit() and words[5:6] == "." else ""
    return {
        "sendgrid": lambda event: event.update({"reason": words, "status": status or "5.0.0", "type": "bounce"}),
        "mailgun": lambda event: event.update({"delivery-status": {"code": 550, "message": words}, "severity": "permanent"}),
        "postmark": lambda event: event.update({"Details": f"smtp;{words}"}),
        "resend": lambda event: event["data"].update({"bounce": {"type": "Permanent", "diagnosticCode": [f"smtp; {words}"]}}),
        "brevo": lambda event: event.update({"reason": words}),
    }[name]


@pytest.mark.parametrize("name", ["sendgrid", "mailgun", "postmark", "resend", "brevo"])
async def test_what_the_recipients_server_said_decides_whoever_passes_it_on(name: str) -> None:
    found = {words: (await read(name, HARD, says(name, words))).hard for words, _ in SERVERS_WORDS}
    assert found == dict(SERVERS_WORDS)


@pytest.mark.parametrize(
    ("why", "kind", "hard"),
    [("HardBounce", Kind.BOUNCED, True), ("SpamComplaint", Kind.COMPLAINED, False), ("ManualSuppression", Kind.UNSUBSCRIBED, False)],
)
async def test_why_postmark_sends_no_more_is_heard(why: str, kind: Kind, hard: bool) -> None:
    signer = SIGNERS["postmark"]
    said = {
        "RecordType": "SubscriptionChange", "MessageID": "00000000-0000-0000-0000-000000000001", "ServerID": 1, "MessageStream": "outbound",
        "ChangedAt": "2026-03-02T12:00:00Z", "Recipient": "ann@example.com", "Origin": "Recipient", "SuppressSending": True,
        "SuppressionReason": why, "Tag": "", "Metadata": {"send_key": KEY},
    }  # fmt: skip
    body = json.dumps(said).encode()
    (notice,) = await signer.hook().read(Posted("", signer.sign(body, NOON), body), NOON)
    assert (notice.kind, notice.hard, notice.send_key) == (kind, hard, KEY)
    lifted = json.dumps(said | {"SuppressSending": False, "Origin": "Admin"}).encode()
    assert await signer.hook().read(Posted("", signer.sign(lifted, NOON), lifted), NOON) == []


RESUBSCRIBES: dict[str, dict[str, Any]] = {
    "sendgrid": {"event": "group_resubscribe", "asm_group_id": 7},
    "postmark": {"SuppressSending": False, "SuppressionReason": None},
}


@pytest.mark.parametrize("name", RESUBSCRIBES)
async def test_who_subscribes_again_on_a_providers_page_is_heard_to(name: str) -> None:
    notice = await read(name, UNSUBSCRIBE, lambda event: event.update(RESUBSCRIBES[name]))
    assert (notice.kind, notice.send_key) == (Kind.RESUBSCRIBED, KEY)


async def test_a_hard_bounce_that_postmark_tells_twice_is_one() -> None:
    bounce = await read("postmark", HARD)
    signer = SIGNERS["postmark"]
    event = json.loads(signer.body(HARD, KEY, NOON, 1))
    said = {"RecordType": "SubscriptionChange", "MessageID": event["MessageID"], "SuppressSending": True, "SuppressionReason": "HardBounce"}
    body = json.dumps(said).encode()
    (change,) = await signer.hook().read(Posted("", signer.sign(body, NOON), body), NOON)
    assert change.id == bounce.id


@pytest.mark.parametrize(
    ("bounce", "hard"),
    [
        ({"message": "The recipient's email provider sent a hard bounce message, but didn't specify the reason."}, True),
        ({"message": "550 5.1.1 user unknown"}, True), ({"message": "The mailbox is full"}, False), ({"message": "It bounced."}, False),
        ({"message": "On the suppression list, for it has a recent history of producing hard bounces."}, False), ({}, False),
        ({"type": "Transient", "message": "550 5.1.1 user unknown"}, False), ({"type": "Permanent", "subType": "Suppressed"}, False),
    ],
)  # fmt: skip
async def test_a_bounce_of_resends_without_a_type_is_told_by_its_words(bounce: dict[str, Any], hard: bool) -> None:
    notice = await read("resend", HARD, lambda event: event["data"].update({"bounce": bounce}))
    assert (notice.kind, notice.hard) == (Kind.BOUNCED, hard)
