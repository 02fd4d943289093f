"""Whether an address is at fault: by the words of whoever refused the message, then by the specific code, then by the vague one.

what is said                                         who decides
550 5.1.1 <ann@x.example>: user unknown              words and code: the address does not exist
5.0.0, and 554 DMARC check failed                    the words, for the code says nothing
5.1.1, and 552 5.2.2 over quota                      what the server itself said, not the report's summary
450 4.1.1 user unknown                               the class of the code: it may be there tomorrow
5.1.1, and no words that are known                   the code
5.0.0, or a plain 550, and no words that are known   nobody: the address is not given up on a guess
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from sojourn.delivery.bounces.phrases import ROWS
from sojourn.delivery.bounces.reasons import Reason
from sojourn.delivery.bounces.status_codes import STATUS, reason_of, vague

__all__ = ["Reason", "Said", "classify", "hard", "said_in"]
MAX_TEXT = 4_000
_CODE = r"(?P<{0}>[245]\.\d{{1,3}}\.\d{{1,3}})(?![\d.]*\d)"
# Where a code stands that is about the recipient, and not a version, an address or a date: behind a reply, a # or a `status`,
# alone in brackets, or at the beginning of a line.
_PLACES = re.compile(
    r"(?<![\d.])[245]\d\d[ -](?:[ -]{0,3})[(<\[]?#?" + _CODE.format("reply")
    + r"|#\s?" + _CODE.format("hash") + r"|\bstatus(?: code)?\s*[:=(]?\s*" + _CODE.format("named")
    + r"|[(\[]" + _CODE.format("alone") + r"[)\]]|(?:^|[;\n>:])\s*<?" + _CODE.format("first") + r"(?=[\s:>,-])",
    re.IGNORECASE,
)  # fmt: skip
_REPLY = re.compile(r"(?<![\d.:/#-])([245])(\d\d)(?=[ -](?!\d{1,3}\b(?! ?\d?\.)))(?![ -]\d{4}\b)")
_NOISE = re.compile(r"https?://\S+|www\.\S+|\S+@\S+|<>|[\"“”*_`]")
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Said:
    """What a text says of a recipient: the enhanced code, and the class of the reply (4 or 5), as far as there are any."""

    status: str
    reply: str


def said_in(text: str) -> Said:
    """Return the codes of a text: of several enhanced ones the first that is specific."""
    codes = [next(filter(None, found.groups())) for found in _PLACES.finditer(text[:MAX_TEXT])]
    status = next((code for code in codes if not vague(code)), codes[0] if codes else "")
    reply = _REPLY.search(text[:MAX_TEXT])
    return Said(status, reply[1] if reply else "")


def classify(status: str = "", diagnostic: str = "", words: str = "") -> tuple[Reason, str]:
    """Return why a message did not arrive, and the code that says most about it.

    Args:
        status: the enhanced code of a report or a provider's event; may be empty, vague or wrong.
        diagnostic: what the server said, with its codes: a Diagnostic-Code, a provider's `reason` or `message`.
        words: what the rest of the mail says; asked only where nothing before says enough.
    """
    said = said_in(diagnostic)
    status = found[0] if (found := STATUS.search(status)) else ""
    code = said.status if said.status and (not vague(said.status) or vague(status)) else status
    kind = (said.status or said.reply or status)[:1]
    if kind == "4":
        return Reason.TEMPORARY, code if code.startswith("4") else said.status or "4.0.0"
    reason = meaning(diagnostic)
    if reason is Reason.UNCLEAR:
        reason = reason_of(code)
    if reason is Reason.UNCLEAR and words:
        reason, code = _by_words(words, code)
    return reason, code or (f"{kind}.0.0" if kind else "")


def hard(permanent: bool, *said: object) -> bool:
    """Tell whether a bounce that a provider calls permanent is the address's fault.

    Args:
        permanent: whether the provider takes it for one of the address.
        said: the codes and words of the recipient's server, as far as the provider passes them on: where they say what else
            was wrong (our sender, our content, a full mailbox), that is believed and not the provider's sum of it.
    """
    if not permanent:
        return False
    words = " ".join(str(each) for each in said if each not in (None, ""))
    reason, _ = classify(diagnostic=words)
    return reason.hard or reason is Reason.UNCLEAR


def _by_words(words: str, code: str) -> tuple[Reason, str]:
    said = said_in(words)
    if (said.status or said.reply)[:1] == "4" and not code.startswith("5"):
        return Reason.TEMPORARY, said.status or "4.0.0"
    if said.status and vague(code):
        code = said.status
    reason = meaning(words)
    return (reason_of(code) if reason is Reason.UNCLEAR else reason), code or (f"{said.reply}.0.0" if said.reply else "")


@lru_cache(maxsize=1024)
def meaning(text: str) -> Reason:
    """Return what words mean; UNCLEAR where none of them is known."""
    plain = _BLANKS.sub(" ", _NOISE.sub(" ", text[:MAX_TEXT].lower().replace("\u2019", "'"))).strip()
    return next((reason for reason, said in ROWS if said.search(plain)), Reason.UNCLEAR) if plain else Reason.UNCLEAR
