"""`sojourn replay` sends a recording again: re-timed, counted, and tried again where that helps."""

import gzip
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sojourn.commands.recording import Recorded, Retiming, UnreadableRecording, outgoing, read_recording
from sojourn.commands.replay import LONGEST_WAIT, Intake, Tally, Unreachable, parse_speed, register, replay, until_same_hour
from sojourn.errors import SettingsError
from sojourn.intake.envelope import read_call

BEGAN = datetime(2010, 11, 1, 8, tzinfo=UTC)
HOURS = (0.0, 1.0, 1.5, 6.0)


class Listening:
    """A small server in intake's place: keeps what it is sent, answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.refuse: list[tuple[int, dict[str, str]]] = []  # answers before the first 200
        self.quarantined: list[str] = []
        self.health: dict[str, Any] = {"time_scale": 36_000.0}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, outer.health)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.keys.add(self.headers["authorization"])
                if outer.refuse:
                    status, headers = outer.refuse.pop(0)
                    self.answer(status, {"success": False}, headers)
                    return
                outer.bodies.append(body)
                told = [{"messageId": call["messageId"], "reason": "bad"} for call in body["batch"] if call["event"] in outer.quarantined]
                self.answer(200, {"success": True, "quarantined": told} if told else {"success": True})

            def answer(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                for name, value in {**(headers or {}), "content-length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def calls(self) -> list[dict[str, Any]]:
        return [call for body in self.bodies for call in body["batch"]]

    def ages(self) -> list[float]:
        """How old, in hours of the shop, each event was when it was sent."""
        moments = [(datetime.fromisoformat(call["sentAt"]), datetime.fromisoformat(call["originalTimestamp"])) for call in self.calls()]
        return [(sent - happened) / timedelta(hours=1) for sent, happened in moments]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def listening() -> Iterator[Listening]:
    server = Listening()
    yield server
    server.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    lines = [
        {"type": "track", "event": f"E{i}", "userId": "u", "messageId": f"m{i}", "originalTimestamp": str(BEGAN + timedelta(hours=hour))}
        for i, hour in enumerate(HOURS)
    ]
    path = tmp_path / "shop.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    return path


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, " ".join(result.output.split())


def test_at_full_speed_gaps_stay_and_the_last_event_is_now(listening: Listening, recording: Path) -> None:
    code, said = run(recording, "--speed", "max", "--url", listening.url, "--write-key", "key-12345")
    assert code == 0
    assert listening.ages() == pytest.approx([HOURS[-1] - hour for hour in HOURS], abs=0.001)
    assert "4 accepted" in said
    assert listening.keys == {"Basic a2V5LTEyMzQ1Og=="}


class Hand:
    """A clock that only sleeping moves: what a busy machine takes its time for takes none of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started = datetime(2026, 1, 5, tzinfo=UTC)
        self.passed = 0.0
        monkeypatch.setattr("sojourn.commands.replay.monotonic", lambda: self.passed)
        monkeypatch.setattr("sojourn.commands.replay.real_now", lambda: self.started + timedelta(seconds=self.passed))
        monkeypatch.setattr("sojourn.commands.replay.replay", partial(replay, sleep=self.sleep))

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


def test_paced_by_the_servers_time_scale_each_event_leaves_at_its_moment_as_old_as_its_delay(
    listening: Listening, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Hand(monkeypatch)
    code, _ = run(recording, "--url", listening.url, "--write-key", "key-12345")
    assert code == 0
    shop = [
        # what intake makes of it: the shop's moment of arrival, less the age
        (datetime.fromisoformat(call["sentAt"]) - clock.started) / timedelta(seconds=1) * 10 - age
        for call, age in zip(listening.calls(), listening.ages(), strict=True)
    ]
    assert [moment - shop[0] for moment in shop] == pytest.approx(HOURS, abs=0.001)
    assert 0.6 <= clock.passed < 0.7  # six hours at ten hours a second, and no longer than batches are gathered


def test_each_run_has_message_ids_of_its_own_unless_named_alike_or_kept(listening: Listening, recording: Path) -> None:
    common = (recording, "--speed", "max", "--url", listening.url, "--write-key", "key-12345")
    for more in ((), (), ("--run-id", "a"), ("--run-id", "a"), ("--same-ids",)):
        assert run(*common, *more)[0] == 0
    first, second, named, again, kept = ({call["messageId"] for call in body["batch"]} for body in listening.bodies)
    assert not first & second
    assert named == again
    assert kept == {"m0", "m1", "m2", "m3"}


def test_an_overloaded_server_is_asked_again_when_it_says_so(listening: Listening, recording: Path) -> None:
    listening.refuse = [(429, {"retry-after": "7"}), (503, {}), (500, {})]
    waited: list[float] = []
    events, tally = read_recording(recording), Tally()
    with Intake(listening.url, "key", sleep=waited.append) as intake:
        replay(events, intake, Retiming(events[0].at, events[-1].at, None), run_id="r", tally=tally)
    assert waited == [7.0, 0.5, 1.0]
    assert (tally.accepted, tally.retried) == (4, 3)


def test_a_server_that_never_recovers_ends_the_replay(listening: Listening, recording: Path) -> None:
    listening.refuse = [(503, {})] * 50
    events, tally = read_recording(recording), Tally()
    with Intake(listening.url, "key", sleep=lambda _: None) as intake, pytest.raises(Unreachable, match="status 503 8 times"):
        replay(events, intake, Retiming(events[0].at, events[-1].at, None), run_id="r", tally=tally)
    assert tally.sent == 0


def test_quarantined_events_are_told(listening: Listening, recording: Path) -> None:
    listening.quarantined = ["E1", "E2"]
    _, said = run(recording, "--speed", "max", "--url", listening.url, "--write-key", "key-12345")
    assert "2 accepted, 2 quarantined" in said


def test_limit_sends_the_first_ones_only(listening: Listening, recording: Path) -> None:
    run(recording, "--speed", "max", "--limit", 2, "--url", listening.url, "--write-key", "key-12345")
    assert [call["event"] for call in listening.calls()] == ["E0", "E1"]
    assert listening.ages()[-1] == 0


def test_without_a_server_it_says_how_to_start_one(recording: Path) -> None:
    server = Listening()
    server.close()
    code, said = run(recording, "--url", server.url, "--write-key", "key-12345")
    assert code == 1
    assert "start one with: sojourn up" in said


def test_a_wrong_write_key_is_said(listening: Listening, recording: Path) -> None:
    listening.refuse = [(401, {})]
    code, said = run(recording, "--speed", "max", "--url", listening.url, "--write-key", "key-12345")
    assert code == 1
    assert "does not know this write key" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json\n", ":1: not JSON"),
        ('{"type": "order"}\n', ":1: not a Segment call"),
        ('\n{"type": "track", "event": "A"}\n', ":2: needs an originalTimestamp"),
        ("", "holds no events"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    with pytest.raises(UnreadableRecording, match=said):
        read_recording(path)


def test_a_missing_or_truncated_file_is_said(tmp_path: Path, recording: Path) -> None:
    with pytest.raises(UnreadableRecording, match="there is no file"):
        read_recording(tmp_path / "none.jsonl")
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(recording.read_bytes()[:-20])
    with pytest.raises(UnreadableRecording, match="cannot be read"):
        read_recording(broken)


def test_lines_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    line = '{{"type": "track", "event": "{0}", "originalTimestamp": "2026-01-05T0{0}:00Z"}}\n'
    path.write_text("".join(line.format(hour) for hour in (3, 1, 2)))
    assert [event.call()["event"] for event in read_recording(path)] == ["1", "2", "3"]


@pytest.mark.parametrize(("text", "speed"), [(None, 3600.0), ("max", None), ("60", 60.0), ("0.5", 0.5)])
def test_speed_is_a_number_or_max_and_the_servers_by_default(text: str | None, speed: float | None) -> None:
    assert parse_speed(text, 3600.0) == speed


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf"])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="positive number or max"):
        parse_speed(text, 1.0)


@given(gap=st.floats(0, 1e6), speed=st.floats(0.1, 1e5), scale=st.floats(0.1, 1e5), late=st.floats(0, 10))
def test_whenever_it_leaves_an_event_lands_at_its_gap_times_scale_over_speed(gap: float, speed: float, scale: float, late: float) -> None:
    at = BEGAN + timedelta(seconds=gap)
    retiming = Retiming(BEGAN, at, speed, scale)
    elapsed = retiming.due(at) + late
    landed = elapsed * scale - retiming.ago(at, elapsed).total_seconds()
    assert landed == pytest.approx((at - BEGAN).total_seconds() / speed * scale, rel=1e-6, abs=1e-3)


@given(hours=st.integers(0, 10_000), scale=st.floats(1, 1e5))
def test_a_wait_for_the_recordings_hour_ends_at_that_hour_or_is_not_worth_it(hours: int, scale: float) -> None:
    shop = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(hours=hours)
    wait = until_same_hour(BEGAN, shop, scale)
    reached = (BEGAN - shop - timedelta(seconds=wait * scale)) % timedelta(days=1)
    assert 0 <= wait <= LONGEST_WAIT
    assert min(reached, timedelta(days=1) - reached) < timedelta(seconds=1) or (wait == 0 and scale < 86_400 / LONGEST_WAIT)


def test_a_server_that_does_not_tell_its_shops_time_is_not_waited_for() -> None:
    assert until_same_hour(BEGAN, None, 3600) == 0


def test_a_recorded_timestamp_does_not_go_out_beside_the_new_one() -> None:
    body = b'{"type":"track","event":"A","timestamp":"2010-11-01T08:00:00Z"}'
    call = outgoing(Recorded(BEGAN, 1, body), BEGAN, timedelta(0), "r")
    assert "timestamp" not in call


def test_intake_takes_a_replayed_event_for_as_old_as_it_is_in_the_shop_whatever_the_shops_clock_shows(recording: Path) -> None:
    events, shop_now, sent_at = read_recording(recording), datetime(2031, 5, 1, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC)
    retiming = Retiming(events[0].at, events[-1].at, None)
    batch = [outgoing(event, sent_at, retiming.ago(event.at, 0.0), "r") for event in events]
    call = read_call("batch", json.dumps({"batch": batch, "sentAt": batch[-1]["sentAt"]}).encode(), received_at=shop_now)
    assert not call.quarantined
    assert [(shop_now - envelope.time) / timedelta(hours=1) for envelope in call.envelopes] == [HOURS[-1] - hour for hour in HOURS]
