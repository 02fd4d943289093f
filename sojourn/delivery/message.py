"""A message as it goes out: exact MIME, with the header set that was meant and no other (P16).

Headers are written here, not by the email package, which has let values break out of them
(CVE-2024-6923) and folds long addresses into encoded words. What was written is read back and compared.
"""

from __future__ import annotations

import unicodedata
from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.header import Header, decode_header, make_header
from email.parser import BytesParser
from email.utils import format_datetime, quote
from functools import lru_cache

from sojourn.content.header_text import ENCODED_WORD, name_text, subject_text
from sojourn.errors import RenderError
from sojourn.language import email_address

MAX_LINE = 998  # RFC 5322, 2.1.1
FOLD_AT = 75
SENDER_ID = "sojourn"
_FORBIDDEN = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line and paragraph separators


class UnsafeHeader(RenderError):
    """A header's value could be read as something else than it says."""


@dataclass(frozen=True)
class Message:
    """A message, frozen under its key; its subject and names are cleaned as they are given, its domains put into A-labels."""

    key: str
    to_address: str
    from_address: str
    subject: str
    html: str
    text: str
    date: datetime
    to_name: str | None = None
    from_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    amp: str | None = None

    def __post_init__(self) -> None:
        """Clean what stands in headers: SMTP and the APIs of providers write it from here."""
        cleaned = {"subject": subject_text(self.subject), "to_name": name_text(self.to_name), "from_name": name_text(self.from_name)}
        for name, value in cleaned.items():
            object.__setattr__(self, name, value)
        for name in ("to_address", "from_address"):
            address = getattr(self, name)
            if address == address.strip():  # what has a line's end about it is refused as it is
                object.__setattr__(self, name, email_address.wire(address))

    @property
    def id(self) -> str:
        """Its Message-ID: the same for every attempt, so that two copies can be told to be one."""
        return message_id_of(self.key, self.from_address)


def message_id_of(key: str, from_address: str) -> str:
    """Return the Message-ID of a send."""
    return f"<{key}@{email_address.wire(from_address).rpartition('@')[2]}>"


def feedback_id(send_id: str, journey: str, purpose: str) -> str:
    """Return the header Feedback-ID, by which Gmail tells whoever signs the mail which campaigns are complained of.

    Four names from the general to whoever sends, the last of 5 to 15 characters. They are those of files, and of nobody.
    """
    return f"{send_id}:{journey}:{purpose}:{SENDER_ID}"


def check_headers(message: Message) -> str | None:
    """Return why a message's headers cannot be written safely; None where they can."""
    try:
        _headers(message)
    except UnsafeHeader as error:
        return str(error)
    return None


def to_bytes(message: Message) -> bytes:
    """Return a message as MIME: text, AMP where there is some, and HTML as alternatives.

    AMP stands before HTML: some mail programs show the last part, whatever it is.

    Raises:
        UnsafeHeader: an address or a header of ours holds what it must not, or a header does not read back as it was meant.
    """
    wanted = _headers(message)
    boundary = f"=_{message.key}"  # "=_" cannot stand in quoted-printable, and a second post has the same bytes
    wanted |= {"MIME-Version": "1.0", "Content-Type": f'multipart/alternative; boundary="{boundary}"'}
    header = "".join(_line(name, value) for name, value in wanted.items())
    text, html = _part(boundary, "plain", message.text), _part(boundary, "html", message.html)
    amp = _part(boundary, "x-amp-html", message.amp) if message.amp is not None else b""
    raw = b"".join([header.encode("ascii"), text, amp, html, f"\r\n--{boundary}--\r\n".encode("ascii")])
    _compare(raw, wanted)
    return raw


@dataclass(frozen=True)
class _Mailbox:
    name: str
    address: str


def _headers(message: Message) -> dict[str, str | _Mailbox]:
    try:
        for part in (message.text, message.html, message.amp or ""):
            part.encode()
    except UnicodeEncodeError:
        raise UnsafeHeader("the message holds half a character (a lone surrogate)") from None
    wanted: dict[str, str | _Mailbox] = {
        "From": _mailbox(message.from_name, message.from_address),
        "To": _mailbox(message.to_name, message.to_address),
        "Subject": _safe("Subject", message.subject),
        "Date": format_datetime(message.date),
        "Message-ID": message.id,
    }
    for name, value in message.headers.items():
        if name in wanted or not name.isascii() or not name.replace("-", "").isalnum():
            raise UnsafeHeader(f"{name!r} cannot be an extra header")
        if not _safe(name, value).isascii():
            raise UnsafeHeader(f"the header {name} must be ASCII")
        wanted[name] = value
    return wanted


def _safe(name: str, value: str) -> str:
    if ENCODED_WORD in value:
        raise UnsafeHeader(f"the header {name} holds '=?', which a mail program would decode")
    if not value.isprintable() and any(unicodedata.category(character) in _FORBIDDEN for character in value):
        raise UnsafeHeader(f"the header {name} holds a control character")
    return value


def _mailbox(name: str | None, address: str) -> _Mailbox:
    found = email_address.problem(_safe("address", address))
    if address != address.strip() or found not in (None, email_address.RESERVED):  # whether a server stands behind it is for the gate
        raise UnsafeHeader(f"an address cannot be written into a header: {found or 'it is not alone'}")
    return _Mailbox(_safe("name", name or ""), address)


def _line(name: str, value: str | _Mailbox) -> str:
    if isinstance(value, str):
        written = value if value.isascii() else _encoded(name, value)
    elif not value.name:
        written = value.address
    elif value.name.isascii():
        written = f'"{quote(value.name)}" <{value.address}>'
    else:
        written = f"{_encoded(name, value.name)}\r\n <{value.address}>"
    if any(len(line) > MAX_LINE for line in f"{name}: {written}".split("\r\n")):
        raise UnsafeHeader(f"the header {name} is longer than {MAX_LINE} characters")
    return f"{name}: {written}\r\n"


def _encoded(name: str, value: str) -> str:
    return Header(value, "utf-8", maxlinelen=FOLD_AT, header_name=name).encode(linesep="\r\n")


def _part(boundary: str, subtype: str, content: str) -> bytes:
    """Return an alternative in quoted-printable: it ends no line early and begins no boundary."""
    head = f'\r\n--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    lines = (content if content.endswith("\n") else f"{content}\n").replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return head.encode("ascii") + b2a_qp(lines.encode())


def _compare(raw: bytes, wanted: Mapping[str, str | _Mailbox]) -> None:
    """Read a message's headers back; they must be those that were meant, in number, order and value."""
    head, end, _ = raw.partition(b"\r\n\r\n")
    read = BytesParser(policy=policy.compat32).parsebytes(head + end, headersonly=True)  # which leaves values as they stand
    if read.keys() != list(wanted):
        raise UnsafeHeader("the headers do not read back as they were written")
    for (name, value), (_, written) in zip(wanted.items(), read.raw_items(), strict=True):
        if isinstance(value, _Mailbox):
            same = (_sender if name == "From" else _mailboxes)(written) == (value,)
        elif value.isascii():  # and without `=?`: every reader takes it as it stands
            same = written == value
        else:
            same = str(policy.default.header_fetch_parse(name, written)) == value
        if not same:
            raise UnsafeHeader(f"the header {name} does not read back as it was written")


def _mailboxes(written: str) -> tuple[_Mailbox, ...]:
    """Return the mailboxes that a header is read as.

    A name of several encoded words is decoded here: Python's reader keeps the space between two of them, which RFC 2047,
    6.2, says to drop, and would make two words of a long one.
    """
    read = policy.default.header_fetch_parse("To", written).addresses
    phrase = written.rpartition("<")[0].strip()
    if phrase.startswith(ENCODED_WORD) and len(read) == 1:
        return (_Mailbox(str(make_header(decode_header(phrase))), read[0].addr_spec),)
    return tuple(_Mailbox(address.display_name, address.addr_spec) for address in read)


_sender = lru_cache(maxsize=16)(_mailboxes)  # the shop's own address is in every message; a reader's is not kept
