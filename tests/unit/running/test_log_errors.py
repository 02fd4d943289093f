"""Exceptions in log lines: the cause is always there, and what is normal is one quiet line."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, RetryState
from temporalio.testing import ActivityEnvironment

from sojourn import errors
from sojourn.log_errors import error_fields
from sojourn.logs import configure_logs
from sojourn.redaction import redact
from sojourn.store import outlast
from workflows.runtime import logging_runtime

LIMIT = 12_000  # characters of a line, whatever it is about


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def deep(frames: int, message: str) -> None:
    if frames == 0:
        raise ValueError(message)
    other(frames - 1, message)


def other(frames: int, message: str) -> None:  # two that call each other are not shortened by Python
    deep(frames, message)


def failing(frames: int = 0, message: str = "the root of it", causes: int = 0) -> BaseException:
    """Return an exception that was raised, with so many exceptions between it and its root."""
    try:
        try:
            deep(frames, message)
        except ValueError as error:
            led: BaseException = error
            for number in range(causes):
                led = _raised(RuntimeError(f"step {number}"), led)
            raise LookupError("what was asked for") from led
    except LookupError as error:
        return error
    raise AssertionError("nothing failed")


def _raised(error: BaseException, cause: BaseException) -> BaseException:
    try:
        raise error from cause
    except BaseException as raised:
        return raised


@pytest.mark.parametrize(
    ("frames", "message", "causes"), [(0, "short", 0), (200, "x" * 50, 0), (3, "m" * 60_000, 2), (200, "y z " * 9_000, 40)]
)
def test_the_cause_of_a_failure_is_in_its_line_however_long_the_traceback(out: io.StringIO, frames: int, message: str, causes: int) -> None:
    configure_logs("json", stream=out)
    structlog.get_logger("sojourn").error("ours", exc_info=failing(frames, f"begins {message} ends", causes))
    logging.getLogger("library").error("theirs", exc_info=failing(frames, f"begins {message} ends", causes))
    assert len(lines(out)) == 2
    for line in lines(out):
        assert (line["exception_type"], line["exception_message"]) == ("LookupError", "what was asked for")
        assert line["caused_by"][-1].startswith("ValueError: begins ")
        assert line["caused_by"][-1].endswith(" ends")
        text = line["exception"]
        assert text.startswith("Traceback (most recent call last):\n")
        assert text.endswith("LookupError: what was asked for")
        assert "ValueError: begins " in text
        assert " ends\n\nThe above exception was the direct cause" in text
        assert len(text) <= 8_000
        assert len(json.dumps(line)) < LIMIT


def test_every_exception_of_a_group_is_told(out: io.StringIO) -> None:
    configure_logs("json", stream=out)

    parts = [failing(150, "of the first task"), failing(0, "of the second task")]
    error = _raised(BaseExceptionGroup("of tasks", parts), failing(0, "of what led to them"))
    structlog.get_logger("sojourn").error("a role failed", exc_info=error)
    (line,) = lines(out)
    assert line["exception_type"] == "ExceptionGroup"
    assert {f"ValueError: of {one}" for one in ("the first task", "the second task", "what led to them")} <= set(line["caused_by"])
    for said in line["caused_by"]:
        assert said in line["exception"]


def test_a_long_text_keeps_its_end(out: io.StringIO) -> None:
    configure_logs("json", stream=out)
    structlog.get_logger("sojourn").warning("refused", because="begins " + "x " * 20_000 + "the reason")
    logging.getLogger("library").warning("begins %s the reason", "x" * 300_000)
    ours, theirs = lines(out)
    for text in (ours["because"], theirs["event"]):
        assert text.startswith("begins ")
        assert text.endswith("the reason")
        assert "characters cut" in text
        assert len(text) <= 8_000


def test_no_half_of_an_address_or_a_token_stands_beside_a_cut() -> None:
    for filler in range(15_900, 16_100, 7):
        personal, beside, far = "ann.canary@canary.example Bearer canarycanarycanary", "a " * (filler // 2), "b " * 30_000
        assert "canary" not in redact(beside + personal + far)
        assert "canary" not in redact(far + personal + beside)


def test_an_exceptions_message_tells_of_nobody(out: io.StringIO) -> None:
    configure_logs("json", stream=out)
    messages = [
        "cannot write to ann@canary.example",
        "1 validation error for Person\nname\n  Input should be a number [type=int, input_value='Ann Canary', input_type=str]",
        'duplicate key value violates unique constraint "people"\nDETAIL:  Key (last_name)=(Canary) already exists.',
    ]
    for message in messages:
        error = _raised(RuntimeError(message), ValueError(message))
        structlog.get_logger("sojourn").error("failed", exc_info=error)
        logging.getLogger("library").warning("failed", exc_info=_raised(errors.ProviderBusy(message), ValueError(message)))
    structlog.get_logger("sojourn").error("counted", by={"ann@canary.example": 3})
    logging.getLogger("library").warning("hidden", extra={"_who": "ann@canary.example"})
    assert "canary" not in out.getvalue().lower()
    assert "violates unique constraint" in out.getvalue()


def test_where_a_message_may_quote_a_person_only_its_place_is_told(out: io.StringIO) -> None:
    configure_logs("json", stream=out)
    error = _raised(_raised(ValueError("Ann Canary"), KeyError("Canary")), errors.BadEvent("a text is no time"))
    structlog.get_logger("sojourn").error("a call failed", **error_fields(error, hide_message=True))
    (line,) = lines(out)
    assert (line["exception_type"], line["caused_by"]) == ("ValueError", ["BadEvent: a text is no time"])
    assert line["exception"].endswith("\nValueError")
    assert "in _raised" in line["exception"]
    assert "Canary" not in out.getvalue()


def transient() -> list[type[errors.Transient]]:
    found: list[type[errors.Transient]] = []
    kinds = [errors.Transient]
    while kinds:
        kind = kinds.pop()
        found.append(kind)
        kinds += [one for one in kind.__subclasses__() if one.__module__ == errors.__name__]
    return found


def borne(kind: type[errors.Transient]) -> list[BaseException]:
    """Return an error as itself, in a group, and as Temporal's SDK bears it, here and from another process."""
    itself = _raised(kind("not now"), OSError("refused"))
    elsewhere = ActivityError(
        "Activity task failed", scheduled_event_id=1, started_event_id=2, identity="", activity_type="send", activity_id="1",
        retry_state=RetryState.IN_PROGRESS,
    )  # fmt: skip
    elsewhere.__cause__ = ApplicationError("not now", type=kind.__name__)
    return [itself, BaseExceptionGroup("of tasks", [itself]), _raised(ApplicationError("not now"), itself), elsewhere]


@pytest.mark.parametrize("style", ["json", "console"])
def test_what_may_succeed_later_is_one_line_without_a_traceback_whoever_logs_it(out: io.StringIO, style: str) -> None:
    configure_logs(style, stream=out)  # type: ignore[arg-type]
    assert len(transient()) >= 10
    said = 0
    for kind in transient():
        for error in borne(kind):
            for logger in ("temporalio.activity", "uvicorn.error", "asyncio"):
                logging.getLogger(logger).warning("Completing activity as failed", exc_info=error)
                logging.getLogger(logger).error("Exception in ASGI application\n", exc_info=error)
            structlog.get_logger("sojourn").warning("ours", exc_info=error)
            said += 7
    text = out.getvalue()
    assert len(text.splitlines()) == said
    assert "Traceback" not in text
    assert "not now" in text
    if style == "json":
        assert {line["level"] for line in lines(out)} == {"info"}
        assert max(map(len, text.splitlines())) < 700
    else:
        assert "warning" not in text


@pytest.mark.parametrize("error", [asyncio.CancelledError("Activity cancelled"), CancelledError("Activity cancelled")])
def test_what_was_called_off_is_one_line_with_what_it_was_about(out: io.StringIO, error: BaseException) -> None:
    configure_logs("json", stream=out)
    raised = _raised(error, errors.NotCaughtUp("not yet"))
    logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=raised)
    (line,) = lines(out)
    assert (line["level"], line["exception_message"], line["caused_by"]) == ("info", "Activity cancelled", ["NotCaughtUp: not yet"])
    assert "exception" not in line


def test_what_is_quiet_is_not_written_where_only_warnings_are_wanted(out: io.StringIO) -> None:
    configure_logs("json", level="warning", stream=out)
    logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=errors.NotCaughtUp("not yet"))
    assert out.getvalue() == ""


def test_what_is_wrong_keeps_its_level_and_its_traceback(out: io.StringIO) -> None:
    configure_logs("json", stream=out)
    bug = _raised(TypeError("a bug while it was handled"), errors.ProviderBusy("not now"))
    mixed = ExceptionGroup("of tasks", [errors.NotCaughtUp("not yet"), ValueError("a bug")])
    wrong: list[BaseException] = [bug, mixed, errors.NotFound("no such entry"), ApplicationError("no such entry", type="NotFound")]
    for error in wrong:
        logging.getLogger("temporalio.activity").warning("Completing activity as failed", exc_info=error)
    structlog.get_logger("sojourn").error("a role failed", exc_info=_raised(errors.StoreUnavailable("away"), OSError("gone")))
    told = lines(out)
    assert [line["level"] for line in told] == ["warning"] * len(wrong) + ["error"]
    assert all(line["exception"] for line in told[:-1])
    assert (told[-1]["exception_message"], told[-1]["caused_by"]) == ("away", ["OSError: gone"])
    assert "exception" not in told[-1]


def test_what_temporals_core_says_is_a_line_of_ours(out: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    from temporalio.client import Client

    configure_logs("json", level="debug", stream=out)
    logging.getLogger("temporalio").setLevel(1)
    try:

        async def call() -> None:
            with pytest.raises(RuntimeError):
                await Client.connect("127.0.0.1:1", runtime=logging_runtime("", "TRACE"))
            for _ in range(100):  # the core hands its lines over every few milliseconds
                if out.getvalue():
                    return
                await asyncio.sleep(0.05)

        asyncio.run(call())
    finally:
        logging.getLogger("temporalio").setLevel(logging.NOTSET)
    told = [line for line in lines(out) if str(line["logger"]).startswith("temporalio.core")]
    assert told
    assert all(isinstance(line["event"], str) and "temporal_log" not in line for line in told)
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""


def test_a_line_of_an_activity_says_its_ids_once_as_fields(out: io.StringIO) -> None:
    from temporalio import activity

    logging_runtime()
    configure_logs("json", stream=out)
    ActivityEnvironment().run(lambda: activity.logger.warning("Completing activity as failed"))
    (line,) = lines(out)
    assert line["event"] == "Completing activity as failed"
    assert line["temporal_activity"]["workflow_id"]


def test_a_line_that_cannot_be_formatted_is_said_in_a_line(out: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    class Mute:
        def __str__(self) -> str:
            raise ValueError("mute")

    configure_logs("json", stream=out)
    logging.getLogger("library").warning("%d of %s", "none", "them")
    logging.getLogger("library").warning("%s", Mute())
    structlog.get_logger("sojourn").info("share", of=float("nan"), nothing=float("-inf"))
    first, second, third = [json.loads(line, parse_constant=pytest.fail) for line in out.getvalue().splitlines()]
    assert (first["event"], first["of"], second["error"]) == ("a log line could not be written", "library", "ValueError")
    assert (third["of"], third["nothing"]) == ("nan", "-inf")
    assert capsys.readouterr().err == ""
    assert sys.exc_info()[1] is None


def test_a_store_that_is_away_is_told_of_once_and_then_from_time_to_time(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logs("json", stream=out)
    monkeypatch.setattr(outlast, "AWAY_PAUSE_S", 0.0)
    left = 0

    async def once() -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise errors.StoreUnavailable("busy")

    for every, levels in ((1e9, ["info"]), (0.0, ["info"] + ["warning"] * 48)):
        monkeypatch.setattr(outlast, "AWAY_SAID_EVERY_S", every)
        left = 50
        asyncio.run(outlast.outlast("fit", once))
        assert [line["level"] for line in lines(out)] == levels
        out.seek(0)
        out.truncate()


SAYS = """
import asyncio, gc, os, threading, warnings
from sojourn.errors import NotCaughtUp
from sojourn.log_errors import error_fields
from sojourn.logs import configure_logs, log_uncaught
configure_logs("json", process="role")
log_uncaught()
warnings.simplefilter("always")
warnings.warn("old")
class Ends:
    def __del__(self):
        raise ValueError("at its end")
Ends()
def fail(error):
    raise error
thread = threading.Thread(target=fail, args=[ValueError("in a thread")])
thread.start()
thread.join()
async def forgotten():
    for error in (ValueError("in a task"), NotCaughtUp("not yet")):
        asyncio.create_task(asyncio.sleep(0)).add_done_callback(lambda _, error=error: fail(error))
    await asyncio.sleep(0.05)
asyncio.run(forgotten())
fail(KeyError("at last"))
"""


def test_what_python_would_print_is_a_line_too() -> None:
    done = subprocess.run([sys.executable, "-c", SAYS], cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=60)
    told = [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]
    assert [line.get("exception_message", line["event"]) for line in told] == [
        "old", "at its end", "in a thread", "in a task", "not yet", "'at last'"
    ]  # fmt: skip
    assert [line["level"] for line in told] == ["warning", "error", "error", "error", "info", "error"]
    assert (told[0]["category"], done.returncode) == ("UserWarning", 1)
