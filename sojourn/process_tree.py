"""Keeps a set of child processes running, and ends them all together.

Each child leads a process group of its own, so that a Ctrl-C reaches only the supervisor, which then
ends them in order. A child that fails is started again, later each time; one that fails too often ends
the whole tree. One that was killed from outside (kill -9, want of memory) failed at nothing: it is
started again at once, however often. If the supervisor itself is killed, Linux kills its children with it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sojourn.clock import monotonic
from sojourn.errors import Terminal, Transient

TICK_S = 0.05
START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0
SAME_WISH_S = 1.0  # a terminal, make or a process manager may send one wish to stop several times over
FIRST_BACKOFF_S = 0.2
MAX_BACKOFF_S = 10.0
DEATHS_ALLOWED = 5
DEATHS_WINDOW_S = 60.0
KILLED_FROM_OUTSIDE = (-signal.SIGKILL, -signal.SIGTERM)  # how Popen tells it
LOG_TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1


class PartFailed(Terminal):
    """A part does not start, or dies as often as it is started; says which and what it last said."""


class Interrupted(Transient):
    """The tree was asked to stop while it was starting."""


@dataclass(frozen=True)
class Part:
    """A child process to keep running.

    Args:
        name: what it is called on the screen and in its log's name.
        command: its program and arguments.
        environment: variables besides the supervisor's own.
        log: the file that takes its output; None lets it write where the supervisor does.
        ready: tells whether it does its work by now.
        keep: whether it is started again when it ends; a part that is not may end by itself.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    ready: Callable[[], bool] = lambda: True
    keep: bool = True


@dataclass
class _Child:
    part: Part
    process: subprocess.Popen[bytes] | None = None
    start_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)  # by its own fault
    ended: bool = False  # by itself, and not to be started again


class ProcessTree:
    """A set of parts, ended in the reverse of the order in which they were started.

    Args:
        say: is told in a sentence what happens to a part.
        on_death: is told the id of a process that has ended.
    """

    def __init__(self, say: Callable[[str], None] = lambda _text: None, on_death: Callable[[int], None] = lambda _pid: None) -> None:
        self._say = say
        self._on_death = on_death
        self._children: list[_Child] = []
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._asked_at = 0.0

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the parts that run."""
        return {child.part.name: child.process.pid for child in self._children if child.process is not None}

    def ask_to_stop(self) -> None:
        """Make `start` and `watch` return soon; asked again a second later or more, also end the patience of `stop`."""
        now = monotonic()
        if not self._stop.is_set():
            self._asked_at = now
        elif now - self._asked_at >= SAME_WISH_S:
            self._hurry.set()
        self._stop.set()

    @contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Take SIGINT, SIGTERM and SIGHUP as being asked to stop."""
        kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = [signal.signal(kind, lambda _number, _frame: self.ask_to_stop()) for kind in kinds]
        try:
            yield
        finally:
            for kind, handler in zip(kinds, before, strict=True):
                signal.signal(kind, handler)

    def start(self, *parts: Part, limit_s: float = START_LIMIT_S, on_ready: Callable[[Part, float], None] = lambda _part, _s: None) -> None:
        """Start parts side by side and return once all are ready.

        Args:
            parts: none of which needs another of them.
            limit_s: seconds after which it is no longer waited for.
            on_ready: is told of each part that is ready, with the seconds that it took.

        Raises:
            PartFailed: one ended, or was not ready in time.
            Interrupted: the tree was asked to stop meanwhile.
        """
        began = monotonic()
        waiting = [_Child(part) for part in parts]
        self._children += waiting
        for child in waiting:
            self._launch(child)
        while True:
            for child in [child for child in waiting if child.part.ready()]:
                waiting.remove(child)
                on_ready(child.part, monotonic() - began)
            if not waiting:
                return
            for child in waiting:
                if child.process is not None and child.process.poll() is not None and child.part.keep:
                    raise PartFailed(f"{child.part.name} ended while starting{_last_words(child.part)}")
            if monotonic() - began > limit_s:
                raise PartFailed(f"{waiting[0].part.name} was not ready after {limit_s:g} s{_last_words(waiting[0].part)}")
            if self._stop.wait(TICK_S):
                raise Interrupted(f"stopped while {waiting[0].part.name} was starting")

    def watch(self, also: Callable[[], None] = lambda: None) -> None:
        """Keep every part running until asked to stop.

        Args:
            also: is called at each look, twenty times a second.

        Raises:
            PartFailed: a part failed too often.
        """
        while not self._stop.wait(TICK_S):
            also()
            for child in self._children:
                self._look_after(child)

    def stop(self, limit_s: float = STOP_LIMIT_S) -> None:
        """End every part, the last started first: politely, and after a limit by force."""
        self._stop.set()
        for child in reversed(self._children):
            self._end(child, limit_s)

    def _launch(self, child: _Child) -> None:
        part = child.part
        if part.log is not None:
            part.log.parent.mkdir(parents=True, exist_ok=True)
        output = part.log.open("ab") if part.log is not None else None
        try:
            child.process = subprocess.Popen(  # noqa: S603  the commands are ours
                list(part.command),
                env={**os.environ, **part.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,  # safe: no threads run here
            )
        except OSError as error:
            raise PartFailed(f"{part.name} cannot be started: {error.strerror} ({part.command[0]})") from None
        finally:
            if output is not None:
                output.close()

    def _look_after(self, child: _Child) -> None:
        now = monotonic()
        if child.ended:
            return
        if child.process is None:
            if now >= child.start_at:
                self._launch(child)
            return
        code = child.process.poll()
        if code is None:
            return
        self._bury(child)
        if not child.part.keep:
            child.ended = True
            self._say(f"{child.part.name} is done" if code == 0 else f"{child.part.name} failed{_last_words(child.part)}")
            return
        if code not in KILLED_FROM_OUTSIDE:
            child.deaths.append(now)
        while child.deaths and now - child.deaths[0] > DEATHS_WINDOW_S:
            child.deaths.popleft()
        if len(child.deaths) > DEATHS_ALLOWED:
            raise PartFailed(f"{child.part.name} ended {len(child.deaths)} times within {DEATHS_WINDOW_S:g} s{_last_words(child.part)}")
        delay = min(FIRST_BACKOFF_S * 2 ** max(len(child.deaths) - 1, 0), MAX_BACKOFF_S)
        child.start_at = now + delay
        self._say(f"{child.part.name} ended ({_how(code)}); starting it again in {delay:g} s")

    def _bury(self, child: _Child) -> None:
        """Forget a process that has ended, and end what it left behind in its group."""
        if child.process is None:
            return
        _signal_group(child.process.pid, signal.SIGKILL)
        self._on_death(child.process.pid)
        child.process = None

    def _end(self, child: _Child, limit_s: float) -> None:
        process = child.process
        if process is None:
            return
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            deadline = monotonic() + limit_s
            while process.poll() is None and monotonic() < deadline and not self._hurry.wait(TICK_S):
                pass
            if process.poll() is None:
                self._say(f"{child.part.name} did not stop by itself; ending it")
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
        self._bury(child)


def _die_with(parent: int) -> Callable[[], None]:
    """Return what a child runs before its program: ask Linux to kill it when its parent is gone."""
    libc = ctypes.CDLL(None, use_errno=True)  # loaded here, since little is safe between fork and exec

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody left in it


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _last_words(part: Part) -> str:
    """Return the end of a part's log, as the rest of a sentence."""
    if part.log is None or not part.log.exists():
        return ""
    with part.log.open("rb") as file:
        file.seek(max(0, part.log.stat().st_size - 16_384))
        lines = file.read().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"; the end of {part.log}:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
