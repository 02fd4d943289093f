"""`sojourn up` with Temporal's real development server; the roles are stand-ins that only say that they are ready."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from sojourn.embedded import find_temporal, free_port

pytestmark = pytest.mark.real

ROLE = """
import time
from sojourn.readiness import say_ready
from sojourn.settings import load_settings
load_settings()
say_ready()
time.sleep(600)
"""
JOURNEYS = Path(__file__).parents[2] / "journeys"
UP = "import typer; from sojourn.commands import up; app = typer.Typer(); up.register(app); app()"


def until(test: Callable[[], object], limit_s: float = 60.0) -> None:
    deadline = time.monotonic() + limit_s
    while not test():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.05)


class Running:
    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder = folder
        (folder / "worker.py").write_text(ROLE)
        self.out = folder / f"out{len(list(folder.glob('out*')))}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
        environment |= {"COLUMNS": "160", "SOJOURN_JOURNEYS_DIR": str(JOURNEYS)}
        with self.out.open("wb") as out:
            command = [sys.executable, "-c", UP, "--port", str(free_port()), "--ui-port", str(free_port()), *flags]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out)

    @property
    def said(self) -> str:
        return self.out.read_text()

    def parts(self) -> dict[str, psutil.Process]:
        found = {}
        for child in psutil.Process(self.process.pid).children():
            try:
                words = child.cmdline()
            except (psutil.ZombieProcess, psutil.NoSuchProcess):
                continue
            if words:
                found["temporal" if "start-dev" in words else words[-1]] = child
        return found

    def wait_until_up(self) -> None:
        until(lambda: "Ctrl-C stops it" in self.said or self.process.poll() is not None)
        assert "Sojourn is up" in self.said, self.said

    def temporal(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = self.parts()["temporal"].cmdline()
        command = [find_temporal(), *arguments, "--address", f"127.0.0.1:{words[words.index('--port') + 1]}", "-o", "json"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def knows_the_workflow(self) -> bool:
        shown = self.temporal("workflow", "describe", "-w", "kept")
        return shown.returncode == 0 and json.loads(shown.stdout)["workflowExecutionInfo"]["execution"]["workflowId"] == "kept"


@contextmanager
def up(folder: Path, *flags: str) -> Iterator[Running]:
    running = Running(folder, *flags)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(60)


def test_up_starts_all_stops_all_and_goes_on_where_it_was(tmp_path: Path) -> None:
    with up(tmp_path, "--time-scale", "3600") as first:
        first.wait_until_up()
        assert set(first.parts()) == {"temporal", "api", "worker", "router"}
        keys = json.loads((tmp_path / "var/keys.json").read_text())
        for shown in (keys["write_key"], keys["admin_token"], "/inbox", "/docs", "/metrics", "Temporal UI", "3600 times as fast as real"):
            assert shown in first.said
        assert keys["secret_key"] not in first.said
        assert first.temporal("workflow", "start", "--type", "t", "-t", "q", "-w", "kept").returncode == 0

        refused = Running(tmp_path)
        assert refused.process.wait(60) == 1
        assert f"already runs on {tmp_path}/var (process {first.process.pid})" in re.sub(r"\s*\n\s*", " ", refused.said)

        processes = list(first.parts().values())
        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(60) == 0
        assert "Stopped." in first.said
        assert "Traceback" not in first.said
        assert not any(process.is_running() for process in processes)

    with up(tmp_path) as second:
        second.wait_until_up()
        assert keys["admin_token"] in second.said
        assert "3600 times as fast as real" in second.said
        assert second.knows_the_workflow()


def test_a_killed_server_comes_back_with_what_it_knew_and_a_killed_up_leaves_nobody(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        running.wait_until_up()
        assert running.temporal("workflow", "start", "--type", "t", "-t", "q", "-w", "kept").returncode == 0
        before = running.parts()["temporal"]
        before.kill()
        until(lambda: running.parts().get("temporal", before).pid != before.pid)
        until(running.knows_the_workflow)
        assert "Temporal ended (killed by SIGKILL); starting it again" in running.said

        processes = list(running.parts().values())
        assert len(processes) == 4
        running.process.kill()
        running.process.wait(10)
        until(lambda: not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes), 10)

    with up(tmp_path) as again:
        again.wait_until_up()
        assert again.knows_the_workflow()


def test_a_bad_setting_is_a_sentence_and_nothing_is_started(tmp_path: Path) -> None:
    with up(tmp_path, "--smtp-url", "mail:25") as running:
        assert running.process.wait(60) == 1
    assert running.said.startswith("error: SOJOURN_SMTP_URL is not valid; write smtp://")
    assert "Traceback" not in running.said
