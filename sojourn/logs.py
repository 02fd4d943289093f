"""Log lines, as JSON or for a console, with whatever could tell a person apart taken out.

Redaction is the last thing before a line is written, so that it also covers libraries' lines and
the text of exceptions. As JSON every line of a role is one object: what Python itself would write to the
terminal (warnings, uncaught exceptions, lines that cannot be formatted) is a log line too.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from sojourn.clock import REAL_TIME, SystemClock, real_now
from sojourn.log_errors import NormalFlowIsInfo, exception_fields
from sojourn.redaction import redact, redact_line

__all__ = ["configure_logs", "json_is_asked_for", "log_uncaught", "redact"]

_NAME = __name__
_FORMAT = "SOJOURN_LOG_FORMAT"  # as the settings call it, which may not be read yet, or be wrong


def json_is_asked_for() -> bool:
    """Tell whether log lines are to be JSON, whatever the other settings say."""
    return os.environ.get(_FORMAT) == "json"


class _OneStream(logging.StreamHandler[TextIO]):
    """Writes lines; of one that cannot be formatted it says so in a line, where Python would print a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:
        if record.name == _NAME:
            return  # not even this can be written: the stream itself is gone
        error = sys.exc_info()[1]
        said = {"of": record.name, "place": f"{record.pathname}:{record.lineno}", "error": type(error).__name__, "because": str(error)}
        logger = logging.getLogger(_NAME)
        self.emit(logger.makeRecord(_NAME, logging.ERROR, "", 0, "a log line could not be written", (), None, extra=said))


def _drop_repetition(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    line.pop("color_message", None)  # uvicorn says everything twice
    line.pop("__temporal_error_identifier", None)
    if isinstance(line.get("event"), str):
        line["event"] = line["event"].strip()
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
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="at", exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _drop_repetition, exception_fields, redact_line, renderer],
    )
    root = logging.getLogger()
    root.setLevel(level.upper())
    handler = _OneStream(out)
    handler.setFormatter(formatter)
    handler.addFilter(NormalFlowIsInfo(root.level))
    root.handlers[:] = [handler]
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


def log_uncaught() -> None:
    """Have warnings and exceptions that nobody caught logged, instead of printed to the terminal by Python."""
    log = structlog.get_logger("sojourn")

    def warned(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any) -> None:
        logging.getLogger("py.warnings").warning(str(message), extra={"category": category.__name__, "place": f"{filename}:{lineno}"})

    def uncaught(_kind: type[BaseException], error: BaseException, _trace: Any) -> None:
        log.error("an exception was not caught", exc_info=error)

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        log.error("an exception was not caught in a thread", thread=args.thread.name if args.thread else None, exc_info=args.exc_value)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        log.error("an exception could not be raised", because=args.err_msg, exc_info=args.exc_value)

    warnings.showwarning = warned
    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
    sys.unraisablehook = unraisable
