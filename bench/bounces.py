"""How many bounce mails are read in a second: taken apart, found to be of a message of ours, and classified.

    python -m bench.bounces [--mails 2000]

In one process without a store. Each mail differs, so that nothing is remembered from the one before; the copy of the message in
it is as long as a shipped content's HTML. A third are reports (RFC 3464), a third have words only, a third are complaints (ARF).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from uuid import UUID

from bench.measuring import Report
from sojourn.delivery import bounces

GOAL = 400.0
HTML = '<p>Hello, your cart waits. <a href=3D"https://mail.example/c/abc">Back to it</a></p>=\n' * 250  # about 20 kB, as a mail's
REFUSALS = (
    "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table", "552 5.2.2 The mailbox of {to} is over quota",
    "550 5.7.26 This mail has been blocked because the sender is unauthenticated", "554 5.7.1 Message {n} rejected as spam",
    "550 Requested action not taken: mailbox unavailable ({n})", "451 4.7.1 Greylisted, come back in {n} seconds",
    "550 something that no table knows, number {n}",
)  # fmt: skip


def _copy(n: int) -> str:
    return (
        f"Return-Path: <hello@shop.example>\nReceived: by mx{n}.example (Foo Mail 5.1.6)\nMessage-ID: <{UUID(int=n)}@shop.example>\n"
        f"To: p{n}@example.com\nSubject: Your cart waits\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n{HTML}\n"
    )


def _refusal(n: int) -> str:
    return REFUSALS[n % len(REFUSALS)].format(to=f"p{n}@example.com", n=n)


def report_of(n: int) -> bytes:
    """Return a report as Postfix writes it."""
    return (
        f"From: MAILER-DAEMON@mx{n}.example\nSubject: Undelivered Mail Returned to Sender\nDate: Mon, 02 Mar 2026 12:01:00 +0000\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        f"This is the mail system at host mx{n}.example.\n\n<p{n}@example.com>: host mx said: {_refusal(n)}\n\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx{n}.example\n\nFinal-Recipient: rfc822; p{n}@example.com\n"
        f"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; {_refusal(n)}\n\n--b\nContent-Type: message/rfc822\n\n{_copy(n)}\n--b--\n"
    ).encode()


def words_of(n: int) -> bytes:
    """Return a bounce in words, as qmail writes it."""
    return (
        f"From: MAILER-DAEMON@mx{n}.example\nSubject: failure notice\nDate: Mon, 02 Mar 2026 12:01:00 +0000\n\n"
        f"Hi. This is the qmail-send program at mx{n}.example.\n\n<p{n}@example.com>:\nRemote host said: {_refusal(n)}\n\n"
        f"--- Below this line is a copy of the message.\n\n{_copy(n)}"
    ).encode()


def complaint_of(n: int) -> bytes:
    """Return a feedback report."""
    return (
        f"From: fbl@isp{n}.example\nSubject: complaint\nDate: Mon, 02 Mar 2026 12:01:00 +0000\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\nContent-Type: text/plain\n\nA complaint.\n\n'
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{_copy(n)}\n--b--\n"
    ).encode()


KINDS: dict[str, Callable[[int], bytes]] = {"reports": report_of, "in words": words_of, "complaints": complaint_of}


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=2_000, help="how many of each kind (2000)")
    count = parser.parse_args().mails
    with Report("bounces", len(KINDS)) as report:
        spent = 0.0
        for name, make in KINDS.items():
            report.advance(name)
            mails = [make(n) for n in range(1, count + 1)]
            began = time.process_time()
            told = [bounces.notices(mail) for mail in mails]
            seconds = time.process_time() - began
            if not all(told):
                raise SystemExit(f"{name}: {sum(not each for each in told)} mails were not read")
            spent += seconds
            kilobytes = round(len(mails[0]) / 1000)
            report.case(name, **{"mails/s": round(count / seconds), "cpu ms": round(1000 * seconds / count, 3), "kB a mail": kilobytes})
        rate = len(KINDS) * count / spent
        report.goal("bounce mails read in a second of processor time, at least 400", round(rate), rate >= GOAL)


if __name__ == "__main__":
    main()
