"""Durations as people write them: `30m`, `24h`, `1d 6h`."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_WHOLE = re.compile(r"^\s*(?:\d+(?:\.\d+)?\s*[smhdw]\s*)+$")
MAX_DURATION = timedelta(days=3650)


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as `1d 6h` means.

    Raises:
        ValueError: it is not one, or longer than ten years; the message says what may stand there.
    """
    if not _WHOLE.match(text):
        raise ValueError(f"{text!r} is not a duration; write a number and s, m, h, d or w, such as 30m, 24h or 1d 6h")
    duration = timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text)))
    if duration > MAX_DURATION:
        raise ValueError(f"{text!r} is longer than ten years")
    return duration


def format_duration(duration: timedelta) -> str:
    """Return a duration as an author would write it, such as `1d 6h`; the inverse of parse_duration."""
    seconds = int(duration.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
