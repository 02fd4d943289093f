from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from sojourn.clock import SystemClock, TimeScale, real_now
from sojourn.logs import configure_logs, redact


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_what_it_is_about(out: io.StringIO) -> None:
    configure_logs("json", process="router", stream=out)
    structlog.get_logger("sojourn.intake").info("batch routed", events=3, journey="cart_abandonment")
    (line,) = lines(out)
    assert (line["event"], line["events"], line["journey"], line["level"]) == ("batch routed", 3, "cart_abandonment", "info")
    assert (line["process"], line["logger"]) == ("router", "sojourn.intake")
    assert datetime.fromisoformat(str(line["at"])).tzinfo is not None
    assert "time_scale" not in line


def test_a_fast_clock_is_on_every_line(out: io.StringIO) -> None:
    scale = TimeScale(scale=3600, real_origin=real_now(), shop_origin=datetime(2030, 1, 1, tzinfo=UTC))
    configure_logs("json", clock=SystemClock(scale), stream=out)
    structlog.get_logger().info("ours")
    logging.getLogger("uvicorn").info("theirs")
    assert [line["time_scale"] for line in lines(out)] == [3600.0, 3600.0]
    assert str(lines(out)[0]["shop_time"]).startswith("2030-01")


@pytest.mark.parametrize("style", ["json", "console"])
def test_no_line_of_ours_or_a_librarys_tells_who_a_person_is(out: io.StringIO, style: str) -> None:
    configure_logs(style, stream=out)  # type: ignore[arg-type]
    ours = structlog.get_logger("sojourn")
    ours.warning("mail to ann@shop.example refused", email="canary", traits={"x": "canary"}, nested={"deep": [{"first_name": "canary"}]})
    ours.warning("found", who=["bob.o'neil+x@shop.co.uk"], path="/api/profiles/ann%40shop.example/timeline")
    logging.getLogger("uvicorn.access").info('%s - "GET %s"', "127.0.0.1", "/x?email=ann@shop.example&token=canary")
    logging.getLogger("aiosmtplib").error("call +44 20 7946 0958 or smtp://user:canary@mail", extra={"address": "canary"})
    try:
        raise ValueError("cannot render for ann@shop.example, Bearer canary-canary")
    except ValueError:
        ours.exception("failed")
    text = out.getvalue()
    for personal in ("canary", "ann@", "ann%40", "neil", "7946"):
        assert personal not in text
    assert "ValueError" in text
    assert "[e-mail]" in text


@given(
    local=st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_.+-]{0,20}[A-Za-z0-9_])?", fullmatch=True),
    host=st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z]{2,6}){1,2}", fullmatch=True),
    around=st.sampled_from(["{}", "<{}>", "to {}.", '"{}"', "x={}&y", "mailto:{}?subject=x", "({})"]),
)
def test_an_address_is_taken_out_wherever_it_stands(local: str, host: str, around: str) -> None:
    assert f"{local}@{host}" not in redact(around.format(f"{local}@{host}"))


@pytest.mark.parametrize(
    "text", ["2026-03-02T09:00:00+00:00", "journey:cart:5f0c6a1e-0000-4000-8000-000000000001", "step 3.then.1", "3 < 4 @ noon"]
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a@b.cc+d@e.ff, c'd@e.ff", "[e-mail], [e-mail]"),
        ("aaa@bbb@c.de ..a@b.cd..e@f.gh", "aaa@[e-mail] [e-mail]"),
        ("xhttp://u:p@h://v:q@i", "xhttp://[secret]@h://[secret]@i"),
        ("m" * 15_000 + "@x.example " + "m" * 15_000, "[e-mail] "),
    ],
)
def test_addresses_are_taken_out_whatever_stands_beside_them(text: str, told: str) -> None:
    assert redact(text).startswith(told)


def test_debug_is_silent_unless_asked_for(out: io.StringIO) -> None:
    configure_logs("json", stream=out)
    structlog.get_logger().debug("quiet")
    assert out.getvalue() == ""
    configure_logs("json", level="debug", stream=out)
    structlog.get_logger().debug("loud")
    assert [line["event"] for line in lines(out)] == ["loud"]


def test_the_parts_of_libraries_are_not_listed_at_each_start(out: io.StringIO) -> None:
    configure_logs("json", stream=out)
    logging.getLogger("alembic.runtime.plugins").info("setup plugin alembic.autogenerate.tables")
    assert out.getvalue() == ""
    logging.getLogger("alembic.runtime.plugins").warning("a plugin is broken")
    assert [line["event"] for line in lines(out)] == ["a plugin is broken"]
