"""From an event's leaving the shop to its e-mail's handing over, on a whole `sojourn up`: quiet and loaded.

    python -m bench.latency [--quiet N] [--loaded N] [--only inbox|smtp]

Quiet: one person at a time. Loaded: ten people a second enter while 300 other events a second come
in. Into the local inbox, and over SMTP to aiosmtpd, which is told the message's last byte.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench.measuring import Report, percentile
from bench.servers import ROOT, folder, stop, wait_until
from bench.stacks import make_known, post, signed_up, stack
from sojourn.embedded import LOCAL, free_port
from tests.real.stack import Stack

GOAL_S = 1.0
PACE = 10.0  # people a second, loaded
OTHERS = 300  # events a second, loaded
LIMIT = 60.0
WARM = 10

Received = Callable[[], Mapping[str, float]]
"""Gives the moment at which each person's mail was handed over, by user id."""


class _Keeping:
    """Takes every message, and keeps when."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take a message."""
        self.at[envelope.rcpt_tos[0].partition("@")[0]] = time.time()
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[tuple[str, _Keeping]]:
    """Run a mail server in a thread and give its URL and what it keeps."""
    keeping = _Keeping()
    port = free_port()
    controller = Controller(keeping, hostname=LOCAL, port=port)
    controller.start()
    try:
        yield f"smtp://{LOCAL}:{port}?starttls=never", keeping
    finally:
        controller.stop()


def in_inbox(found: Stack) -> Received:
    """Return how to read the moments from the Maildir: a file bears when it was linked into place."""

    def received() -> dict[str, float]:
        new = found.data_dir / "inbox" / "new"
        users = dict(
            found.rows("select s.key, i.value from sends s join identifiers i on i.profile_id = s.profile_id where i.kind = 'user_id'")
        )
        return {users[path.name]: path.stat().st_ctime for path in new.iterdir() if path.name in users} if new.exists() else {}

    return received


def enter(http: httpx.Client, users: list[str], pause: Callable[[int], None]) -> dict[str, float]:
    """Let people in one by one and return when each one's event left."""
    left = {}
    for number, user in enumerate(users):
        left[user] = time.time()
        post(http, [signed_up(user)])
        pause(number)
    return left


def measure(report: Report, found: Stack, kind: str, received: Received, quiet: int, loaded: int) -> None:
    """Take both moments, quiet and loaded, of one stack."""
    with found.http as http:
        groups = {name: [f"{name}-{number}" for number in range(count)] for name, count in (("w", WARM), ("q", quiet), ("l", loaded))}
        make_known(found, http, [user for users in groups.values() for user in users])

        def arrived(users: list[str]) -> bool:
            return set(users) <= set(received())

        def one_at_a_time(users: list[str]) -> dict[str, float]:
            return enter(http, users, lambda number: wait_until(lambda: arrived(users[: number + 1]), LIMIT, "a mail", 0.1))

        one_at_a_time(groups["w"])
        report.advance(f"{kind}, quiet")
        left = one_at_a_time(groups["q"])
        quiet_p99 = _tell(report, f"{kind}, quiet", left, received())
        report.goal(f"{kind}, quiet: p99 < 1 s", quiet_p99, quiet_p99 < GOAL_S)
        report.advance(f"{kind}, loaded")
        with _others(found, loaded / PACE + 2):
            began = time.monotonic()
            left = enter(http, groups["l"], lambda number: time.sleep(max(0.0, began + (number + 1) / PACE - time.monotonic())))
            wait_until(lambda: arrived(groups["l"]), LIMIT, "everyone's mail", 0.25)
        _tell(report, f"{kind}, loaded", left, received())


def _tell(report: Report, case: str, left: Mapping[str, float], came: Mapping[str, float]) -> float:
    took = [came[user] - at for user, at in left.items()]
    p99 = percentile(took, 0.99)
    report.case(case, people=len(took), p50_ms=percentile(took, 0.5) * 1000, p99_ms=p99 * 1000, worst_ms=max(took) * 1000)
    return p99


@contextmanager
def _others(found: Stack, seconds: float) -> Iterator[None]:
    """Send other people's events meanwhile."""
    command = [sys.executable, "-m", "bench.load", found.url, found.write_key, "--rate", str(OTHERS / 10), "--seconds", str(seconds)]
    process = subprocess.Popen([*command, "--batch", "10"], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        stop(process)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quiet", type=int, default=40, help="people, one at a time (40)")
    parser.add_argument("--loaded", type=int, default=100, help="people, ten a second (100)")
    parser.add_argument("--only", choices=["inbox", "smtp"], help="one way of delivery")
    asked = parser.parse_args()
    with folder() as data, Report("latency", 4) as report:
        for kind in [asked.only] if asked.only else ["inbox", "smtp"]:
            (data / kind).mkdir()
            if kind == "inbox":
                with stack(data / kind) as found:
                    measure(report, found, kind, in_inbox(found), asked.quiet, asked.loaded)
            else:
                with mail_server() as (url, keeping), stack(data / kind, "--smtp-url", url) as found:
                    measure(report, found, kind, lambda: dict(keeping.at), asked.quiet, asked.loaded)


if __name__ == "__main__":
    main()
