"""What a role writes where JSON is asked for, whatever comes of it: one object a line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from sojourn.launch import PYTHON

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
    # Python's own switches are set so that it says all it has to say.
    loud = {"PYTHONWARNINGS": "always", "PYTHONDEVMODE": "1"}
    return {**kept, **loud, "SOJOURN_LOG_FORMAT": "json", "SOJOURN_DATA_DIR": str(tmp_path / "var"), **settings}


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def told(text: str) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        one = json.loads(line)
        assert isinstance(one, dict), line
        assert {"event", "level", "at", "process"} <= one.keys(), line
        found.append(one)
    return found


def test_a_role_that_cannot_start_says_why_in_its_last_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    wrong = [
        ("worker", {"SOJOURN_PORT": "abc"}, "SOJOURN_PORT is not valid"),
        ("router", {"SOJOURN_DATABASE_URL": f"sqlite:///{tmp_path / 'file'}"}, "is no database"),
        ("all", {"SOJOURN_JOURNEYS_DIR": str(tmp_path / "nowhere")}, "no such folder"),
    ]
    for role, settings, sentence in wrong:
        done = subprocess.run([*PYTHON, role], cwd=ROOT, env=environment(tmp_path, **settings), capture_output=True, text=True, timeout=120)
        last = told(done.stdout + done.stderr)[-1]
        assert done.returncode == 1
        assert (last["event"], last["level"], last["process"]) == ("a role ends", "error", role)
        assert sentence in last["because"]


def test_every_line_of_a_role_from_its_start_to_its_stop_is_json(tmp_path: Path) -> None:
    port = free_port()
    own = environment(tmp_path, SOJOURN_PORT=port, SOJOURN_TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}", SOJOURN_LOG_LEVEL="debug")
    with subprocess.Popen([*PYTHON, "all"], cwd=ROOT, env=own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as role:
        assert role.stdout is not None
        said = ""
        for line in role.stdout:
            said += line
            if '"listening"' in line:
                break
        assert httpx.get(f"http://127.0.0.1:{port}/nowhere").status_code == 404
        with socket.create_connection(("127.0.0.1", int(port))) as garbage:
            garbage.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
            garbage.recv(1)
        role.send_signal(signal.SIGTERM)
        said += role.stdout.read()
    events = [line["event"] for line in told(said)]
    assert "listening" in events
    assert any("waiting for Temporal" in event for event in events)
    assert role.returncode == 0
