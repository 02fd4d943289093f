"""DKIM signatures for mail that we hand to a plain mail server; providers with an API sign by themselves.

A signature takes about 16 ms of processor time: it is made in a thread, one at a time, and nobody waits in the event loop.
"""

from __future__ import annotations

import re
from pathlib import Path

import dkim
from dkim.util import InvalidTagValueList

from sojourn.errors import SettingsError

# All that says whom it is from, what about, and how to get out of it (RFC 8058 asks for the last two).
SIGNED = (
    b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Reply-To", b"MIME-Version", b"Content-Type",
    b"List-Unsubscribe", b"List-Unsubscribe-Post", b"Feedback-ID",
)  # fmt: skip
_FROM = re.compile(rb"^From:.*?@([A-Za-z0-9.-]+)>?\r$", re.MULTILINE | re.IGNORECASE | re.DOTALL)


class Dkim:
    """Signs messages for the domain that each is from.

    Args:
        key: a private RSA key, in PEM.
        selector: under which its public half is published.

    Raises:
        SettingsError: the key is none.
    """

    def __init__(self, key: bytes, selector: str) -> None:
        self._key = key
        self._selector = selector.encode("ascii")
        try:
            self(b"From: <a@example.com>\r\nSubject: trial\r\n\r\ntrial\r\n")
        except (dkim.DKIMException, InvalidTagValueList, ValueError, KeyError, IndexError, UnicodeError):
            raise SettingsError("SOJOURN_DKIM_KEY is no private RSA key in PEM; `openssl genrsa 2048` makes one") from None

    @classmethod
    def read(cls, path: str, selector: str) -> Dkim:
        """Return the signer whose key is in a file.

        Raises:
            SettingsError: it cannot be read, or holds no key.
        """
        try:
            return cls(Path(path).read_bytes(), selector)
        except OSError as error:
            raise SettingsError(f"SOJOURN_DKIM_KEY cannot be read: {error.strerror}") from None

    def __call__(self, raw: bytes) -> bytes:
        """Return a message with its signature before it."""
        found = _FROM.search(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r")
        if found is None:
            raise ValueError("a message without a From cannot be signed")
        present = {line.partition(b":")[0].lower() for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")}
        include = [name for name in SIGNED if name.lower() in present]
        # Named once more than it is there: whoever adds a second one on the way breaks the signature. Relays may add a Feedback-ID.
        include += [name for name in include if name != b"Feedback-ID"]
        domain = found[1].lower()
        signature = dkim.sign(raw, self._selector, domain, self._key, canonicalize=(b"relaxed", b"relaxed"), include_headers=include)
        return bytes(signature) + raw
