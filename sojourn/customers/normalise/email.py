"""E-mail addresses: one form for one mailbox, as far as that can be told without asking the mail server."""

from __future__ import annotations

import unicodedata

from sojourn.customers.normalise.outcome import Normalise, Refusal, of_text
from sojourn.language import email_address

MAX_LENGTH = 320
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_NO_ADDRESS = Refusal("not an e-mail address")


def email(keep_case: bool = False, drop_tag: bool = False, fold_gmail: bool = False) -> Normalise:
    """Return a normaliser of e-mail addresses: NFKC, the domain in lower case (and readable where it is international).

    No server is asked, so an address that is well formed may still reach nobody.

    Args:
        keep_case: leave the part before the @ as it was written; else it is in lower case, as every large provider reads it.
        drop_tag: `ada+news@shop.example` becomes `ada@shop.example`. Off: at some providers these are two mailboxes.
        fold_gmail: at gmail.com dots and tags mean nothing, and googlemail.com is gmail.com.
    """

    return of_text(lambda text: _one_form(text, keep_case, drop_tag, fold_gmail), MAX_LENGTH, "too long for an e-mail address")


def _one_form(text: str, keep_case: bool, drop_tag: bool, fold_gmail: bool) -> str | Refusal:
    local, domain = _parts(text)
    if not domain:
        return _NO_ADDRESS
    if not keep_case:
        local = local.lower()
    gmail = fold_gmail and domain in _GMAIL
    if drop_tag or gmail:
        local = local.partition("+")[0] or local
    if gmail:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}" if local else _NO_ADDRESS


def _parts(text: str) -> tuple[str, str]:
    """Return what stands before and after the @; nothing where it is no address."""
    if ":" in text and unicodedata.normalize("NFKC", text).strip()[:7].casefold() == "mailto:":
        text = unicodedata.normalize("NFKC", text).strip()[7:]
    try:
        found = email_address.read(text)
    except email_address.NotAnAddress:
        return "", ""
    if found.problem in (email_address.RESERVED, email_address.PRIVATE_LITERAL):
        return "", ""
    return found.local, email_address.unicode_domain(found.domain)
