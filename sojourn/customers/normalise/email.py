"""E-mail addresses: one form for one mailbox, as far as that can be told without asking the mail server."""

from __future__ import annotations

import re
import unicodedata

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from sojourn.customers.normalise.outcome import Normalise, Refusal, of_text

MAX_LENGTH = 320
# What nearly every address looks like. The library says the same of it (a test holds that), in fifty times the time.
_USUAL = re.compile(r"(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@(?P<domain>(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+[A-Za-z]{2,24})")
_USUAL_LENGTH = 63  # below every limit on a part
_RESERVED = frozenset(SPECIAL_USE_DOMAIN_NAMES)
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
    usual = _USUAL.fullmatch(text) if len(text) <= _USUAL_LENGTH else None
    if usual is not None and text.rpartition(".")[2].lower() not in _RESERVED:
        return usual["local"], usual["domain"].lower()
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain[:7].casefold() == "mailto:":
        plain = plain[7:].strip()
    try:
        found = validate_email(plain, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, ValueError, IndexError):  # the last two: texts that its IDNA tables do not expect
        return "", ""
    return found.local_part, found.domain
