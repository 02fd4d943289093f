"""Log lines, as JSON or for a console, with whatever could tell a person apart taken out.

Redaction is the last thing before a line is written, so that it also covers libraries' lines and
the text of exceptions.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from sojourn.clock import REAL_TIME, SystemClock, real_now

_PATTERNS = (
    # Also of international domains, whose marks are no \w.
    (re.compile(r"[\w.+'\u0080-\uffff-]+(?:@|%40|\uff20)[\w\u0080-\uffff-]+(?:\.[\w\u0080-\uffff-]+)+", re.IGNORECASE), "[e-mail]"),
    (re.compile(r"(?<![\w.])\+\d[\d ().-]{7,}\d"), "[phone]"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), r"\1 [secret]"),
    (re.compile(r"(\w+://)[^\s/@:]*:[^\s/@]+@"), r"\1[secret]@"),
    (re.compile(r"\b(writeKey|write_key|token|password|secret)=[^\s&\"']+", re.IGNORECASE), r"\1=[secret]"),
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
_MAX_TEXT = 8_000


def redact(text: str) -> str:
    """Return a text without e-mail addresses, phone numbers, tokens and passwords."""
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "… (cut)"


def _redact_value(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return redact(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= _MAX_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {str(key): "[redacted]" if str(key).lower() in _PERSONAL else _redact_value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(item, depth + 1) for item in value]
    return redact(str(value))


def redact_line(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Take personal data out of a whole line; a structlog processor."""
    for key in list(line):
        if key.startswith("_"):
            continue  # structlog's own, removed before writing
        line[key] = "[redacted]" if key.lower() in _PERSONAL else _redact_value(line[key])
    return line


def _drop_repetition(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.pop("color_message", None)  # uvicorn says everything twice
    return line


def configure_logs(
    style: Literal["json", "console"] = "console",
    *,
    level: str = "info",
    process: str = "sojourn",
    clock: SystemClock | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process, libraries' included, to one stream in one form.

    Args:
        style: JSON for machines, console for people.
        level: the least that is written.
        process: the name of this process, on each line.
        clock: the shop's; where it does not run as the real time does, each line says so.
        stream: where to; standard error by default.
    """
    out = stream or sys.stderr

    def stamp(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        line["at"] = real_now().isoformat(timespec="milliseconds")
        line["process"] = process
        if clock is not None and clock.scale != REAL_TIME:
            line["time_scale"] = clock.scale.scale
            line["shop_time"] = clock.now().isoformat(timespec="seconds")
        return line

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        stamp,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="at", exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _drop_repetition, redact_line, renderer],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "temporalio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
