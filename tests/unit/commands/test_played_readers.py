"""Played readers open the share of mail that was asked for, follow only our links, and do the same in every run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sojourn.commands.playing import BROWSER, FOLLOWING, PlayedReaders, reading
from sojourn.delivery import machine

pytestmark = pytest.mark.slow

BASE = "http://127.0.0.1:8080"


def mail(number: int, base: str = BASE) -> EmailMessage:
    message = EmailMessage()
    message["To"], message["Subject"] = f"customer-{number}@shop.example", "Your cart"
    message.set_content("Plain words")
    links = "".join(f'<a href="{base}/c/{name}">x</a>' for name in ("shop", "cart", "help"))
    message.add_alternative(f'{links}<a href="{base}/u/out">x</a><img src="{base}/o/pixel.gif">', subtype="html")
    return message


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_share_that_is_asked_for_is_opened_and_half_of_it_followed(share: float) -> None:
    read = [found for number in range(2000) if (found := reading(mail(number), share, (BASE,)))]
    assert len(read) / 2000 == pytest.approx(share, abs=0.03)
    assert sum(found.link is not None for found in read) / max(1, len(read)) == pytest.approx(FOLLOWING if read else 0, abs=0.06)


def test_a_run_is_played_like_another() -> None:
    assert [reading(mail(number), 0.5, (BASE,)) for number in range(50)] == [reading(mail(number), 0.5, (BASE,)) for number in range(50)]


def test_nobody_follows_the_shops_name_the_way_out_or_a_link_that_leads_elsewhere() -> None:
    followed = {found.link for number in range(100) if (found := reading(mail(number), 1.0, (BASE,)))}
    assert followed == {None, f"{BASE}/c/cart", f"{BASE}/c/help"}
    elsewhere = [reading(mail(number, "https://other.example"), 1.0, (BASE,)) for number in range(20)]
    assert all(found is not None and (found.pixel, found.link) == (None, None) for found in elsewhere)


def test_a_played_reader_passes_for_a_person() -> None:
    assert machine.by_agent(BROWSER) is None


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str], threading.Event]]:
    paths: list[str] = []
    enough = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(302)
            self.send_header("location", "http://other.example/")
            self.end_headers()
            if len(paths) >= 3:
                enough.set()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", paths, enough
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_mail_that_arrives_while_they_play_is_read_and_nobody_is_led_away(
    tmp_path: Path, asked: tuple[str, list[str], threading.Event]
) -> None:
    base, paths, enough = asked
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "old").write_bytes(mail(0, base).as_bytes())
    with PlayedReaders(tmp_path, (base,), 1.0, scale=1_000_000) as readers:
        for number in range(1, 8):
            (tmp_path / "new" / f"{number}").write_bytes(mail(number, base).as_bytes())
        assert enough.wait(10)
        while readers.opened < 7:
            enough.wait(0.01)
    assert paths.count("/o/pixel.gif") == readers.opened == 7
    assert len(paths) == readers.opened + readers.followed
    assert "7 mails" in readers.sentence()
