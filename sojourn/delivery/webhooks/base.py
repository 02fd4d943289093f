"""A webhook as every provider's is seen from here: what was posted, who signed it, and what it says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

import orjson

from sojourn.errors import Terminal

FRESH = timedelta(minutes=5)  # where each attempt is signed anew
RETRIED = timedelta(hours=26)  # where an attempt repeats the first one's signature, and providers try for a day
AHEAD = timedelta(minutes=5)  # by which a clock may be in advance of ours
MAX_ID, MAX_URL = 255, 4096
_KEY_IN_ID = re.compile(r"^<?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@")
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
_WORD = re.compile(r"[^A-Za-z0-9_.-]+")


class Forged(Terminal):
    """A post that is not signed by whom it says, or is too old to be believed."""


class Unreadable(Terminal):
    """A post that is signed and cannot be understood."""


class Kind(StrEnum):
    """What a provider tells of a message."""

    ACCEPTED = "accepted"  # it has it
    DELIVERED = "delivered"  # the recipient's server took it
    DEFERRED = "deferred"  # it will try again
    BOUNCED = "bounced"  # the recipient's server refused it
    DROPPED = "dropped"  # the provider itself did not send it
    OPENED = "opened"
    CLICKED = "clicked"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"  # by the reader, on a page of the provider


@dataclass(frozen=True)
class Notice:
    """One thing that a provider tells of one message.

    Attributes:
        id: the provider's name for this event: the same each time it is told.
        kind: what happened.
        at: when; None where the provider does not say.
        send_key: the key that went out with the message, where it came back.
        message_id: what the provider calls the message.
        hard: of a bounce: for good.
        robot: of an open or a click: why the provider takes it for a machine's.
        agent: of an open or a click: the user agent.
        url: of a click: the address.
        code: the provider's, or the recipient's server's, code; never a sentence.
        token: where the signature does not cover the event: what is good for one event, and for no other.
        addresses: where the post proves little by itself: the message must have gone to one of these.
    """

    id: str
    kind: Kind
    at: datetime | None
    send_key: str | None = None
    message_id: str | None = None
    hard: bool = False
    robot: str | None = None
    agent: str | None = None
    url: str | None = None
    code: str | None = None
    addresses: frozenset[str] = frozenset()
    token: str | None = None

    def __post_init__(self) -> None:
        # What is looked up in the store, and may be kept there: no store takes a NUL, nor more than its column holds.
        for name, most in (("message_id", MAX_ID), ("url", MAX_URL)):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, value.replace("\0", "")[:most] or None)


@dataclass(frozen=True)
class Posted:
    """A post as it came: signatures are made over these very bytes.

    Attributes:
        url: the address that the provider was given.
        headers: names in lower case.
        body: the bytes.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            Unreadable: it is none.
        """
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Unreadable("the body is not JSON") from None


class Hook(Protocol):
    """Reads what one provider posts."""

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a post tells, once its signature has been found good.

        Args:
            posted: the post.
            now: the real moment.

        Raises:
            Forged: the signature is missing, wrong or stale.
            Unreadable: it is signed, and makes no sense.
        """
        ...


def exact_base64(text: str) -> bytes:
    """Return what Base64 says, of the one way of writing it: the last character's spare bits are not for anyone to set.

    Raises:
        ValueError: it is no Base64, or another way of writing it.
    """
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError("not the one way of writing it")
    return raw


def same(one: str | bytes, other: str | bytes) -> bool:
    """Tell whether two secrets are the same, in a time that tells nothing."""
    return hmac.compare_digest(_bytes(one), _bytes(other))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def fresh(at: datetime, now: datetime, within: timedelta = RETRIED) -> None:
    """Make sure that a signature's time is near enough.

    Raises:
        Forged: it is too old, or from the future.
    """
    if not -AHEAD <= now - at <= within:
        raise Forged("the signature is too old to be believed, or its clock is wrong")


def bearer(posted: Posted) -> str:
    """Return the secret of an Authorization header: a bearer's token, or Basic's password.

    Raises:
        Forged: there is none.
    """
    scheme, _, value = posted.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            pass
    raise Forged("no Authorization")


def check_secret(posted: Posted, secret: str) -> None:
    """Make sure that a post whose provider signs nothing carries the secret that was given to it.

    Raises:
        Forged: it does not.
    """
    if not same(bearer(posted), secret):
        raise Forged("a wrong token or password")


def unix(seconds: Any) -> datetime | None:
    """Return the moment that a number of seconds since 1970 means; None where it means none."""
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def iso(text: Any) -> datetime | None:
    """Return the moment that an ISO 8601 text means; None where it means none that is aware."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo is not None else None


def digest(event: Any) -> str:
    """Return a name for an event whose provider gives it none: the same for the same content."""
    return hashlib.sha256(orjson.dumps(event, option=orjson.OPT_SORT_KEYS)).hexdigest()


def key_in(message_id: Any) -> str | None:
    """Return the send key that one of our Message-IDs begins with."""
    found = _KEY_IN_ID.match(str(message_id or ""))
    return found[1] if found else None


def as_key(value: Any) -> str | None:
    """Return a text that may be a send key; None for anything else."""
    return value if isinstance(value, str) and _UUID.match(value) else None


def word(value: Any) -> str | None:
    """Return a code without what may not stand in one, cut short; None for none, and for what holds an address."""
    text = str(value) if value not in (None, "") else ""
    return _WORD.sub("_", text).strip("_")[:64] or None if "@" not in text else None


def kind_of(kinds: Mapping[str, Kind], value: Any) -> Kind | None:
    """Return what a provider's word means; None for a word that is not heard here."""
    return kinds.get(value) if isinstance(value, str) else None


def heard(kinds: Mapping[str, Kind], events: Any, notice: Callable[[dict[str, Any], Kind], Notice]) -> list[Notice]:
    """Return the notices of a JSON list of events; those whose word is not heard here make none.

    Raises:
        Unreadable: it is no list of events.
    """
    return [notice(event, kind) for event in listed(events) if (kind := kind_of(kinds, event.get("event"))) is not None]


def listed(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a JSON list.

    Raises:
        Unreadable: it is not one.
    """
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unreadable("not a list of events")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
