from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sojourn.process_tree import Interrupted, Part, PartFailed, ProcessTree

pytestmark = pytest.mark.slow

SLEEPS = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, sys, time, pathlib; signal.signal(signal.SIGTERM, signal.SIG_IGN); pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
)
WITH_A_CHILD = (
    "import subprocess, sys, time, pathlib; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
    "p = pathlib.Path(sys.argv[1]); d = p.with_suffix('.draft'); d.write_text(str(c.pid)); d.replace(p); time.sleep(60)"
)


def python(code: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code, *arguments)


def until(test: Callable[[], object], limit_s: float = 20.0) -> None:
    deadline = time.monotonic() + limit_s
    while not test():
        assert time.monotonic() < deadline, "did not come about"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def watched(tree: ProcessTree) -> tuple[threading.Thread, list[BaseException]]:
    failures: list[BaseException] = []

    def watch() -> None:
        try:
            tree.watch()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread, failures


def test_a_part_that_dies_is_started_again_and_its_death_told() -> None:
    said, dead = [], []
    tree = ProcessTree(said.append, dead.append)
    tree.start(Part("worker", python(SLEEPS)))
    first = tree.pids["worker"]
    thread, failures = watched(tree)
    os.kill(first, signal.SIGKILL)
    until(lambda: tree.pids.get("worker", first) != first)
    second = tree.pids["worker"]
    tree.ask_to_stop()
    thread.join(10)
    tree.stop()
    assert failures == []
    assert dead == [first, second]
    assert said == ["worker ended (killed by SIGKILL); starting it again in 0.2 s"]
    assert gone(second)


def test_a_part_that_dies_whenever_it_is_started_ends_the_tree_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.process_tree.FIRST_BACKOFF_S", 0.001)
    starts = tmp_path / "starts"
    code = "import sys; open(sys.argv[1], 'a').write('x'); print('the key does not fit'); sys.exit(3)"
    tree = ProcessTree()
    tree.start(Part("router", python(code, str(starts)), log=tmp_path / "logs" / "router.log"))
    with pytest.raises(PartFailed, match=r"(?s)router ended 6 times.*the key does not fit"):
        tree.watch()
    tree.stop()
    assert starts.read_text() == "xxxxxx"


def test_a_part_that_is_killed_again_and_again_is_started_again_and_again_and_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.process_tree.FIRST_BACKOFF_S", 0.001)
    said: list[str] = []
    tree = ProcessTree(said.append)
    tree.start(Part("worker", python(SLEEPS)))
    thread, failures = watched(tree)
    for _ in range(10):
        killed = tree.pids["worker"]
        os.kill(killed, signal.SIGKILL)
        until(lambda killed=killed: tree.pids.get("worker", killed) != killed)  # type: ignore[misc]
    tree.ask_to_stop()
    thread.join(10)
    tree.stop()
    assert failures == []
    assert said == ["worker ended (killed by SIGKILL); starting it again in 0.001 s"] * 10


def test_a_start_waits_until_every_part_is_ready_and_they_start_side_by_side(tmp_path: Path) -> None:
    # Each is ready only once the other has begun: one after the other would never end.
    code = "import sys, time, pathlib\npathlib.Path(sys.argv[1]).touch()\nwhile not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
    code += "pathlib.Path(sys.argv[1] + '.ready').touch(); time.sleep(60)"
    a, b = tmp_path / "a", tmp_path / "b"
    ready: list[str] = []
    tree = ProcessTree()
    tree.start(
        Part("a", python(code, str(a), str(b)), ready=Path(f"{a}.ready").exists),
        Part("b", python(code, str(b), str(a)), ready=Path(f"{b}.ready").exists),
        on_ready=lambda part, _took: ready.append(part.name),
    )
    tree.stop()
    assert sorted(ready) == ["a", "b"]
    assert Path(f"{a}.ready").exists()
    assert Path(f"{b}.ready").exists()


def test_a_part_that_ends_while_starting_is_said_so_with_its_last_words(tmp_path: Path) -> None:
    tree = ProcessTree()
    with pytest.raises(PartFailed, match=r"(?s)api ended while starting.*no such journey"):
        tree.start(Part("api", python("print('no such journey'); raise SystemExit(1)"), log=tmp_path / "api.log", ready=lambda: False))
    tree.stop()


def test_a_part_that_is_never_ready_is_said_so() -> None:
    tree = ProcessTree()
    with pytest.raises(PartFailed, match="not ready after"):
        tree.start(Part("api", python(SLEEPS), ready=lambda: False), limit_s=0.2)
    pid = tree.pids["api"]
    tree.stop()
    assert gone(pid)


def test_a_program_that_is_not_there_is_said_so() -> None:
    with pytest.raises(PartFailed, match="api cannot be started: No such file"):
        ProcessTree().start(Part("api", ("/nowhere/at/all",)))


def test_stopping_takes_the_last_started_first_and_leaves_nobody(tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time, pathlib\n"
        "def end(*_):\n    open(sys.argv[1], 'a').write(sys.argv[2]); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); pathlib.Path(sys.argv[1] + sys.argv[2]).touch(); time.sleep(60)"
    )
    tree = ProcessTree()
    for name in "abc":
        tree.start(Part(name, python(code, str(order), name), ready=Path(f"{order}{name}").exists))
    pids = list(tree.pids.values())
    tree.stop()
    assert order.read_text() == "cba"
    assert all(gone(pid) for pid in pids)


def test_a_part_that_will_not_stop_is_ended_by_force(tmp_path: Path) -> None:
    said: list[str] = []
    up = tmp_path / "up"
    tree = ProcessTree(said.append)
    tree.start(Part("worker", python(STUBBORN, str(up)), ready=up.exists))
    pid = tree.pids["worker"]
    tree.stop(limit_s=0.2)
    assert gone(pid)
    assert said == ["worker did not stop by itself; ending it"]


def test_asking_again_later_ends_the_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.process_tree.SAME_WISH_S", 0.0)
    up = tmp_path / "up"
    tree = ProcessTree()
    tree.start(Part("worker", python(STUBBORN, str(up)), ready=up.exists))
    tree.ask_to_stop()
    tree.ask_to_stop()
    began = time.monotonic()
    tree.stop(limit_s=60)
    assert time.monotonic() - began < 10


def test_one_wish_sent_twice_stays_polite(tmp_path: Path) -> None:
    ended, up = tmp_path / "ended", tmp_path / "up"
    code = (
        "import signal, sys, time, pathlib\n"
        "def end(*_):\n    time.sleep(0.2); pathlib.Path(sys.argv[1]).touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); pathlib.Path(sys.argv[2]).touch(); time.sleep(60)"
    )
    tree = ProcessTree()
    tree.start(Part("worker", python(code, str(ended), str(up)), ready=up.exists))
    tree.ask_to_stop()
    tree.ask_to_stop()
    tree.stop()
    assert ended.exists()


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_what_a_part_left_behind_ends_with_it(tmp_path: Path, way: str) -> None:
    told = tmp_path / "told"
    tree = ProcessTree()
    tree.start(Part("api", python(WITH_A_CHILD, str(told)), ready=told.exists))
    grandchild = int(told.read_text())
    if way == "killed":
        told.unlink()
        thread, _ = watched(tree)
        os.kill(tree.pids["api"], signal.SIGKILL)
        until(told.exists)
        assert gone(grandchild)
        grandchild = int(told.read_text())
        tree.ask_to_stop()
        thread.join(10)
    tree.stop()
    until(lambda: gone(grandchild))


def test_a_part_that_need_not_be_kept_may_end() -> None:
    said: list[str] = []
    tree = ProcessTree(said.append)
    tree.start(Part("the feed", python(""), keep=False))
    thread, failures = watched(tree)
    until(lambda: said)
    tree.ask_to_stop()
    thread.join(10)
    tree.stop()
    assert (said, failures) == (["the feed is done"], [])


def test_being_asked_to_stop_ends_a_start_that_waits() -> None:
    tree = ProcessTree()
    threading.Timer(0.1, tree.ask_to_stop).start()
    with pytest.raises(Interrupted):
        tree.start(Part("api", python(SLEEPS), ready=lambda: False))
    tree.stop()
    assert tree.pids == {}


SUPERVISOR = f"""
import sys
from sojourn.process_tree import Part, ProcessTree
tree = ProcessTree()
with tree.heeding_signals():
    tree.start(Part("worker", (sys.executable, "-c", {SLEEPS!r})))
    print(tree.pids["worker"], flush=True)
    tree.watch()
    tree.stop()
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_all_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        supervisor.send_signal(number)
        assert supervisor.stdout.read() == "stopped\n"
        assert supervisor.wait(10) == 0
    assert gone(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_when_the_supervisor_is_killed_its_parts_end_too() -> None:
    with subprocess.Popen([sys.executable, "-c", SUPERVISOR], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        child = int(supervisor.stdout.readline())
        assert not gone(child)
        supervisor.kill()
        until(lambda: gone(child))
