"""Exceptions in log lines: type, message and causes as fields, and a traceback that keeps its beginning and its end.

What is transient, or was called off, is normal flow: whoever logs it (a library, Temporal's SDK), it is one line of
level info without a traceback.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

from sojourn.errors import SojournError, Transient
from sojourn.redaction import MAX_TEXT, cut, redact

_MAX_MESSAGE = 1_000
_MAX_CAUSE = 300
_MAX_CAUSES = 8
_MAX_LINKS = 12  # exceptions of a chain that are shown: as many of the first ones as of the last
_MAX_GROUP = 5  # exceptions of a group that are shown
_MAX_NESTED = 3
# Frames from the beginning and from the end of each traceback, and characters of each message: the first that fits is taken.
_BUDGETS = ((20, 40, 2_000), (5, 15, 1_000), (3, 6, 500), (1, 3, 300), (1, 1, 150))
_BECAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_MEANWHILE = "\nDuring handling of the above exception, another exception occurred:\n\n"

Link = tuple[str, BaseException]  # how it follows from what stands above it, and the exception


def is_normal_flow(error: BaseException | None) -> bool:
    """Tell whether the same call may succeed later, or was called off; also where Temporal's SDK or a group bears the error."""
    if isinstance(error, Transient | asyncio.CancelledError):
        return True
    if isinstance(error, BaseExceptionGroup):
        return all(is_normal_flow(one) for one in error.exceptions)
    if error is not None and type(error).__module__.split(".")[0] == "temporalio":
        called_off = type(error).__name__ == "CancelledError"
        return called_off or getattr(error, "type", None) in _transient_names() or is_normal_flow(error.__cause__)
    return False


def _transient_names() -> set[str]:
    names, kinds = set(), [Transient]
    while kinds:
        kind = kinds.pop()
        names.add(kind.__name__)
        kinds += kind.__subclasses__()
    return names


class NormalFlowIsInfo(logging.Filter):
    """Makes a line about normal flow one of level info; where we ourselves call it an error, it stays one.

    Args:
        level: the least that is written.
    """

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is written."""
        ours = record.msg if isinstance(record.msg, dict) and hasattr(record, "_logger") else None
        error = _exception(ours.get("exc_info") if ours is not None else record.exc_info)
        if ours is not None and error is not None:
            ours["exc_info"] = error
        if not is_normal_flow(error) or (ours is not None and record.levelno >= logging.ERROR):
            return True
        if record.levelno > logging.INFO:
            record.levelno, record.levelname = logging.INFO, "INFO"
            if ours is not None:
                ours["level"] = "info"
        return record.levelno >= self._level


def exception_fields(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Tell an exception by fields; a structlog processor."""
    error = _exception(line.pop("exc_info", None))
    if error is not None:
        line.update(error_fields(error))
    return line


def error_fields(error: BaseException, *, hide_message: bool = False) -> dict[str, Any]:
    """Return what a line says of an exception: its type, message and causes, and its traceback unless it is transient.

    Args:
        error: the exception.
        hide_message: say nothing of what others' exceptions say: where what a person sent is read, they may quote it.
    """
    fields: dict[str, Any] = {"exception_type": type(error).__name__}
    message = _message(error, _MAX_MESSAGE, hidden=hide_message)
    if message:
        fields["exception_message"] = message
    causes = [_named(one, hidden=hide_message) for _, one in reversed(list(_chain(error))) if one is not error]
    if causes:
        fields["caused_by"] = causes if len(causes) <= _MAX_CAUSES else [*causes[: _MAX_CAUSES - 1], causes[-1]]
    if not is_normal_flow(error):
        fields["exception"] = traceback_text(error, hidden=hide_message)
    return fields


def traceback_text(error: BaseException, *, hidden: bool = False) -> str:
    """Return an exception with those that led to it, as Python shows them; the middle of what is long is left out."""
    links = list(_chain(error))
    left_out = len(links) - _MAX_LINKS
    if left_out > 0:
        half = _MAX_LINKS // 2
        links = [*links[:half], (f"\n… {left_out} exceptions left out …\n\n", links[-half][1]), *links[-half + 1 :]]
    text = ""
    for first, last, limit in _BUDGETS:
        text = "".join(how + _shown(one, first, last, limit, hidden=hidden) for how, one in links).rstrip()
        if len(text) <= MAX_TEXT:
            break
    return cut(text)


def _chain(error: BaseException, nested: int = 0, seen: set[int] | None = None) -> Iterator[Link]:
    """Give an exception after those that led to it; those of a group follow the group."""
    seen = set() if seen is None else seen
    line: list[Link] = []
    one: BaseException | None = error
    while one is not None:
        seen.add(id(one))
        led = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
        led = None if id(led) in seen else led
        line.append(("" if led is None else _BECAUSE if led is one.__cause__ else _MEANWHILE, one))
        one = led
    for how, link in reversed(line):
        yield how, link
        if isinstance(link, BaseExceptionGroup) and nested < _MAX_NESTED:
            for number, part in enumerate(link.exceptions[:_MAX_GROUP], 1):
                title = f"\nException {number} of the {len(link.exceptions)} of the group above:\n\n"
                for within, inner in _chain(part, nested + 1, seen):
                    yield within or title, inner


def _shown(error: BaseException, first: int, last: int, limit: int, *, hidden: bool) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    lines = ["Traceback (most recent call last):\n"] if frames else []
    if len(frames) <= first + last:
        lines += traceback.format_list(frames)
    else:
        left_out = f"  … {len(frames) - first - last} frames left out …\n"
        lines += [*traceback.format_list(frames[:first]), left_out, *traceback.format_list(frames[-last:])]
    said = _named(error, limit, hidden=True) if hidden else redact("".join(traceback.format_exception_only(error)).rstrip(), limit)
    return "".join(lines) + said + "\n"


def _named(error: BaseException, limit: int = _MAX_CAUSE, *, hidden: bool) -> str:
    message = _message(error, limit, hidden=hidden)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _message(error: BaseException, limit: int, *, hidden: bool) -> str:
    if hidden and not isinstance(error, SojournError):
        return ""
    try:
        return redact(str(error), limit)
    except Exception:
        return "(it has no text)"


def _exception(exc_info: Any) -> BaseException | None:
    """Return the exception that a line is about, however the line was given it."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) > 1 and isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None
