"""Takes out of a text or a log line whatever could tell a person apart, and the middle of what is too long."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

# A pattern that begins with many letters is tried where they begin only: else its time grows with the square of an unbroken text.
_LOCAL, _LABEL = r"[\w.+'\u0080-\uffff-]", r"[\w\u0080-\uffff-]"  # also of international domains, whose marks are no \w
_PATTERNS = (
    (re.compile(rf"(?<!{_LOCAL})(?:{_LOCAL}+(?:@|%40|\uff20){_LABEL}+(?:\.{_LABEL}+)+)+", re.IGNORECASE), "[e-mail]"),
    (re.compile(r"(?<![\w.])\+\d[\d ().-]{7,}\d"), "[phone]"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), r"\1 [secret]"),
    (re.compile(r"(?<!\w)(\w+://)[^\s/@:]*:[^\s/@]+@"), r"\1[secret]@"),
    (re.compile(r"\b(writeKey|write_key|token|password|secret)=[^\s&\"']+", re.IGNORECASE), r"\1=[secret]"),
    # Values that libraries quote in an error's message: pydantic's input, and the row that PostgreSQL refused.
    (re.compile(r"\binput_value=.*?(, input_type=|$)", re.MULTILINE), r"input_value=[redacted]\1"),
    (re.compile(r"(\bKey \([^()]*\))=\(.*?\)(?=[ ,.]|$)", re.MULTILINE), r"\1=([redacted])"),
)
# What a person may be told by, whatever its value looks like.
_PERSONAL = frozenset(
    {
        *("email", "e_mail", "mail", "to", "to_address", "from_address", "address", "phone", "street", "postal_code", "city", "birthday"),
        *("first_name", "last_name", "firstname", "lastname", "to_name", "user_id", "anonymous_id", "external_id", "ip", "user_agent"),
        *("traits", "properties", "context", "body", "html", "text", "subject"),
        *("authorization", "write_key", "admin_token", "secret_key", "password", "token"),
    }
)
_MAX_DEPTH = 6
MAX_TEXT = 8_000
_MARK = 40  # characters that say how many were cut
_LOOKED_AT = 2 * MAX_TEXT  # of each end of a longer text
_SPLIT = 2_000  # characters beside a cut in which half an address or half a token may stand


def cut(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text of at most `limit` characters: its middle is left out, its beginning and its end stay."""
    return text if len(text) <= limit else _ends(text, text, limit, len(text))


def _ends(head: str, tail: str, limit: int, length: int) -> str:
    half = (limit - _MARK) // 2
    return f"{head[:half]}… ({length - 2 * half} characters cut) …{tail[-half:]}"


def redact(text: str, limit: int = MAX_TEXT) -> str:
    """Return a text without e-mail addresses, phone numbers, tokens and passwords; of a long one both ends."""
    if len(text) <= 2 * _LOOKED_AT:
        return cut(_replaced(text), limit)
    head, tail = _replaced(text[:_LOOKED_AT])[:-_SPLIT], _replaced(text[-_LOOKED_AT:])[_SPLIT:]
    return _ends(head, tail, limit, len(text))


def _replaced(text: str) -> str:
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def _redact_value(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {
            redact(str(key)): "[redacted]" if str(key).lower() in _PERSONAL else _redact_value(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(item, depth + 1) for item in value]
    return redact(str(value))


def redact_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take personal data out of a whole line; a structlog processor."""
    for key in list(line):
        line[key] = "[redacted]" if key.lower() in _PERSONAL else _redact_value(line[key])
    return line
