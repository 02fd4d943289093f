"""Mails in the manner of real servers: a bounce is hard only where the address itself is said not to exist."""

# ruff: noqa: E501 - mails stand here as they are

from __future__ import annotations

import base64
import mailbox
import quopri
from email import message_from_bytes
from pathlib import Path

import pytest
from bounce_corpus import HARD, REPORTED, SAID, SOFT
from delivery_world import NOON, DeliveryWorld
from test_bounces import KEY, report

from sojourn.customers import suppression
from sojourn.delivery import bounces, sending
from sojourn.delivery.bounces import Bounce, Complaint
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.tokens import Purpose, Tokens
from sojourn.delivery.webhooks.base import Kind
from sojourn.delivery.webhooks.taking import BOUNCE_MAIL, take
from sojourn.intake.emit import emit

SECRET = "the secret of the shop, which is long enough"
COPY = f"Return-Path: <hello@shop.example>\nReceived: by mx (Foo Mail 5.1.6) id 5.1.1\nMessage-ID: <{KEY}@shop.example>\nTo: ann@example.com\nSubject: Your cart waits\n\nHello\n"


def dsn(
    *recipients: str, copy: str = COPY, words: str = "It could not be delivered.", kind: str = "text/rfc822-headers", encoding: str = ""
) -> bytes:
    """Return a report with a group of fields for each recipient."""
    head = 'From: MAILER-DAEMON@mx.example.com\nSubject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
    groups = "\n\n".join(("Reporting-MTA: dns; mx.example.com", *recipients))
    encoded = {"base64": lambda raw: base64.encodebytes(raw), "quoted-printable": quopri.encodestring}.get(encoding, lambda raw: raw)
    said = f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""

    def part(of: str, text: str) -> bytes:
        return f"--b\nContent-Type: {of}\n{said}\n".encode() + encoded(text.encode()) + b"\n"

    return (
        head.encode() + part("text/plain; charset=utf-8", words) + part("message/delivery-status", groups) + part(kind, copy) + b"--b--\n"
    )


def fields(status: str, diagnostic: str, address: str = "rfc822; ann@example.com", action: str = "failed") -> str:
    said = f"\nDiagnostic-Code: {diagnostic}" if diagnostic else ""
    return f"Final-Recipient: {address}\nAction: {action}\nStatus: {status}{said}"


def worded(subject: str, text: str, sender: str = "MAILER-DAEMON@mx.example.com", more: str = "") -> bytes:
    return f"From: {sender}\nTo: hello@shop.example\nSubject: {subject}\n{more}Content-Type: text/plain; charset=utf-8\n\n{text}{COPY}".encode()


def test_of_each_report_it_is_told_whether_the_address_is_said_not_to_exist() -> None:
    wrong = []
    for status, diagnostic, hard in REPORTED:
        found = bounces.read(dsn(fields(status, diagnostic)))
        assert found is not None
        assert (found.send_key, found.addresses) == (KEY, {"ann@example.com"})
        if found.hard is not hard:
            wrong.append((status, diagnostic, found.reason, found.status))
    assert wrong == []


def test_of_each_mail_without_a_report_too() -> None:
    wrong = []
    for subject, text, hard in SAID:
        found = bounces.read(worded(subject, text))
        if found is None or found.hard is not hard or found.addresses != {"ann@example.com"} or found.kind is not Kind.BOUNCED:
            wrong.append((subject, text[:80], found))
    assert wrong == []


@pytest.mark.parametrize("encoding", ["", "base64", "quoted-printable"])
@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822"])
def test_reports_and_copies_are_read_in_any_encoding(kind: str, encoding: str) -> None:
    found = bounces.read(dsn(fields("5.1.1", "smtp; 550 User unknown"), kind=kind, encoding=encoding))
    assert found is not None
    assert (found.addresses, found.hard) == ({"ann@example.com"}, True)


@pytest.mark.parametrize("value", ["ann@example.com", "<ann@example.com>", "rfc822;ann@example.com", "RFC822; <Ann@Example.com>", "rfc822; ann@example.com (Ann)",
                                   "utf-8; ann@example.com", "x-unknown; ann@example.com", " ; ann@example.com"])  # fmt: skip
def test_a_recipient_is_read_with_or_without_its_type(value: str) -> None:
    found = bounces.read(dsn(fields("5.1.1", "", value)))
    assert found is not None
    assert found.addresses == {"ann@example.com"}


def test_of_several_recipients_each_has_its_own_verdict() -> None:
    raw = dsn(
        fields("5.2.2", ""), fields("5.1.1", "smtp; 550 user unknown", "rfc822; bob@example.com"), fields("5.7.1", "", "cy@example.com")
    )
    found = {next(iter(each.addresses)): each.hard for each in bounces.read_all(raw) if isinstance(each, Bounce)}
    assert found == {"ann@example.com": False, "bob@example.com": True, "cy@example.com": False}
    whole = bounces.read(raw)
    assert whole is not None
    assert whole.addresses == {"ann@example.com", "bob@example.com", "cy@example.com"}


@pytest.mark.parametrize(("action", "kind"), [("delayed", Kind.DEFERRED), ("relayed", Kind.ACCEPTED), ("delivered", Kind.DELIVERED), ("expanded", Kind.ACCEPTED),
                                              ("Failed", Kind.BOUNCED), ("failed (bounced)", Kind.BOUNCED), ("FAILURE", Kind.BOUNCED)])  # fmt: skip
def test_only_a_failure_is_one(action: str, kind: Kind) -> None:
    found = bounces.read(dsn(fields("5.1.1", "smtp; 550 user unknown", action=action)))
    assert found is not None
    assert (found.kind, found.hard) == (kind, kind is Kind.BOUNCED)


def test_a_delay_that_is_told_in_words_is_none() -> None:
    text = "This is a warning message only. YOU DO NOT NEED TO RESEND.\n\n  ann@example.com\n    host mx.example.com: 451 4.7.1 try again later\n\n"
    found = bounces.read(worded("Warning: message delayed 24 hours", text))
    assert found is not None
    assert (found.kind, found.hard) == (Kind.DEFERRED, False)


def test_an_absence_an_answer_and_a_note_are_no_bounces() -> None:
    absent = "I am out of the office until 5.1.1 and cannot be reached; my address ann@example.com does not exist for you.\n\n"
    for subject in (
        "Out of Office: Your cart waits",
        "Automatische Antwort: Abwesenheit",
        "自動応答: Your cart",
        "Réponse automatique : absence",
    ):
        for sender in ("ann@example.com", "postmaster@example.com"):
            assert bounces.read_all(worded(subject, absent, sender, "Auto-Submitted: auto-replied\n")) == []
    assert bounces.read_all(worded("Re: Your cart waits", "I moved, unknown user here? 550!\n\n> ", "ann@example.com")) == []


def test_where_it_was_forwarded_our_readers_address_is_not_given_up() -> None:
    found = bounces.read_all(dsn(fields("5.1.1", "smtp; 550 user unknown", "rfc822; ann@elsewhere.example")))
    assert [(each.addresses, each.hard) for each in found if isinstance(each, Bounce)] == [
        ({"ann@elsewhere.example"}, True),
        ({"ann@example.com"}, False),
    ]


@pytest.mark.parametrize("name", ["In-Reply-To", "References"])
def test_a_bounce_without_a_copy_is_known_by_what_it_answers_to(name: str) -> None:
    raw = dsn(fields("5.1.1", ""), copy="Subject: Your cart waits\n").replace(
        b"MIME-Version", f"{name}: <{KEY}@shop.example>\nMIME-Version".encode(), 1
    )
    found = bounces.read(raw)
    assert found is not None
    assert (found.send_key, found.hard) == (KEY, True)


def arf(feedback: str = "abuse", copy: str = COPY, more: str = "", encoding: str = "") -> bytes:
    said = f"Content-Transfer-Encoding: {encoding}\n" if encoding else ""
    body = base64.encodebytes(copy.encode()).decode() if encoding == "base64" else copy
    return (
        "From: <abusedesk@example.com>\nDate: Mon, 02 Mar 2026 12:10:00 +0000\nSubject: FW: Your cart waits\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\nContent-Type: text/plain\n\nThis is an email abuse report.\n\n'
        f"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {feedback}\nUser-Agent: SomeGenerator/1.0\nVersion: 1\n{more}\n"
        f"--b\nContent-Type: message/rfc822\n{said}\n{body}\n--b--\n"
    ).encode()


REDACTED = "From: hello@shop.example\nTo: redacted@example.com\nSubject: Your cart waits\nMessage-ID: <redacted@redacted>\n"
TOKEN = Tokens(SECRET).sign(Purpose.UNSUBSCRIBE, KEY)


@pytest.mark.parametrize(
    ("copy", "encoding"),
    [
        (COPY, ""), (COPY, "base64"), (REDACTED + f"List-Unsubscribe: <https://mail.example/u/{TOKEN}>\n\nHello\n", ""),
        (REDACTED + f'Content-Type: multipart/alternative; boundary="=_{KEY}"\n\nHello\n', ""),
        (REDACTED + f"X-Mailgun-Variables: {{\"send_key\": \"{KEY}\"}}\n\nHello\n", ""),
        (REDACTED + f"\n<a href=3D\"https://mail.example/c/{TOKEN[:20]}=\n{TOKEN[20:]}\">Cart</a>\n", ""),
    ],
)  # fmt: skip
def test_a_feedback_report_is_a_complaint_also_where_the_address_is_taken_out(copy: str, encoding: str) -> None:
    (told,) = bounces.notices(arf(copy=copy, encoding=encoding, more="Original-Rcpt-To: redacted@example.com\n"))
    assert (told.kind, told.send_key, told.code) == (Kind.COMPLAINED, KEY, "abuse")
    assert bounces.read(arf(copy=copy)) is None


@pytest.mark.parametrize(("feedback", "kind"), [("abuse", Kind.COMPLAINED), ("fraud", Kind.COMPLAINED), ("other", Kind.COMPLAINED), ("Abuse", Kind.COMPLAINED),
                                                ("not-spam", Kind.ACCEPTED), ("auth-failure", Kind.ACCEPTED), ("opt-out", Kind.UNSUBSCRIBED)])  # fmt: skip
def test_what_a_feedback_report_says_depends_on_its_type(feedback: str, kind: Kind) -> None:
    (told,) = bounces.notices(arf(feedback))
    assert told.kind is kind


def test_a_complaint_of_outlook_is_heard_without_a_report() -> None:
    raw = (
        'From: staff@hotmail.example\nSubject: complaint about message from 192.0.2.1\nContent-Type: multipart/mixed; boundary="b"\n\n'
        f"--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: ann@example.com\n{COPY}\n--b--\n"
    ).encode()
    assert bounces.read_all(raw) == [Complaint(KEY, "abuse")]


@pytest.fixture
def town(world: DeliveryWorld) -> DeliveryWorld:
    world.plan()
    world.db.write_now(sending.claim, world.key, NOON, world.rules, Memory())
    return world


def test_a_complaint_by_mail_suppresses_the_address_once_and_anothers_changes_nothing(town: DeliveryWorld) -> None:
    def complained(raw: bytes) -> int:
        return town.db.write_now(take, BOUNCE_MAIL, bounces.notices(raw), NOON, SECRET, emit).new

    assert complained(arf()) == 0  # of no message of this shop
    assert complained(arf("not-spam", COPY.replace(KEY, town.key))) == 1
    assert town.db.read_now(suppression.suppressed, SECRET, "ann@example.com") is None
    assert [complained(arf(copy=COPY.replace(KEY, town.key))) for _ in range(2)] == [1, 0]
    assert town.db.read_now(suppression.suppressed, SECRET, "ann@example.com") == "complaint"


def test_a_report_of_several_recipients_counts_only_for_the_one_that_we_wrote_to(town: DeliveryWorld) -> None:
    raw = dsn(fields("5.2.2", ""), fields("5.1.1", "smtp; 550 user unknown", "bob@example.com"), copy=COPY.replace(KEY, town.key))
    assert town.db.write_now(take, BOUNCE_MAIL, bounces.notices(raw), NOON, SECRET, emit).new == 1
    assert town.db.read_now(suppression.suppressed, SECRET, "ann@example.com") is None


def test_a_mailbox_holds_both(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for raw in (report(), arf()):
        box.add(message_from_bytes(raw))
    box.flush()
    read = [bounces.notices(each.as_bytes())[0].kind for each in mailbox.mbox(tmp_path / "box")]
    assert read == [Kind.BOUNCED, Kind.COMPLAINED]


def test_the_corpus_has_enough_of_both() -> None:
    for hard in (HARD, SOFT):
        assert sum(row[-1] is hard for row in [*REPORTED, *SAID]) >= 60
