"""E-mail addresses: one form for one mailbox, as far as that can be told without asking the mail server."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from email_validator import EmailNotValidError, validate_email

from sojourn.customers.normalise.outcome import NOT_TEXT, Hints, Normalise, Refusal, settled

MAX_LENGTH = 320
_GMAIL = frozenset({"gmail.com", "googlemail.com"})


def email(keep_case: bool = False, drop_tag: bool = False, fold_gmail: bool = False) -> Normalise:
    """Return a normaliser of e-mail addresses: NFKC, the domain in lower case (and readable where it is international).

    No server is asked, so an address that is well formed may still reach nobody.

    Args:
        keep_case: leave the part before the @ as it was written; else it is in lower case, as every large provider reads it.
        drop_tag: `ada+news@shop.example` becomes `ada@shop.example`. Off: at some providers these are two mailboxes.
        fold_gmail: at gmail.com dots and tags mean nothing, and googlemail.com is gmail.com.
    """

    def step(text: str) -> str | Refusal:
        return _one_form(text, keep_case, drop_tag, fold_gmail)

    @lru_cache(maxsize=4096)
    def cached(text: str) -> str | Refusal:
        return settled(step, text)

    def normalise(value: Any, hints: Hints) -> Any:
        if not isinstance(value, str):
            return NOT_TEXT
        if len(value) > MAX_LENGTH:
            return Refusal("too long for an e-mail address")
        return cached(value)

    return normalise


def _one_form(text: str, keep_case: bool, drop_tag: bool, fold_gmail: bool) -> str | Refusal:
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain[:7].casefold() == "mailto:":
        plain = plain[7:].strip()
    try:
        found = validate_email(plain, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, ValueError, IndexError):  # the last two: texts that its IDNA tables do not expect
        return Refusal("not an e-mail address")
    local, domain = found.local_part, found.domain
    if not keep_case:
        local = local.lower()
    gmail = fold_gmail and domain in _GMAIL
    if drop_tag or gmail:
        local = local.partition("+")[0] or local
    if gmail:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if local else Refusal("not an e-mail address")
