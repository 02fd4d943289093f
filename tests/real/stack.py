"""A whole Sojourn, started as its users start it: `sojourn up` on free ports, with a data folder of its own."""

from __future__ import annotations

import json
import mailbox
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

from sojourn.launch import PYTHON
from sojourn.store.database import Database

ROOT = Path(__file__).parents[2]
START_LIMIT = 120.0
KEYS = {
    "SOJOURN_SECRET_KEY": "a secret key of the tests, long enough to be one",
    "SOJOURN_WRITE_KEY": "write-key-of-the-tests",
    "SOJOURN_ADMIN_TOKEN": "admin-token-of-the-tests",
}
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Stack:
    """A running `sojourn up`."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    url: str
    write_key: str
    admin_token: str
    database: Database | None = None  # where it is not the file in the data folder
    told: Path | None = None  # what `up` prints

    @property
    def said(self) -> str:
        """What `up` has printed so far."""
        return self.told.read_text() if self.told is not None else ""

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, auth=(self.write_key, ""), timeout=10)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the database as it stands; each ? in the query is a value."""
        if self.database is not None:
            number = count(1)
            asked = re.sub(r"\?", lambda _: f"${next(number)}", sql)
            return [tuple(row) for row in self.database.read_now(lambda c: c.exec_driver_sql(asked, values).all())]
        with sqlite3.connect(f"file:{self.data_dir / 'sojourn.db'}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute(sql, values).fetchall()

    def mails(self) -> list[mailbox.MaildirMessage]:
        folder = self.data_dir / "inbox"
        return list(mailbox.Maildir(str(folder))) if folder.exists() else []

    def runs(self, part: str) -> bool:
        """Whether a process runs a part."""
        try:
            return bool(self.pid_of(part))
        except AssertionError:
            return False

    def pid_of(self, part: str) -> int:
        """The process of a part: api, router, worker or temporal."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                words = child.cmdline()
            except psutil.Error:
                continue
            if (part == "temporal" and "start-dev" in words) or words[1:] == [*PYTHON[1:], part]:
                return child.pid
        raise AssertionError(f"no process runs {part}")

    @property
    def temporal(self) -> str:
        """The address of its Temporal server."""
        words = psutil.Process(self.pid_of("temporal")).cmdline()
        return f"127.0.0.1:{words[words.index('--port') + 1]}"

    def kill(self, part: str) -> None:
        """kill -9 a part; the supervisor starts it again."""
        os.kill(self.pid_of(part), signal.SIGKILL)

    def log(self) -> str:
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in sorted((self.data_dir / "logs").glob("*.log")))


def until(check: Callable[[], Any], limit: float = 30.0, what: str = "what was waited for") -> Any:
    """Return what `check` gives, as soon as it is true."""
    deadline = time.monotonic() + limit
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {limit:.0f} s")
        time.sleep(0.05)


@contextmanager
def running(data_dir: Path, *flags: str, environment: dict[str, str] | None = None, database_url: str | None = None) -> Iterator[Stack]:
    """Run `sojourn up` until the block is left, then stop it as Ctrl-C would."""
    port = free_port()
    environment = {**(environment or {}), **({"SOJOURN_DATABASE_URL": database_url} | KEYS if database_url else {})}
    command = [*PYTHON, "up", "--data-dir", str(data_dir), "--port", str(port), *flags]
    told = data_dir.parent / f"{data_dir.name}.{port}.up.log"
    with told.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | environment)
    try:
        until(lambda: process.poll() is not None or "Sojourn is up" in told.read_text(), START_LIMIT, "Sojourn")
        assert process.poll() is None, told.read_text()
        url, database = f"http://127.0.0.1:{port}", Database(database_url) if database_url else None
        if database is not None:  # a database server needs its keys given
            yield Stack(process, data_dir, url, KEYS["SOJOURN_WRITE_KEY"], KEYS["SOJOURN_ADMIN_TOKEN"], database, told)
            database.close_now()
        else:
            keys = json.loads((data_dir / "keys.json").read_text())
            yield Stack(process, data_dir, url, keys["write_key"], keys["admin_token"], told=told)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait(5)
