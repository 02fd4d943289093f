"""Played readers: a stated share of the local inbox's mail is opened, and links in it are followed, as a browser would.

For demonstrations. Which mail is opened follows from the seed, the recipient and the subject alone, so a
second run of a recording plays the same readers. What they do is real from there on: a pixel fetched and
a link followed over HTTP.
"""

from __future__ import annotations

import heapq
import os
import re
import threading
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from html import unescape
from pathlib import Path
from random import Random

import httpx

from sojourn.clock import monotonic

SEED = 20101101
FOLLOWING = 0.5  # of those who open a mail
READING_MINUTES = (5.0, 180.0)  # of the shop's time, from a mail's arrival to its opening
LOOK_SECONDS = 0.25
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
_PIXEL = re.compile(r'src="([^"]+/o/[^"]+\.gif)"')
_LINK = re.compile(r'href="([^"]+/c/[^"]+)"')


@dataclass(frozen=True)
class Reading:
    """What one played reader does with one mail."""

    minutes: float  # of the shop's time after arrival
    pixel: str | None
    link: str | None


def reading(message: EmailMessage, share: float, bases: tuple[str, ...], seed: int = SEED) -> Reading | None:
    """Return what comes of a mail; None where it stays unopened.

    Args:
        message: the mail.
        share: of all mail, how much is opened: 0 to 1.
        bases: where the links must lead; others are never followed.
        seed: together with recipient and subject, decides.
    """
    chance = Random(f"{seed}:{message['To']}:{message['Subject']}")  # noqa: S311 - a game, not a secret
    if chance.random() >= share:
        return None
    body = message.get_body(("html",))
    html = str(body.get_content()) if body is not None else ""
    pixels, links = (
        [url for url in dict.fromkeys(map(unescape, found.findall(html))) if url.startswith(tuple(f"{base}/" for base in bases))]
        for found in (_PIXEL, _LINK)
    )
    follows, minutes = chance.random() < FOLLOWING, chance.uniform(*READING_MINUTES)
    # The first link is the shop's name at the top; what a mail is about comes after it.
    link = chance.choice(links[1:] or links) if follows and links else None
    return Reading(minutes, pixels[0] if pixels else None, link)


class PlayedReaders:
    """Reads what arrives in a Maildir from now on, until closed.

    Args:
        inbox: the Maildir.
        bases: the server's addresses: only links that lead there are followed.
        share: of all mail, how much is opened.
        scale: how fast the shop's time runs.
    """

    def __init__(self, inbox: Path, bases: tuple[str, ...], share: float, scale: float) -> None:
        self.opened = self.followed = 0
        self._folder, self._bases, self._share, self._scale = inbox / "new", bases, share, scale
        self._seen = set(self._names())
        self._due: list[tuple[float, str, Reading]] = []
        self._closing = threading.Event()
        # trust_env: a proxy of the environment has no business with a local server; redirects lead away from it.
        self._client = httpx.Client(headers={"user-agent": BROWSER}, timeout=10.0, trust_env=False, follow_redirects=False)
        self._thread = threading.Thread(target=self._run, name="simulated readers", daemon=True)

    def __enter__(self) -> PlayedReaders:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._client.close()

    def sentence(self) -> str:
        """Return what they did."""
        return f"simulated readers opened {self.opened} mails and followed {self.followed} links"

    def _names(self) -> list[str]:
        return os.listdir(self._folder) if self._folder.is_dir() else []

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            for name in self._names():
                if name not in self._seen:
                    self._seen.add(name)
                    self._plan(name)
            while self._due and self._due[0][0] <= monotonic() and not self._closing.is_set():
                self._read(heapq.heappop(self._due)[2])

    def _plan(self, name: str) -> None:
        try:
            message = BytesParser(policy=policy.default).parsebytes((self._folder / name).read_bytes())
        except OSError:  # a mail program has taken it over
            return
        found = reading(message, self._share, self._bases)
        if found is not None:
            heapq.heappush(self._due, (monotonic() + found.minutes * 60 / self._scale, name, found))

    def _read(self, what: Reading) -> None:
        try:
            if what.pixel is not None:
                self._client.get(what.pixel)
                self.opened += 1
            if what.link is not None:
                self._client.get(what.link)
                self.followed += 1
        except httpx.TransportError:
            pass  # the server restarts: this reader never came
