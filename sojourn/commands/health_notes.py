"""What `sojourn up` says while it runs: a sentence when a part is not well, or segments are being built, and one when that is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sojourn.clock import monotonic

LOOK_EVERY_S = 5.0
LIMIT_S = 2.0  # for an answer; meanwhile nobody looks after the parts
SURE_AFTER = 2  # looks that find it so: what one message had to wait for is no news
# By the part of /api/health: what is said of it, and what once it is well again.
TROUBLES = {
    "delivery": ("mail waits", "mail goes out again"),
    "workflows": ("entries and workflows did not fit", "entries and workflows fit again"),
}


class HealthNotes:
    """Turns what health says, from one look to the next, into the sentences that are news."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._seen: dict[str, int] = dict.fromkeys(TROUBLES, 0)  # looks in a row that found other than what was told
        self._building = False

    def news(self, health: Mapping[str, Any]) -> list[str]:
        """Return what is to be said after a look.

        Args:
            health: an answer of `/api/health`, with its parts.
        """
        parts = health.get("parts") or {}
        found = [text for name in TROUBLES if name in parts and (text := self._of_part(name, parts[name]))]
        building, was = health.get("building", 0) > 0, self._building
        self._building = building
        if building and not was and "segments" in parts:
            found.append(f"{parts['segments']['detail']}; `sojourn segment list` shows how far they are")
        elif was and not building:
            found.append("all segments are built")
        return found

    def _of_part(self, name: str, part: Mapping[str, Any]) -> str:
        wrong = part["state"] != "ok"
        if wrong == (name in self._told):
            self._seen[name] = 0
            return ""
        self._seen[name] += 1
        if self._seen[name] < SURE_AFTER:
            return ""
        self._seen[name] = 0
        begins, ends = TROUBLES[name]
        if wrong:
            self._told.add(name)
            return f"{begins}: {part['detail']}"
        self._told.discard(name)
        return ends


class HealthWatch:
    """Looks at the health of a running Sojourn every few seconds.

    Args:
        url: where its API is.
        token: the admin token.
    """

    def __init__(self, url: str, token: str) -> None:
        import httpx  # a third of a second, which no other command has to pay

        self._failures = (httpx.HTTPError, ValueError)
        self._client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=LIMIT_S, trust_env=False)
        self._notes = HealthNotes()
        self._looked_at = 0.0

    def news(self) -> list[str]:
        """Return what is to be said now; mostly nothing. An API that does not answer says nothing either."""
        if monotonic() - self._looked_at < LOOK_EVERY_S:
            return []
        try:
            answer = self._client.get("/api/health").json()
        except self._failures:
            return []
        finally:
            self._looked_at = monotonic()
        return self._notes.news(answer)
