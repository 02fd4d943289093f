"""P1's second half: a 2xx means that the event was synced to the disk, which kill -9 alone cannot show."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError
from stack import ROOT

from sojourn.store.database import Database

pytestmark = pytest.mark.real
CALLS = 25

APPENDS = """
import asyncio, sys
from datetime import UTC, datetime
from sojourn.intake.appender import Appender
from sojourn.intake.envelope import read_call
from sojourn.store.database import Database

async def main(url, durable, calls):
    database = Database(url, durable=durable == "True")
    await database.create()
    appender = Appender(database)
    for number in range(int(calls)):
        call = read_call("track", b'{"messageId":"m%d","userId":"u","event":"E"}' % number, received_at=datetime.now(UTC))
        assert await appender.append(call.envelopes) == [f"m{number}"]
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


def syncs(tmp_path: Path, durable: bool, calls: int) -> int:
    """How often a process that appends so many calls, one after the other, asked the disk to sync."""
    counted = tmp_path / f"{durable}{calls}.strace"
    url = f"sqlite:///{tmp_path / f'{durable}{calls}.db'}"
    traced = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(counted)]
    done = subprocess.run(
        [*traced, sys.executable, "-c", APPENDS, url, str(durable), str(calls)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip("this machine does not let processes be traced")
    assert done.returncode == 0, done.stderr
    return len(re.findall(r"\b(?:fsync|fdatasync)\(", counted.read_text()))


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_each_acknowledged_call_was_synced_to_the_disk(tmp_path: Path) -> None:
    assert syncs(tmp_path, True, CALLS) - syncs(tmp_path, True, 0) >= CALLS
    assert syncs(tmp_path, False, CALLS) - syncs(tmp_path, False, 0) < CALLS, "the control must show that the count can be too low"


def test_a_store_syncs_by_default_and_an_error_of_it_tells_no_values(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    full = 2
    assert database.read_now(lambda c: c.exec_driver_sql("PRAGMA synchronous").scalar()) == full
    assert database.read_now(lambda c: c.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"
    with pytest.raises(OperationalError) as caught:
        database.write_now(lambda c: c.exec_driver_sql("INSERT INTO nowhere VALUES (?)", ("ada@customer.example",)))
    assert "ada@customer.example" not in str(caught.value)
