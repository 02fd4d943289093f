"""E-mail addresses as RFC 5321 and IDNA 2008 have them: read in any spelling, compared in one, written in another.

    as it came      Ann@EXÄMPLE.de, ann@xn--exmple-cua.de, ann@exämple。de
    compared        ann@exämple.de          `canonical`: identity, suppression, bounces, limits
    on the wire     Ann@xn--exmple-cua.de   `wire`: headers, envelope, Message-ID, DKIM, providers
    for people      Ann@exämple.de          `shown`: pages and commands

A domain is mapped as UTS 46 has it (case, width, dots of other scripts, NFC), never by its transitional rules: `fußball.de`
and `fussball.de` are two. The mapped domain must then be valid under IDNA 2008, and an A-label the one way of writing its
U-label (RFC 5891, 5.3). An address is compared without regard to case, also before the @, as every large provider reads it.

    trailing dot            no address: RFC 5321's Domain ends with a letter or digit
    test@io                 an address: one label is a domain (RFC 5321, 2.3.5)
    65 octets before the @  no address (4.5.3.1.1)
    "ann b"@shop.example    an address; quotes that are not needed are left out (4.1.2). Where they hold marks that mail
                            programs read in different ways (@ < > , ; : ( ) [ ] " \\), nothing is sent to it
    ann@[192.0.2.1]         an address (4.1.3); mail goes to public ones only
    änn@shop.example        an address (RFC 6531) that a person can be known by; no provider here is known to take SMTPUTF8
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

import idna

MAX_LOCAL, MAX_DOMAIN, MAX_PATH = 64, 253, 254  # octets: RFC 5321, 4.5.3.1; a path's 256 hold its angle brackets
MAX_TEXT = 1_024  # of what is looked at: quotes, spaces and other scripts make a text longer than its address
NO_SMTPUTF8 = "the part before the @ is not plain ASCII, which mail can carry only by SMTPUTF8, and no provider here takes that"
UNSAFE_QUOTES = "the part before the @ has to stand in quotes and holds marks that mail programs read in different ways"
RESERVED = "the address's domain is reserved (RFC 6761): no mail server stands behind it"
PRIVATE_LITERAL = "the address names a server by an IP number that is not a public one"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[\x20!#-\[\]-~\u0080-\U0010ffff]|\\[\x20-~])*)"')
_MISREAD = set('@<>,;:()[]"\\')  # a provider that reads recipients loosely would see several
# IANA's special-use domain names, but for `test`, `example` and its kin, which tests and documentation write to.
_RESERVED = frozenset(["arpa", "invalid", "local", "localhost", "onion"])
_BELOW_RESERVED = tuple(f".{name}" for name in sorted(_RESERVED))
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# What nearly every address looks like, and is: it is its own canonical form but for its case.
_USUAL = re.compile(
    r"[A-Za-z0-9_+-]{1,40}(?:\.[A-Za-z0-9_+-]{1,20})?@(?:(?![Xx][Nn]--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,3}[A-Za-z]{2,24}"
)
_USUAL_LENGTH = 120


class NotAnAddress(ValueError):
    """A text is no e-mail address; says why, without repeating it."""


@dataclass(frozen=True)
class EmailAddress:
    """An e-mail address, read.

    Attributes:
        local: what stands before the @, as it was written but for quotes that it does not need; NFC.
        domain: in A-labels and lower case; or a literal, such as `[192.0.2.1]`.
    """

    local: str
    domain: str

    @property
    def wire(self) -> str:
        """As it stands in headers and envelopes: the domain in A-labels."""
        return f"{self.local}@{self.domain}"

    @property
    def shown(self) -> str:
        """As people read it: the domain in U-labels."""
        return f"{self.local}@{unicode_domain(self.domain)}"

    @property
    def canonical(self) -> str:
        """As it is compared: one text for all ways of writing it, in lower case."""
        local = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", self.local).lower())
        return f"{local}@{unicode_domain(self.domain)}"

    @property
    def problem(self) -> str | None:
        """Why mail cannot be written to it; None where it can."""
        if not self.local.isascii():
            return NO_SMTPUTF8
        if self.local.startswith('"') and _MISREAD & set(self.local[1:-1]):
            return UNSAFE_QUOTES
        if self.domain.startswith("["):
            return None if _literal(self.domain)[1] else PRIVATE_LITERAL
        return RESERVED if self.domain in _RESERVED or self.domain.endswith(_BELOW_RESERVED) else None


@lru_cache(maxsize=8192)
def read(text: str) -> EmailAddress:
    """Return the address that a text is.

    Raises:
        NotAnAddress: it is none.
    """
    text = text.strip()
    if len(text) <= _USUAL_LENGTH and _USUAL.fullmatch(text):
        local, _, domain = text.rpartition("@")
        return EmailAddress(local, domain.lower())
    if len(text) > MAX_TEXT:
        raise NotAnAddress("it is too long for an e-mail address")
    local, at, domain = _wide_at(text).rpartition("@")
    if not at:
        raise NotAnAddress("an e-mail address has an @")
    found = EmailAddress(_local(local), _literal(domain)[0] if domain.startswith("[") else ascii_domain(domain))
    if len(found.wire.encode()) > MAX_PATH:
        raise NotAnAddress(f"an e-mail address has at most {MAX_PATH} octets")
    return found


def canonical(text: str) -> str | None:
    """Return an address as it is compared; None where a text is none."""
    try:
        return read(text).canonical
    except NotAnAddress:
        return None


def wire(text: str) -> str:
    """Return an address as it stands in headers and envelopes; a text that is none as it is."""
    try:
        return read(text).wire
    except NotAnAddress:
        return text


def shown(text: str) -> str:
    """Return an address as people read it; a text that is none as it is."""
    try:
        return read(text).shown
    except NotAnAddress:
        return text


def problem(text: str) -> str | None:
    """Return why mail cannot be written to an address, without repeating it; None where it can."""
    try:
        return read(text).problem
    except NotAnAddress as error:
        return str(error)


@lru_cache(maxsize=4096)
def ascii_domain(text: str) -> str:
    """Return a domain in A-labels and lower case.

    Raises:
        NotAnAddress: it is no domain of the DNS.
    """
    try:
        labels = idna.uts46_remap(text, std3_rules=True).split(".")
        domain = ".".join(map(_a_label, labels))
    except idna.IDNAError as error:
        raise NotAnAddress(f"its domain is not valid under IDNA 2008 ({error.code or 'invalid'})") from None
    if len(domain) > MAX_DOMAIN:
        raise NotAnAddress(f"a domain has at most {MAX_DOMAIN} octets")
    if labels[-1].isdigit():
        raise NotAnAddress("its domain ends with a number; an IP number stands in brackets")
    return domain


@lru_cache(maxsize=4096)
def unicode_domain(text: str) -> str:
    """Return a domain as people read it, in U-labels; a label that says nothing valid as it is."""
    return ".".join(map(_u_label, text.split("."))) if "xn--" in text.lower() else text


def _wide_at(text: str) -> str:
    """Return a text whose @ is an ASCII one where only a wide or small one stands there, as input methods write it."""
    return text if "@" in text else text.replace("\uff20", "@").replace("\ufe6b", "@")


def _a_label(label: str) -> str:
    if label.startswith("xn--") or not label.isascii():
        return idna.alabel(label).decode("ascii")
    if not _LABEL.fullmatch(label):  # letters, digits, hyphens: also those with two hyphens third, which are no A-labels
        raise NotAnAddress("a part of its domain is empty, or holds what is neither letter, digit nor hyphen")
    return label


def _u_label(label: str) -> str:
    try:
        return idna.ulabel(label) if label.lower().startswith("xn--") else label
    except idna.IDNAError:
        return label


def _local(text: str) -> str:
    """Return what stands before the @ in the shortest way of writing it."""
    plain = unicodedata.normalize("NFKC", text)
    text = plain if plain.isascii() else unicodedata.normalize("NFC", text)  # wide letters are those of an input method
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        meant = re.sub(r"\\(.)", r"\1", quoted[1])
        text = meant if _LOCAL.fullmatch(meant) else '"' + re.sub(r'([\\"])', r"\\\1", meant) + '"'
    elif not _LOCAL.fullmatch(text):
        raise NotAnAddress("the part before the @ is empty, or holds what may not stand there")
    if len(text.encode("utf-8", "surrogatepass")) > MAX_LOCAL:
        raise NotAnAddress(f"the part before the @ has at most {MAX_LOCAL} octets")
    if not text.isascii() and any(unicodedata.category(character)[0] in "CZ" for character in text):
        raise NotAnAddress("the part before the @ holds a control character or a space")
    return text


def _literal(text: str) -> tuple[str, bool]:
    """Return an address literal in its one way of writing, and whether the number is a public one."""
    number = text[1:-1] if text.endswith("]") else ""
    try:
        if number[:5].lower() == "ipv6:":
            six = IPv6Address(number[5:].split("%")[0])
            return f"[IPv6:{six.compressed}]", six.is_global
        four = IPv4Address(number)
    except ValueError:
        raise NotAnAddress("what stands in brackets after the @ is no IP number") from None
    return f"[{four}]", four.is_global
