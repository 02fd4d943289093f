"""A whole `sojourn up` for measuring, with the definitions that are measured, and people who are known to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.definitions import write_definitions
from bench.measuring import cpu_seconds
from bench.servers import wait_until
from tests.real.stack import Stack, running

BATCH = 100
ROUTED_LIMIT = 60.0


@contextmanager
def stack(data: Path, *flags: str) -> Iterator[Stack]:
    """Run `sojourn up` on a folder of its own."""
    journeys = write_definitions(data)
    with running(data / "var", "--journeys-dir", str(journeys), *flags) as found:
        yield found


def post(http: httpx.Client, calls: Sequence[dict[str, Any]]) -> None:
    """Send events in batches; every one must be taken."""
    for start in range(0, len(calls), BATCH):
        answer = http.post("/v1/batch", json={"batch": list(calls[start : start + BATCH])})
        assert answer.json() == {"success": True}, answer.text


def identify(user: str) -> dict[str, Any]:
    """Return the event by which a person becomes known, with an address and a consent."""
    return {
        "type": "identify", "messageId": f"identify-{user}", "userId": user,
        "traits": {"email": f"{user}@customer.example", "first_name": "Ada"},
        "context": {"consent": {"categoryPreferences": {"marketing": True}}},
    }  # fmt: skip


def signed_up(user: str) -> dict[str, Any]:
    """Return the event that lets a person in."""
    return {"type": "track", "messageId": f"signed-up-{user}", "userId": user, "event": "Signed Up", "properties": {}}


def make_known(stack: Stack, http: httpx.Client, users: Sequence[str]) -> None:
    """Let people be known, and wait until the router knows them."""
    post(http, [identify(user) for user in users])
    wait_until(lambda: routed(stack), ROUTED_LIMIT, "the routing of everyone's profile", 0.1)


def routed(stack: Stack) -> bool:
    """Tell whether the router has taken in the whole log."""
    return bool(stack.rows("select coalesce((select seq from cursors where name = 'router'), 0) >= (select max(seq) from inbound)")[0][0])


def handed_over(stack: Stack) -> dict[str, float]:
    """Return when each mail came into the inbox, in seconds since 1970, by its key."""
    new = stack.data_dir / "inbox" / "new"
    return {path.name: path.stat().st_ctime for path in new.iterdir()} if new.exists() else {}


def cpu_by_part(stack: Stack) -> dict[str, float]:
    """Return the processor seconds that each part has used so far."""
    return {part: cpu_seconds(stack.pid_of(part)) for part in ("temporal", "api", "router", "worker")}
