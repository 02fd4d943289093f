"""Previews by the real Chromium and the real SpamAssassin, and seeds over real SMTP."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as KeepsMessages
from console_script import app
from typer.testing import CliRunner

from sojourn.preview.chromium import LOAD_SECONDS, SCREENS, Browser, NoPicture, Screen, browser, find_chromium
from sojourn.preview.making import Case, Workshop
from sojourn.preview.spam import Spam, spam_score

pytestmark = pytest.mark.real


class Kept(KeepsMessages):
    """A mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self.mails: list[dict[str, str]] = []

    def handle_message(self, message: object) -> None:
        self.mails.append({name: str(value) for name, value in message.items()})  # type: ignore[attr-defined]


def free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@pytest.fixture
def server() -> Iterator[tuple[Kept, int]]:
    kept, port = Kept(), free_port()
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield kept, port
    controller.stop()


JOURNEYS = Path(__file__).parents[2] / "journeys"
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PAGE = """<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">
<style>body {{ margin: 0; background: #fff }} @media (prefers-color-scheme: dark) {{ body {{ background: #000 }} }}</style></head>
<body><div style="height: 1500px">words</div>{more}</body></html>"""


@pytest.fixture(scope="module")
def camera() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with browser(program) as opened:
        yield opened


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    return struct.unpack(">II", png[16:24])


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.name)
def test_a_picture_is_as_wide_as_its_screen_and_as_high_as_the_page(camera: Browser, tmp_path: Path, screen: Screen) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(more=""))
    assert size(camera.picture(page, screen)) == (round(screen.width * screen.scale), round(1500 * screen.scale))


def test_dark_mode_is_another_picture(camera: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(more=""))
    pictures = {screen.name: camera.picture(page, screen) for screen in SCREENS}
    assert len(set(pictures.values())) == len(SCREENS)


def test_a_picture_that_never_comes_does_not_hold_the_page_up(camera: Browser, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections and says nothing
        page = tmp_path / "page.html"
        page.write_text(PAGE.format(more=f'<img src="http://127.0.0.1:{silent.getsockname()[1]}/x.png" alt="">'))
        began = time.monotonic()
        assert size(camera.picture(page, SCREENS[0]))[0] == 640
        assert LOAD_SECONDS <= time.monotonic() - began < 20


def test_a_browser_ends_with_its_block_and_one_that_does_not_start_says_so(tmp_path: Path) -> None:
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with browser(program) as opened:
        process = opened._process
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    with pytest.raises(NoPicture), browser(shutil.which("true") or "/bin/true"):
        pass
    with pytest.raises(NoPicture), browser(str(tmp_path / "nothing")):
        pass


def test_the_command_takes_four_pictures_of_a_shipped_content(camera: Browser, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["preview", "cart_reminder", "--persona", "jonas", "--variant", "plain", "--journeys", str(JOURNEYS), "--out", str(tmp_path)]
    )
    assert result.exit_code == 0, result.output
    for screen in SCREENS:
        width, height = size((tmp_path / f"{screen.name}.png").read_bytes())
        assert width == round(screen.width * screen.scale)
        assert height > 400
    assert (tmp_path / "report.html").read_text("utf-8").count("data:image/png;base64,") == len(SCREENS)


def message(words: bytes = b"") -> bytes:
    workshop = Workshop.load(JOURNEYS)
    raw = workshop.make(Case("cart_offer", workshop.persona("ada"))).raw
    head, end, body = raw.partition(b"quoted-printable\r\n\r\n")
    return head + end + words + b"\r\n" + body


def test_spamassassin_scores_a_shipped_message_low_and_its_own_test_high() -> None:
    if shutil.which("spamassassin") is None:
        pytest.skip("SpamAssassin is not installed")
    fine, spam = spam_score(message()), spam_score(message(GTUBE))
    assert isinstance(fine, Spam), fine
    assert isinstance(spam, Spam), spam
    assert not fine.is_spam
    assert fine.score < 2
    assert spam.is_spam
    assert "GTUBE" in {rule.name for rule in spam.rules}


def test_a_running_spamd_gives_a_score_with_its_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spamd, spamc = shutil.which("spamd", path=f"{os.environ['PATH']}:/usr/sbin"), shutil.which("spamc")
    if spamd is None or spamc is None:
        pytest.skip("spamd or spamc is not installed")
    port = free_port()
    command = [spamd, "-L", "-x", "-m", "1", "-i", "127.0.0.1", "-p", str(port), "-s", "stderr", "-r", str(tmp_path / "pid")]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (tmp_path / "spamc").write_text(f'#!/bin/sh\nexec {spamc} -d 127.0.0.1 -p {port} "$@"\n')
    (tmp_path / "spamc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        until = time.monotonic() + 60
        found = spam_score(message(GTUBE), quick=True)
        while not isinstance(found, Spam) and time.monotonic() < until:
            time.sleep(0.5)
            found = spam_score(message(GTUBE), quick=True)
        assert isinstance(found, Spam), found
        assert found.by == "spamc"
        assert found.is_spam
        assert "GTUBE" in {rule.name for rule in found.rules}
    finally:
        server.terminate()
        server.wait(20)


def test_seeds_go_out_over_the_mail_server_that_is_set(server: tuple[Kept, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, port = server
    monkeypatch.delenv("SOJOURN_DATABASE_URL", raising=False)
    monkeypatch.setenv("SOJOURN_SMTP_URL", f"smtp://127.0.0.1:{port}")
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    arguments = ["seed", "cart_reminder", "--language", "all", "--to", "a@seeds.example", "--journeys", str(JOURNEYS)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert len(kept.mails) == 4
    assert {mail["X-Sojourn-Test"] for mail in kept.mails} == {"1"}
    assert {mail["X-RcptTo"] for mail in kept.mails} == {"a@seeds.example"}
