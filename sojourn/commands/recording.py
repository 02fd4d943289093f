"""A recorded event file, and when each of its events happens again."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from sojourn.errors import Terminal

_KINDS = ("track", "identify", "page", "screen", "group", "alias")


class UnreadableRecording(Terminal):
    """A file is not a recording; the message says what is wrong, and on which line."""


@dataclass(frozen=True)
class Recorded:
    """One Segment call of a recording."""

    at: datetime
    line: int
    body: bytes  # as in the file: kept small, parsed again when it is sent

    def call(self) -> dict[str, Any]:
        """Return the call as a mapping."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass(frozen=True)
class Retiming:
    """How a recording's moments become moments of the shop while it is replayed.

    A paced replay plays recorded time `speed` times as fast as real time, from its first event on. One
    at full speed (`speed` None) shifts the whole recording so that its last event happens now.
    """

    first: datetime
    last: datetime
    speed: float | None
    scale: float = 1.0  # the server's time scale: how fast the shop's time runs beside the real one

    def due(self, at: datetime) -> float:
        """Return after how many real seconds an event is to be sent."""
        return 0.0 if self.speed is None else (at - self.first).total_seconds() / self.speed

    def ago(self, at: datetime, elapsed: float) -> timedelta:
        """Return how long ago, in the shop's time, an event happened that is sent now.

        Args:
            at: its recorded moment.
            elapsed: real seconds since the replay began; past its due moment, since events leave in batches.
        """
        if self.speed is None:
            return self.last - at
        return timedelta(seconds=max(0.0, elapsed - self.due(at)) * self.scale)


def read_recording(path: Path, limit: int | None = None) -> list[Recorded]:
    """Return a file's calls in order of time; at most `limit` of them.

    Raises:
        UnreadableRecording: there is no such file, or a line is not a Segment call with a moment.
    """
    events = sorted(_lines(path), key=lambda event: event.at)  # stable: calls of one moment keep their order
    if not events:
        raise UnreadableRecording(f"{path} holds no events")
    return events[:limit]


def outgoing(event: Recorded, sent_at: datetime, ago: timedelta, run_id: str | None) -> dict[str, Any]:
    """Return a call as it goes out: re-timed, and under a message id of this run.

    Intake takes an event to be as old as `sentAt` minus `originalTimestamp` says, whatever the two clocks show.

    Args:
        event: what was recorded.
        sent_at: the real moment of sending.
        ago: how long ago it happened, in the shop's time.
        run_id: makes the message ids new, so that the recording is lived once more; None keeps them.
    """
    call = event.call()
    call.pop("timestamp", None)  # would stand as it is: intake takes it for corrected
    call |= {"originalTimestamp": (sent_at - ago).isoformat(), "sentAt": sent_at.isoformat()}
    if run_id is not None:
        call["messageId"] = str(uuid5(NAMESPACE_URL, f"replay:{run_id}:{call.get('messageId', event.line)}"))
    return call


def _lines(path: Path) -> Iterator[Recorded]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _recorded(path, number, line.strip())
    except FileNotFoundError:
        raise UnreadableRecording(f"there is no file {path}; the recorded shop is examples/online_retail.jsonl.gz") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableRecording(f"{path} cannot be read: {error}") from None


def _recorded(path: Path, number: int, line: bytes) -> Recorded:
    try:
        call = orjson.loads(line)
    except ValueError:
        raise UnreadableRecording(f"{path}:{number}: not JSON; a recording has one Segment call a line") from None
    if not isinstance(call, dict) or call.get("type") not in _KINDS:
        raise UnreadableRecording(f"{path}:{number}: not a Segment call; its type must be one of {', '.join(_KINDS)}")
    try:
        at = datetime.fromisoformat(call.get("originalTimestamp") or call["timestamp"])
    except (KeyError, TypeError, ValueError):
        raise UnreadableRecording(f"{path}:{number}: needs an originalTimestamp such as 2026-01-05T09:00:00Z") from None
    return Recorded(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC), number, line)
