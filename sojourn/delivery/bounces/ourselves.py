"""Which of our messages a mail is about: by the send key that its copy carries, which its recipient alone has seen.

Most return the Message-ID. Of one that a program took it out, the MIME boundary, the metadata of a provider or the token of one
of our links still tells it. A token's signature is not asked: a key cannot be guessed any more than a signature.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from email.message import Message as Mail
from uuid import UUID

from sojourn.delivery.webhooks.base import key_in

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MESSAGE_ID = re.compile(rf"(?im)^[ \t>]*(?:x-[a-z-]*)?(?:original-)?message-id\s*:\s*<?({_UUID})@")
_ELSEWHERE = re.compile(rf"(?:=_|send_key\W{{1,9}}|<)({_UUID})\b", re.IGNORECASE)
_TOKEN = re.compile(r"/[uocpkl]/([A-Za-z0-9_-]{46})(?![A-Za-z0-9_-])")
_TOKEN_BYTES = 34  # sojourn.delivery.tokens: key, number, signature
MAX_TEXT = 300_000


def key_of(mail: Mail, texts: Iterable[str]) -> str | None:
    """Return the send key of the message that a mail is about; None where it is none of ours.

    Args:
        mail: the mail, whose own Message-ID says nothing: only what it answers to.
        texts: the copies of the message, then the rest of the mail.
    """
    looked = [text[:MAX_TEXT] for text in texts]
    for text in looked:
        if found := _MESSAGE_ID.search(text):
            return found[1].lower()
    for text in looked:
        if (found := _ELSEWHERE.search(text)) or (found := _ELSEWHERE.search(re.sub(r"=\n", "", text))):
            return found[1].lower()
        if key := _by_token(text):
            return key
    for name in ("X-Original-Message-ID", "In-Reply-To", "References"):
        for word in str(mail.get(name) or "").split()[:20]:
            if key := key_in(word):
                return key
    return None


def _by_token(text: str) -> str | None:
    for found in _TOKEN.finditer(re.sub(r"=\n", "", text)):
        try:
            raw = base64.b64decode(found[1] + "==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(raw) == _TOKEN_BYTES:
            return str(UUID(bytes=raw[:16]))
    return None
