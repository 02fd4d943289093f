"""Bounces that come by mail: RFC 3464's fields where there are any, what `flufl.bounce` makes out of others else.

Anyone can write a mail that says that another has bounced. So one counts only where it holds the Message-ID of a
message of ours, which its recipient alone has seen, and names the address that we wrote to.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import Header, decode_header
from email.message import Message as Mail
from email.utils import parsedate_to_datetime

from flufl.bounce import all_failures

from sojourn.customers.suppression import normalise
from sojourn.delivery.webhooks.base import Kind, Notice, key_in

MAX_MAIL_BYTES = 2 * 1024 * 1024
MAX_RECIPIENTS = 50
ACTIONS = {"delayed": Kind.DEFERRED, "delivered": Kind.DELIVERED, "relayed": Kind.ACCEPTED, "expanded": Kind.ACCEPTED}
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"\b([45])\d\d[ -]")
_MESSAGE_ID = re.compile(rb"^\s*(?:>\s*)?Message-ID:\s*(<[^<>\s]{1,300}>)", re.IGNORECASE | re.MULTILINE)
# Of 5.x.x, what is no fault of the address: a full mailbox, a message too large, a policy, a list, a route.
_NOT_THE_ADDRESS = re.compile(r"^5\.(2\.[234]|3\.\d+|4\.\d+|5\.\d+|6\.\d+|7\.\d+)$")


@dataclass(frozen=True)
class Bounce:
    """What a mail says of one of our messages.

    Attributes:
        send_key: of the message.
        addresses: that it names, in their canonical form.
        status: the enhanced status code (RFC 3463); empty where it gives none.
        action: RFC 3464's: failed, delayed, delivered, relayed or expanded.
    """

    send_key: str
    addresses: frozenset[str]
    status: str
    action: str = "failed"

    @property
    def hard(self) -> bool:
        """Whether the address is at fault for good."""
        return self.action == "failed" and self.status.startswith("5.") and not _NOT_THE_ADDRESS.match(self.status)

    @property
    def kind(self) -> Kind:
        """What it is told as."""
        return ACTIONS.get(self.action, Kind.BOUNCED)


def read(raw: bytes) -> Bounce | None:
    """Return what a mail says of a message of ours; None where it is no bounce, or of none of ours."""
    key = _key(raw)
    if key is None:
        return None
    mail = message_from_bytes(raw, policy=policy.compat32)
    for fields in _reports(mail):
        addresses = frozenset(filter(None, (_address(fields.get(name)) for name in ("Final-Recipient", "Original-Recipient"))))
        action = str(fields.get("Action", "failed")).strip().lower()
        status = _status(str(fields.get("Status", ""))) or _status(str(fields.get("Diagnostic-Code", "")))
        if addresses:
            return Bounce(key, addresses, status, action)
    temporary, permanent = all_failures(mail)
    named = [address.decode("ascii", "replace") if isinstance(address, bytes) else str(address) for address in [*permanent, *temporary]]
    if not named:
        return None
    text = raw[:200_000].decode("utf-8", "replace")
    # A word of a program that gives no code is believed to be temporary where it may be: an address is not given up on a guess.
    status = _status(text) or (f"{found[1]}.0.0" if (found := _REPLY.search(text)) else "4.0.0")
    return Bounce(key, frozenset(normalise(address) for address in named[:MAX_RECIPIENTS]), status)


def notice(bounce: Bounce, raw: bytes) -> Notice:
    """Return a bounce as what a provider would tell."""
    try:
        at = parsedate_to_datetime(str(message_from_bytes(raw, policy=policy.compat32).get("Date")))
    except (TypeError, ValueError, IndexError):
        at = None
    when = at if at is not None and at.tzinfo is not None else None
    name = hashlib.sha256(f"{bounce.send_key}:{bounce.action}:{bounce.status}".encode()).hexdigest()
    return Notice(name, bounce.kind, when, bounce.send_key, hard=bounce.hard, code=bounce.status or None, addresses=bounce.addresses)


def _key(raw: bytes) -> str | None:
    """Return the send key of the message that came back, from its own Message-ID and not the bounce's."""
    _, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    for found in _MESSAGE_ID.finditer(body):
        key = key_in(found[1].decode("ascii", "replace"))
        if key is not None:
            return key
    return None


def _reports(mail: Mail) -> Iterator[Mail]:
    """The fields for each recipient of a delivery status report; the first group of them is about the report itself."""
    for part in mail.walk():
        if part.get_content_type() == "message/delivery-status" and isinstance(part.get_payload(), list):
            groups = part.get_payload()
            for group in groups[1 : MAX_RECIPIENTS + 1] if isinstance(groups, list) else ():
                if isinstance(group, Mail):
                    yield group


def _address(field: object) -> str:
    """Return the address of `rfc822; ann@example.com`."""
    text = str(field or "")
    if isinstance(field, Header):  # a header of bytes beyond ASCII, which RFC 6533 has in UTF-8
        text = "".join(part if isinstance(part, str) else part.decode("utf-8", "replace") for part, _ in decode_header(field))
    return normalise(text.partition(";")[2].strip().strip("<>"))


def _status(text: str) -> str:
    found = _STATUS.search(text)
    return found[0] if found else ""
