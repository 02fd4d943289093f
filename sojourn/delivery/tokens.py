"""Signed ids for links: short, for one purpose only, not to be guessed, changed or used for another.

A token is base64url of the send's key, a number and the first half of an HMAC-SHA256 over the
length-prefixed purpose, key and number. Any change, however small, makes it no token at all.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sojourn.errors import NotFound, SettingsError

SIGNATURE_BYTES = 16
KEY_BYTES = 16
NUMBER_BYTES = 2
MIN_SECRET = 16


class Purpose(StrEnum):
    """What a token lets its holder do."""

    CLICK = "click"
    OPEN = "open"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    CONFIRM = "confirm"
    LIST = "live list"
    PICTURE = "live picture"


@dataclass(frozen=True)
class Signed:
    """What a token says."""

    send_key: str
    number: int  # a link's position, or that of a live part


class Tokens:
    """Signs and reads tokens.

    Args:
        secret: SOJOURN_SECRET_KEY.

    Raises:
        SettingsError: the secret is too short to protect anything.
    """

    def __init__(self, secret: str) -> None:
        if len(secret) < MIN_SECRET:
            raise SettingsError(f"SOJOURN_SECRET_KEY has fewer than {MIN_SECRET} characters; set a long random one")
        self._keyed = hmac.new(secret.encode(), digestmod="sha256")

    def sign(self, purpose: Purpose, send_key: str, number: int = 0) -> str:
        """Return the token for a send, and a number, for one purpose."""
        payload = UUID(send_key).bytes + number.to_bytes(NUMBER_BYTES)
        return _text(payload + self._signature(purpose, payload))

    def read(self, purpose: Purpose, token: str) -> Signed:
        """Return what a token says.

        Raises:
            NotFound: it was not signed here for this purpose.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise NotFound("no such link") from None
        payload, signature = raw[: KEY_BYTES + NUMBER_BYTES], raw[KEY_BYTES + NUMBER_BYTES :]
        # The last character carries spare bits: only the one way of writing them that we use is a token.
        if _text(raw) != token or not hmac.compare_digest(signature, self._signature(purpose, payload)):
            raise NotFound("no such link")
        return Signed(str(UUID(bytes=payload[:KEY_BYTES])), int.from_bytes(payload[KEY_BYTES:]))

    def _signature(self, purpose: Purpose, payload: bytes) -> bytes:
        fields = (purpose.value.encode(), payload)
        said = b"".join(len(field).to_bytes(4) + field for field in fields)
        keyed = self._keyed.copy()  # `hmac.digest` would let go of the interpreter each time, and wait for it
        keyed.update(said)
        return keyed.digest()[:SIGNATURE_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Links:
    """The addresses that a message carries back to us.

    Args:
        public_url: SOJOURN_PUBLIC_URL, where readers reach us.
        tokens: signs them.
    """

    def __init__(self, public_url: str, tokens: Tokens) -> None:
        self.public_url = public_url.rstrip("/")
        self.tokens = tokens

    def click(self, send_key: str, position: int) -> str:
        """Return the address that redirects to a link of a message."""
        return f"{self.public_url}/c/{self.tokens.sign(Purpose.CLICK, send_key, position)}"

    def pixel(self, send_key: str) -> str:
        """Return the address of a message's pixel."""
        return f"{self.public_url}/o/{self.tokens.sign(Purpose.OPEN, send_key)}.gif"

    def unsubscribe(self, send_key: str) -> str:
        """Return the address at which a message's reader unsubscribes."""
        return f"{self.public_url}/u/{self.tokens.sign(Purpose.UNSUBSCRIBE, send_key)}"

    def preferences(self, send_key: str) -> str:
        """Return the address at which a message's reader chooses what comes."""
        return f"{self.public_url}/p/{self.tokens.sign(Purpose.PREFERENCES, send_key)}"

    def confirm(self, send_key: str) -> str:
        """Return the address at which a message's reader confirms the consent that it asks about."""
        return f"{self.public_url}/k/{self.tokens.sign(Purpose.CONFIRM, send_key)}"

    def live(self, send_key: str, form: str, number: int) -> str:
        """Return the address of a live part of a message, as a `picture` or as a `list`."""
        if form == "list":
            return f"{self.public_url}/l/{self.tokens.sign(Purpose.LIST, send_key, number)}"
        return f"{self.public_url}/live/{self.tokens.sign(Purpose.PICTURE, send_key, number)}.png"
