"""What each provider's documented answers prove of a message: refused for good, later, our own fault, or nobody knows.

Each goes through the provider over HTTP; the bodies are those of the documentation that the provider's file names.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from fake_api import Asked, FakeApi, serving
from fake_providers import FAKES, PATIENT

from sojourn.delivery.message import Message
from sojourn.delivery.providers.base import Receipt
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear, Rejected

KEY = "93b4cb67-d9ae-5771-ac4e-52cf272f971e"
GOOD, LATER, OURS, NOBODY_KNOWS = Rejected, ProviderBusy, ProviderLocked, ProviderUnclear


def message() -> Message:
    return Message(
        key=KEY, to_address="ann@example.com", to_name="Ann", from_address="hello@shop.example", from_name="The Shop", subject="s",
        html="<p>h</p>", text="t", date=datetime(2026, 3, 2, 12, tzinfo=UTC),
        headers={"Reply-To": "help@shop.example", "Feedback-ID": "a:b:c:d"},
    )  # fmt: skip


def resend(name: str) -> dict[str, Any]:
    return {"statusCode": 400, "name": name, "message": "words about ann@example.com"}


def brevo(code: str, words: str = "email is not valid in to: ann@example.com") -> dict[str, Any]:
    return {"code": code, "message": words}


def postmark(code: int, words: str = "Invalid 'To' address: 'ann@example.com'.") -> dict[str, Any]:
    return {"ErrorCode": code, "Message": words}


def sendgrid(field: str | None, words: str = "The to email ann@example.com does not contain a valid address.") -> dict[str, Any]:
    return {"errors": [{"message": words, "field": field, "help": None}]}


def mailgun(words: str) -> dict[str, Any]:
    return {"message": words}


def mailchimp(name: str) -> dict[str, Any]:
    return {"status": "error", "code": -1, "name": name, "message": "words about ann@example.com"}


def taken(status: str, reason: str | None = None) -> list[dict[str, Any]]:
    return [{"email": "ann@example.com", "status": status, "reject_reason": reason, "queued_reason": None, "_id": "mc-1"}]


def ses(code: str, words: str = "words about ann@example.com") -> dict[str, Any]:
    return {"__type": code, "message": words}


ANSWERS: list[tuple[str, int, Any, type[Exception]]] = [
    ("resend", 400, resend("validation_error"), GOOD),
    ("resend", 401, resend("missing_api_key"), OURS),
    ("resend", 401, resend("restricted_api_key"), OURS),
    ("resend", 403, resend("invalid_api_key"), OURS),
    ("resend", 403, resend("suspended_api_key"), OURS),
    ("resend", 403, resend("validation_error"), OURS),  # the domain is not verified
    ("resend", 404, resend("not_found"), OURS),
    ("resend", 409, resend("invalid_idempotent_request"), NOBODY_KNOWS),
    ("resend", 409, resend("concurrent_idempotent_requests"), NOBODY_KNOWS),
    ("resend", 413, None, GOOD),
    ("resend", 422, resend("invalid_from_address"), OURS),
    ("resend", 422, resend("invalid_access"), OURS),
    ("resend", 422, resend("missing_required_field"), GOOD),
    ("resend", 429, resend("rate_limit_exceeded"), LATER),
    ("resend", 429, resend("daily_quota_exceeded"), OURS),
    ("resend", 429, resend("monthly_quota_exceeded"), OURS),
    ("resend", 451, resend("security_error"), LATER),
    ("resend", 500, resend("application_error"), NOBODY_KNOWS),
    ("resend", 500, resend("internal_server_error"), NOBODY_KNOWS),
    ("brevo", 400, brevo("invalid_parameter"), GOOD),
    ("brevo", 400, brevo("missing_parameter", "sender is missing"), OURS),
    ("brevo", 400, brevo("invalid_parameter", "valid sender email required"), OURS),
    ("brevo", 400, brevo("invalid_parameter", "name is not valid in to: invalid sender"), GOOD),  # a reader who calls himself so
    ("brevo", 400, brevo("duplicate_request"), NOBODY_KNOWS),
    ("brevo", 401, brevo("unauthorized", "Key not found"), OURS),
    ("brevo", 400, brevo("account_under_validation"), OURS),
    ("brevo", 402, brevo("not_enough_credits"), OURS),
    ("brevo", 403, brevo("permission_denied"), OURS),
    ("brevo", 405, brevo("method_not_allowed"), OURS),
    ("brevo", 429, None, LATER),
    ("brevo", 502, None, NOBODY_KNOWS),
    ("postmark", 401, postmark(10, "No Account or Server API tokens were supplied"), OURS),
    ("postmark", 404, postmark(0), OURS),
    ("postmark", 413, None, GOOD),
    ("postmark", 422, postmark(300), GOOD),
    ("postmark", 422, postmark(300, "Invalid 'From' address: 'hello@shop.example'."), OURS),
    ("postmark", 422, postmark(300, "Error parsing 'From': illegal email address"), OURS),
    ("postmark", 422, postmark(300, "Invalid 'To' address: '\"Invalid 'From' address\" <ann@example.com>'."), GOOD),
    ("postmark", 422, postmark(400, "The 'From' address you supplied is not a Sender Signature"), OURS),
    ("postmark", 422, postmark(401), OURS),
    ("postmark", 422, postmark(405), OURS),
    ("postmark", 422, postmark(406, "You tried to send to inactive recipient(s): ann@example.com"), GOOD),
    ("postmark", 422, postmark(412), OURS),
    ("postmark", 422, postmark(413), OURS),
    ("postmark", 429, postmark(429), LATER),
    ("postmark", 422, postmark(429), LATER),
    ("postmark", 500, postmark(0), NOBODY_KNOWS),
    ("postmark", 503, postmark(100, "Maintenance"), LATER),
    ("postmark", 503, None, NOBODY_KNOWS),
    ("sendgrid", 400, sendgrid("personalizations.0.to.0.email"), GOOD),
    ("sendgrid", 400, sendgrid("from.email", "The from email does not contain a valid address."), OURS),
    ("sendgrid", 400, {"errors": "none"}, GOOD),
    ("sendgrid", 401, sendgrid(None, "The provided authorization grant is invalid, expired, or revoked"), OURS),
    ("sendgrid", 403, sendgrid("from", "The from address does not match a verified Sender Identity."), OURS),
    ("sendgrid", 405, None, OURS),
    ("sendgrid", 413, None, GOOD),
    ("sendgrid", 429, sendgrid(None, "too many requests"), LATER),
    ("sendgrid", 500, None, NOBODY_KNOWS),
    ("sendgrid", 503, None, NOBODY_KNOWS),
    ("mailgun", 400, mailgun("to parameter is not a valid address. please check documentation"), GOOD),
    ("mailgun", 400, mailgun("from parameter is not a valid address. please check documentation"), OURS),
    ("mailgun", 400, mailgun("Domain mg.shop.example is not allowed to send: The domain is unverified."), OURS),
    ("mailgun", 400, mailgun("to parameter is not a valid address: 'from' parameter, domain x is not allowed to send"), GOOD),
    ("mailgun", 401, None, OURS),
    ("mailgun", 403, mailgun("Domain mg.shop.example is not allowed to send: Please activate your Mailgun account."), OURS),
    ("mailgun", 404, mailgun("Domain not found: mg.shop.example"), OURS),
    ("mailgun", 413, None, GOOD),
    ("mailgun", 429, None, LATER),
    ("mailgun", 500, None, NOBODY_KNOWS),
    ("mailchimp", 500, mailchimp("ValidationError"), GOOD),
    ("mailchimp", 400, mailchimp("ValidationError"), GOOD),
    ("mailchimp", 500, mailchimp("Invalid_Key"), OURS),
    ("mailchimp", 401, mailchimp("Invalid_Key"), OURS),
    ("mailchimp", 500, mailchimp("PaymentRequired"), OURS),
    ("mailchimp", 500, mailchimp("Unknown_Subaccount"), OURS),
    ("mailchimp", 500, mailchimp("ServiceUnavailable"), LATER),
    ("mailchimp", 429, None, LATER),
    ("mailchimp", 500, mailchimp("GeneralError"), NOBODY_KNOWS),
    ("mailchimp", 200, {"status": "queued"}, NOBODY_KNOWS),
    ("mailchimp", 200, taken("rejected", "unsigned"), OURS),
    ("mailchimp", 200, taken("rejected", "invalid-sender"), OURS),
    ("mailchimp", 200, taken("rejected", "test-mode-limit"), OURS),
    ("mailchimp", 200, taken("rejected", "hard-bounce"), GOOD),
    ("mailchimp", 200, taken("rejected", "rule"), GOOD),
    ("mailchimp", 200, taken("invalid"), GOOD),
    ("ses", 429, ses("TooManyRequestsException"), LATER),
    ("ses", 400, ses("LimitExceededException"), LATER),
    ("ses", 400, ses("AccountSuspendedException"), OURS),
    ("ses", 400, ses("SendingPausedException"), OURS),
    ("ses", 400, ses("MailFromDomainNotVerifiedException"), OURS),
    ("ses", 404, ses("NotFoundException"), OURS),
    ("ses", 403, ses("AccessDeniedException"), OURS),
    ("ses", 400, ses("MessageRejected"), GOOD),
    ("ses", 400, ses("MessageRejected", "Email address is not verified. These identities failed the check: hello@shop.example"), OURS),
    ("ses", 400, ses("BadRequestException"), GOOD),
    ("ses", 500, ses("InternalServiceErrorException"), NOBODY_KNOWS),
]


async def posted(name: str, status: int, body: Any, **headers: str) -> Receipt:
    def answer(_api: FakeApi, _asked: Asked) -> tuple[int, Any]:
        return status, body

    async with serving(answer) as api:
        api.headers = headers
        return await FAKES[name].make(api.url, PATIENT).deliver(message())


@pytest.mark.parametrize(("name", "status", "body", "proves"), ANSWERS)
async def test_a_documented_answer_proves_what_its_documentation_says(name: str, status: int, body: Any, proves: type[Exception]) -> None:
    with pytest.raises(proves) as raised:
        await posted(name, status, body)
    assert raised.type is proves  # ours is a kind of later
    assert "@" not in str(raised.value)  # of its words nothing is kept


async def test_a_key_that_was_used_proves_that_the_message_was_taken() -> None:
    for status in (400, 409):
        assert await posted("brevo", status, brevo("duplicate_parameter", "idempotencyKey was used before")) == Receipt(None)


async def test_what_mailchimp_queues_is_taken() -> None:
    for status in ("queued", "sent", "scheduled"):
        assert await posted("mailchimp", 200, taken(status)) == Receipt("mc-1")


HTTP = [name for name in FAKES if name not in ("ses", "blind")]


@pytest.mark.parametrize(
    ("header", "value", "seconds"),
    [
        ("Retry-After", "7", 7.0), ("ratelimit-reset", "3", 3.0), ("x-sib-ratelimit-reset", "40", 40.0),
        ("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT", None), ("Retry-After", "-1", None), ("Retry-After", "0", None),
        ("Retry-After", "²", None), ("X-RateLimit-Reset", "1792567680", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", HTTP)
async def test_a_429_says_after_how_many_seconds_where_it_does(name: str, header: str, value: str, seconds: float | None) -> None:
    with pytest.raises(ProviderBusy) as raised:
        await posted(name, 429, None, **{header: value})
    assert raised.value.retry_after == seconds


async def test_what_goes_out_bears_the_key_our_message_id_and_our_headers() -> None:
    """As the documentation of each names the fields; MIME is compared where it is made."""
    found = {}
    for name in ("resend", "brevo", "postmark", "sendgrid"):
        async with serving(FAKES[name].answer) as api:
            await FAKES[name].make(api.url, PATIENT).deliver(message())
            found[name] = api.asked[0].json
    message_id, feedback = f"<{KEY}@shop.example>", "a:b:c:d"
    assert found["resend"] == {
        "from": '"The Shop" <hello@shop.example>', "to": ['"Ann" <ann@example.com>'], "subject": "s", "html": "<p>h</p>", "text": "t",
        "headers": {"Feedback-ID": feedback, "Message-ID": message_id}, "tags": [{"name": "send_key", "value": KEY}],
        "reply_to": "help@shop.example",
    }  # fmt: skip
    assert found["brevo"] == {
        "sender": {"email": "hello@shop.example", "name": "The Shop"}, "to": [{"email": "ann@example.com", "name": "Ann"}], "subject": "s",
        "htmlContent": "<p>h</p>", "textContent": "t", "replyTo": {"email": "help@shop.example"},
        "headers": {"Feedback-ID": feedback, "Message-ID": message_id, "X-Mailin-custom": KEY, "idempotencyKey": KEY},
    }  # fmt: skip
    assert found["postmark"] == {
        "From": '"The Shop" <hello@shop.example>', "To": '"Ann" <ann@example.com>', "Subject": "s", "HtmlBody": "<p>h</p>", "TextBody": "t",
        "MessageStream": "broadcast", "Metadata": {"send_key": KEY}, "TrackOpens": False, "TrackLinks": "None",
        "ReplyTo": "help@shop.example",
        "Headers": [
            {"Name": "Feedback-ID", "Value": feedback}, {"Name": "Message-ID", "Value": message_id},
            {"Name": "X-PM-KeepID", "Value": "true"},
        ],
    }  # fmt: skip
    off = {"enable": False}
    assert found["sendgrid"] == {
        "personalizations": [{"to": [{"email": "ann@example.com", "name": "Ann"}], "custom_args": {"send_key": KEY}}],
        "from": {"email": "hello@shop.example", "name": "The Shop"}, "reply_to": {"email": "help@shop.example"}, "subject": "s",
        "content": [{"type": "text/plain", "value": "t"}, {"type": "text/html", "value": "<p>h</p>"}],
        "headers": {"Feedback-ID": feedback, "Message-ID": message_id},
        "tracking_settings": {
            "click_tracking": {**off, "enable_text": False}, "open_tracking": off, "subscription_tracking": off, "ganalytics": off,
        },
    }  # fmt: skip


async def test_a_post_to_ses_that_finds_no_connection_free_is_not_kept_for_later_and_one_given_up_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sojourn.delivery.providers import ses as module

    monkeypatch.setattr(module, "THREADS", 1)
    monkeypatch.setattr(module, "CONNECT_SECONDS", 0.2)
    async with serving(FAKES["ses"].answer) as api:
        api.fault, api.slow_seconds = "slow", 1.0
        provider = FAKES["ses"].make(api.url, PATIENT)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):  # its answer is no longer waited for, and it goes on
                await provider.deliver(message())
        with pytest.raises(ProviderBusy, match="every connection is in use"):
            await provider.deliver(message())
        await asyncio.sleep(1.0)
        assert await provider.deliver(message()) == Receipt(f"ses-{KEY}")
        assert api.accepted == [KEY, KEY]  # of the one that was given up, and of the last
