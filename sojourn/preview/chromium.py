"""Pictures of pages by Chromium, where it is on this machine: one headless browser, spoken to over a pipe (DevTools protocol).

`--screenshot` on the command line would be simpler, but knows neither a page's height nor a window as narrow as a phone.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from sojourn.clock import monotonic

NAMES = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser", "chrome", "chrome-headless-shell")
ABSENT = "no pictures: Chromium is not on this machine (apt-get install chromium)"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-background-networking", "--disable-gpu", "--hide-scrollbars", "--mute-audio",
    "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-sync", "--disable-dev-shm-usage",
    "--disable-component-update", "--remote-debugging-pipe",
)  # fmt: skip
START_SECONDS, PAGE_SECONDS, LOAD_SECONDS, STOP_SECONDS = 30.0, 20.0, 6.0, 5.0
TALLEST = 6000  # pixels of the page
MOST_BYTES = 64 * 1024 * 1024
_READ, _WRITE = 3, 4  # where Chromium reads and writes


class NoPicture(Exception):
    """Chromium gave no picture; says why."""


@dataclass(frozen=True)
class Screen:
    """What a page is looked at with.

    Attributes:
        width: in CSS pixels.
        scale: how many pixels of the picture one of them is.
    """

    name: str
    width: int
    height: int
    scale: float = 1.0
    dark: bool = False
    mobile: bool = False


SCREENS = (
    Screen("desktop", 640, 480),
    Screen("desktop-dark", 640, 480, dark=True),
    Screen("phone", 390, 700, scale=2, mobile=True),
    Screen("phone-dark", 390, 700, scale=2, dark=True, mobile=True),
)
THUMBNAIL = Screen("thumbnail", 390, 560, scale=0.75, mobile=True)


def find_chromium() -> str | None:
    """Return where Chromium is; None where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return found
    place = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    theirs = sorted(place.glob("chromium*/chrome-*/*"), reverse=True)
    return next((str(path) for path in theirs if path.name in NAMES and path.is_file()), None)


class Browser:
    """A headless Chromium."""

    def __init__(self, process: int, into: int, out_of: int) -> None:
        self._process, self._into, self._out_of = process, into, out_of
        self._number = 0
        self._rest = b""
        self._session = ""
        self._events: list[str] = []

    def open(self) -> None:
        """Open the one page that all pictures are taken of.

        Raises:
            NoPicture: it does not start.
        """
        until = monotonic() + START_SECONDS
        target = self._ask("Target.createTarget", {"url": "about:blank"}, until)["targetId"]
        self._session = str(self._ask("Target.attachToTarget", {"targetId": target, "flatten": True}, until)["sessionId"])
        self._ask("Page.enable", {}, until)

    def picture(self, page: Path, screen: Screen, *, whole: bool = True, jpeg: bool = False) -> bytes:
        """Return a picture of an HTML file, as PNG or JPEG.

        Args:
            page: the file.
            screen: what it is looked at with.
            whole: the whole page, and not only what the screen shows first.
            jpeg: a smaller one.

        Raises:
            NoPicture: there is none within the time limit.
        """
        until = monotonic() + PAGE_SECONDS
        size = {"width": screen.width, "height": screen.height, "deviceScaleFactor": screen.scale, "mobile": screen.mobile}
        self._ask("Emulation.setDeviceMetricsOverride", size, until)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if screen.dark else "light"}
        self._ask("Emulation.setEmulatedMedia", {"media": "screen", "features": [scheme]}, until)
        self._events.clear()
        self._ask("Page.navigate", {"url": page.absolute().as_uri()}, until)
        self._loaded(min(until, monotonic() + LOAD_SECONDS))
        told = self._ask("Page.getLayoutMetrics", {}, until)
        height = min(max(int(told["cssContentSize"]["height"]), 1), TALLEST) if whole else screen.height
        clip = {"x": 0, "y": 0, "width": screen.width, "height": height, "scale": 1}
        form: dict[str, Any] = {"format": "jpeg", "quality": 70} if jpeg else {"format": "png"}
        return base64.b64decode(self._ask("Page.captureScreenshot", {**form, "clip": clip, "captureBeyondViewport": True}, until)["data"])

    def close(self) -> None:
        """End the browser that was started, and nothing else."""
        for pipe in (self._into, self._out_of):
            os.close(pipe)
        until = monotonic() + STOP_SECONDS
        while os.waitpid(self._process, os.WNOHANG)[0] == 0:  # it ends by itself when nobody speaks to it any more
            if monotonic() > until:
                os.killpg(self._process, signal.SIGKILL)
                os.waitpid(self._process, 0)
                return
            Event().wait(0.05)

    def _loaded(self, until: float) -> None:
        """Wait until the page has loaded its pictures, or time is over: one that does not come is shown as missing."""
        while "Page.loadEventFired" not in self._events:
            if monotonic() > until:
                return
            try:
                self._hear(until)
            except NoPicture:
                return

    def _ask(self, method: str, values: dict[str, Any], until: float) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": values, **({"sessionId": self._session} if self._session else {})}
        try:
            written = json.dumps(message).encode() + b"\0"
            while written:
                written = written[os.write(self._into, written) :]
        except OSError:
            raise NoPicture("Chromium has ended") from None
        while True:
            answer = self._hear(until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise NoPicture(f"Chromium refuses {method}: {answer['error'].get('message', '')[:100]}")
                result: dict[str, Any] = answer.get("result", {})
                return result

    def _hear(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._out_of], [], [], max(until - monotonic(), 0))
            if not ready:
                raise NoPicture("Chromium takes too long")
            part = os.read(self._out_of, 1 << 20)
            if not part:
                raise NoPicture("Chromium has ended")
            self._rest += part
            if len(self._rest) > MOST_BYTES:
                raise NoPicture("a picture is too large")
        line, _, self._rest = self._rest.partition(b"\0")
        heard: dict[str, Any] = json.loads(line)
        if "method" in heard:
            self._events.append(str(heard["method"]))
        return heard


@contextmanager
def browser(program: str) -> Iterator[Browser]:
    """Give a headless Chromium, ended at the end.

    Args:
        program: where it is, as `find_chromium` says.

    Raises:
        NoPicture: it does not start.
    """
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(prefix="sojourn-chromium-", ignore_cleanup_errors=True) as folder:
        try:
            process = _start(program, [*FLAGS, f"--user-data-dir={folder}", "about:blank"], theirs_in, theirs_out)
        except OSError as error:
            for pipe in (ours_in, ours_out):
                os.close(pipe)
            raise NoPicture(f"Chromium cannot be started: {error.strerror}") from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        opened = Browser(process, ours_out, ours_in)
        try:
            opened.open()
            yield opened
        finally:
            opened.close()


def _start(program: str, flags: list[str], reads: int, writes: int) -> int:
    """Start a program in a group of its own whose descriptors 3 and 4 are two pipes, and return its id."""
    clear = [fcntl.fcntl(pipe, fcntl.F_DUPFD_CLOEXEC, 10) for pipe in (reads, writes)]  # neither is 3 or 4 itself
    actions = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    actions += [(os.POSIX_SPAWN_DUP2, clear[0], _READ), (os.POSIX_SPAWN_DUP2, clear[1], _WRITE)]  # type: ignore[list-item]
    try:
        return os.posix_spawn(program, [program, *flags], os.environ, file_actions=actions, setpgroup=0)
    finally:
        for pipe in clear:
            os.close(pipe)
