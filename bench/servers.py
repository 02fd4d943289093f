"""What is started to be measured, and stopped whatever happens: Temporal's development server, workers, whole stacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sojourn.embedded import LOCAL, answers, free_port, temporal_part

ROOT = Path(__file__).parents[1]
START_LIMIT = 60.0
STOP_LIMIT = 10.0
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder that is gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="sojourn-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here, gently first."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT)


@dataclass(frozen=True)
class Server:
    """A running development server of Temporal."""

    address: str
    pid: int
    database: Path


@contextmanager
def temporal(data_dir: Path) -> Iterator[Server]:
    """Run Temporal's development server exactly as `sojourn up` does."""
    port, ui = free_port(), free_port()
    part = temporal_part(data_dir, port, ui, "default", None)
    process = subprocess.Popen(part.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(LOCAL, port) or process.poll() is not None, START_LIMIT, "Temporal")
        if process.poll() is not None:
            raise RuntimeError("Temporal's development server did not start")
        yield Server(f"{LOCAL}:{port}", process.pid, data_dir / "temporal.db")
    finally:
        stop(process)


@dataclass
class Child:
    """A worker in a process of its own, which tells by lines what it did: `ready`, `sent <id>`, `done <id>`."""

    process: subprocess.Popen[bytes]
    told: list[tuple[float, str, str]] = field(default_factory=list)  # monotonic moment, word, id
    heard: Callable[[str, str], None] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def listen(self) -> None:
        """Take in its lines, until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, _, about = line.decode().strip().partition(" ")
            self.told.append((time.monotonic(), word, about))
            if self.heard is not None:
                self.heard(word, about)

    def count(self, word: str) -> int:
        """Return how many lines began with a word."""
        return sum(1 for _, told, _ in self.told if told == word)


@contextmanager
def child(module: str, *arguments: str, log: Path) -> Iterator[Child]:
    """Run a module of bench as a worker, once it is ready."""
    command = [sys.executable, "-m", module, *arguments]
    with log.open("wb") as errors:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env=os.environ | ONE_THREAD)
    found = Child(process)
    listener = threading.Thread(target=found.listen, daemon=True)
    listener.start()
    try:
        wait_until(lambda: found.count("ready") or process.poll() is not None, START_LIMIT, module)
        if process.poll() is not None:
            raise RuntimeError(f"{module} did not start: {log.read_text()[-2000:]}")
        yield found
    finally:
        stop(process)
        listener.join(STOP_LIMIT)


def tell(word: str, about: str = "") -> None:
    """Say a line to whoever measures; called in the worker."""
    os.write(1, f"{word} {about}\n".encode())


def wait_until(check: Callable[[], object], limit: float, what: str, pause: float = 0.02) -> None:
    """Return as soon as `check` is true.

    Raises:
        TimeoutError: it does not become so.
    """
    deadline = time.monotonic() + limit
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {limit:.0f} s")
        time.sleep(pause)
