"""A mail that may be a bounce, taken apart: the report's fields, what it says in words, and the message that came back."""

from __future__ import annotations

import base64
import binascii
import contextlib
import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message as Mail

MAX_MAIL_BYTES = 2 * 1024 * 1024
MAX_GROUPS = 51
MAX_WORDS = 20_000
MAX_PARTS = 60
HEADS = 3
Fields = Mapping[str, str]
_FIELD = re.compile(r"^([!-9;-~]{1,60})[ \t]*:[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_TAG = re.compile(r"(?s)<(?:style|script|head)\b.*?</(?:style|script|head)>|<!--.*?-->|<[^<>]*>")
_ENTITY = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&nbsp;": " ", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&#64;": "@"}
# Where a copy of the message begins, in mails that have it in their text.
_COPY = re.compile(
    r"^(?:[-=*_ \t>]{0,60}(?:below this line is (?:a copy|the)|(?:this is )?a copy of (?:the|your) message|this is a copy of|"
    r"original message|returned (?:message|mail)|message headers?|unsent message|undelivered message|included is|"
    r"the (?:body|header|first) of|received header|original (?:message )?headers|ursprüngliche nachricht|message d'origine|"
    r"mensaje original|исходное сообщение|原邮件|元のメッセージ|message text)[^\n]{0,80}"
    r"|(?:> ?)?(?:return-path|received|dkim-signature|mime-version|x-[a-z-]+|message-id):[ \t]?\S.*)$",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass
class Parts:
    """What a mail holds.

    Attributes:
        mail: the mail, for its own headers.
        groups: the fields of a delivery report for each recipient, names in lower case.
        feedback: the fields of a feedback report; None where there is none.
        words: what a person reads of it, without the copy of the message.
        copies: the message that came back, or its headers, as text; the likeliest first.
    """

    mail: Mail
    groups: list[Fields] = field(default_factory=list)
    feedback: Fields | None = None
    words: str = ""
    copies: list[str] = field(default_factory=list)


def take_apart(raw: bytes) -> Parts:
    """Return the parts of a mail; what is in Base64 or quoted-printable is read too."""
    found = Parts(message_from_bytes(raw[:MAX_MAIL_BYTES], policy=policy.compat32))
    texts: list[str] = []
    html = ""
    for number, part in enumerate(_walk(found.mail)):
        kind = part.get_content_type()
        if number >= MAX_PARTS:
            break
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            found.groups += _groups(_inner(part))
        elif kind == "message/feedback-report":
            found.feedback = fields_of(_inner(part))
        elif kind == "text/rfc822-headers" or kind.startswith("message/"):
            found.copies.append(_inner(part))
        elif part is not found.mail and part.get("Message-ID"):  # the copy stands there as a part of its own kind
            found.copies.append("".join(f"{name}: {value}\n" for name, value in part.items()) + "\n" + _text(part))
        elif kind == "text/html":
            html = html or _text(part)
        elif kind.startswith(("text/", "multipart/")):  # of several parts, whose boundary is missing
            texts.append(_text(part))
    said = "\n".join(texts).replace("\r\n", "\n")
    if len(said.strip()) < 20 and html:
        said = _plain(html)
    if not found.groups and "inal-recipient" in said.lower():  # a report that is called plain text
        found.groups = _groups(said)
    cut = _COPY.search(said)
    found.words = said[: cut.start() if cut else MAX_WORDS][:MAX_WORDS]
    if cut:
        found.copies.append(said[cut.start() :])
    if html and html is not said:
        found.copies.append(_plain(html))
    return found


def fields_of(text: str) -> dict[str, str]:
    """Return the header fields at the head of a text, names in lower case, the first of each name."""
    found: dict[str, str] = {}
    for block in re.split(r"\n[ \t]*\n", text[:65_536], maxsplit=HEADS)[:HEADS]:  # a line may say first that a copy follows
        for name, value in _FIELD.findall(block):
            found.setdefault(name.lower(), " ".join(value.split()))
        if len(found) > 1:
            break
    return found


def _walk(mail: Mail) -> Iterator[Mail]:
    """Go through the parts, but not into a message that came back."""
    if mail.get_content_maintype() == "multipart" and isinstance(mail.get_payload(), list):
        for part in mail.get_payload():
            if isinstance(part, Mail):
                yield from _walk(part)
    else:
        yield mail


def _groups(text: str) -> list[Fields]:
    """Return the groups of fields that name a recipient; the first group of a report is about the report itself."""
    groups: list[Fields] = [fields_of(block) for block in re.split(r"\n[ \t]*\n", text.strip())[: MAX_GROUPS * 2]]
    return [group for group in groups if "final-recipient" in group or "original-recipient" in group][:MAX_GROUPS]


def _inner(part: Mail) -> str:
    """Return what a part holds, also where a mail program encoded it against RFC 2046, 5.2."""
    raw = "\n".join(_flat(part.get_payload())).encode("utf-8", "surrogateescape")
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding == "base64":
        with contextlib.suppress(binascii.Error):  # it says Base64 and is none: it stands as it is
            raw = base64.b64decode(b"".join(raw.split()))
    elif encoding == "quoted-printable":
        raw = quopri.decodestring(raw)
    return raw.decode("utf-8", "replace").replace("\r\n", "\n").lstrip("\n")


def _flat(payload: object) -> Iterator[str]:
    """Return the text of a payload as it came: what the library would write anew takes longer than all the rest."""
    if isinstance(payload, list):
        for each in payload:
            if isinstance(each, Mail):
                yield "".join(f"{name}: {value}\n" for name, value in each.raw_items())
                yield from _flat(each.get_payload())
    else:
        yield str(payload)


def _text(part: Mail) -> str:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    try:
        return raw.decode(str(part.get_content_charset() or "utf-8"), "replace")
    except (LookupError, UnicodeError):
        return raw.decode("utf-8", "replace")


def _plain(html: str) -> str:
    text = _TAG.sub("\n", html[: 10 * MAX_WORDS])
    for entity, meant in _ENTITY.items():
        text = text.replace(entity, meant)
    return re.sub(r"[ \t]+", " ", re.sub(r"\s*\n\s*", "\n", text))
