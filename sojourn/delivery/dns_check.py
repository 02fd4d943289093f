"""What the DNS says of a sender's domain, and what to publish so that mail from it is believed.

SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 7489), MX and BIMI. Answers come by a resolver that is given, so that the
judgement is a pure function of them. Gmail and Yahoo ask bulk senders for SPF, DKIM and DMARC, all three.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

Verdict = Literal["good", "warn", "missing", "wrong"]
Resolve = Callable[[str, str], list[str]]
"""Returns the records of a name and a type as texts, none where there are none; raises DnsAway where nobody answered."""

SPF_LOOKUPS = 10  # RFC 7208, 4.6.4
MIN_RSA_BITS = 1024
GOOD_RSA_BITS = 2048
# What each provider's documentation tells to include.
INCLUDES = {
    "sendgrid": "include:sendgrid.net",
    "mailgun": "include:mailgun.org",
    "ses": "include:amazonses.com",
    "brevo": "include:spf.brevo.com",
    "mailchimp": "include:spf.mandrillapp.com",
    "postmark": "include:spf.mtasv.net",
    "resend": "include:amazonses.com",
}
_LOOKED_UP = re.compile(r"^[+\-~?]?(include:|a\b|mx\b|ptr\b|exists:)|^redirect=", re.IGNORECASE)


class DnsAway(Exception):
    """No server answered in time; nothing can be said of the name."""


@dataclass(frozen=True)
class Finding:
    """What was found of one kind of record.

    Attributes:
        record: SPF, DKIM, DMARC, MX or BIMI.
        name: that was asked.
        verdict: whether it is as it should be.
        found: the record as it stands; empty where there is none.
        say: what is to be done, or why all is well.
        publish: the record to be published, where one is.
    """

    record: str
    name: str
    verdict: Verdict
    found: str
    say: str
    publish: str = ""


def check(
    domain: str, resolve: Resolve, *, selectors: Sequence[str] = (), providers: Sequence[str] = (), public_key: str = ""
) -> list[Finding]:
    """Return what the DNS says of a domain.

    Args:
        domain: that mail is from.
        resolve: asks the DNS.
        selectors: of DKIM, to look for.
        providers: whose servers must be allowed to send.
        public_key: of our own DKIM key (base64 of DER), which the first selector must hold.
    """
    looks: list[Callable[[], Finding]] = [lambda: _spf(domain, resolve, providers)]
    for number, selector in enumerate(selectors):
        key = public_key if number == 0 else ""
        looks.append(lambda selector=selector, key=key: _dkim(domain, selector, key, resolve))  # type: ignore[misc]
    looks += [lambda: _dmarc(domain, resolve), lambda: _mx(domain, resolve), lambda: _bimi(domain, resolve)]
    kinds = ["SPF", *("DKIM" for _ in selectors), "DMARC", "MX", "BIMI"]
    found = []
    for kind, look in zip(kinds, looks, strict=True):
        try:
            found.append(look())
        except DnsAway as error:
            found.append(Finding(kind, domain, "warn", "", f"nobody answered ({error}); try again"))
    return found


def _spf(domain: str, resolve: Resolve, providers: Sequence[str]) -> Finding:
    includes = list(dict.fromkeys(INCLUDES[name] for name in providers if name in INCLUDES))
    wanted = f'{domain}. TXT "{" ".join(["v=spf1", *includes, "~all"])}"'
    records = [text for text in resolve(domain, "TXT") if text.lower().split(" ")[0] == "v=spf1"]
    if not records:
        return Finding("SPF", domain, "missing", "", "nobody is allowed to send for this domain; publish", wanted)
    if len(records) > 1:
        return Finding("SPF", domain, "wrong", " | ".join(records), "more than one SPF record, which counts as none; join them into one")
    record = records[0]
    terms = record.split()[1:]
    lower = [term.lower() for term in terms]
    if any(term.lstrip("+") == "all" for term in lower):
        return Finding("SPF", domain, "wrong", record, "+all lets everyone send for this domain; end it with ~all or -all")
    lookups = _lookups(domain, resolve, set())
    if lookups > SPF_LOOKUPS:
        say = f"needs more than {SPF_LOOKUPS} look-ups, and so counts as an error; take some out"
        return Finding("SPF", domain, "wrong", record, say)
    absent = [include for include in includes if include not in lower and f"+{include}" not in lower]
    if absent:
        at = next((i for i, term in enumerate(lower) if term.lstrip("+-~?") == "all" or term.startswith("redirect=")), len(terms))
        joined = " ".join(["v=spf1", *terms[:at], *absent, *terms[at:]])
        say = "does not name every provider, which matters where bounces come back to this domain; publish"
        return Finding("SPF", domain, "warn", record, say, f'{domain}. TXT "{joined}"')
    if not any(term.lstrip("+-~?") == "all" or term.startswith("redirect=") for term in lower):
        say = "does not say what of everyone else; publish"
        return Finding("SPF", domain, "warn", record, say, f'{domain}. TXT "{record} ~all"')
    return Finding("SPF", domain, "good", record, f"{lookups} of {SPF_LOOKUPS} look-ups")


def _lookups(domain: str, resolve: Resolve, seen: set[str]) -> int:
    """Return how many look-ups an SPF record costs, includes within includes counted, up to one more than are allowed."""
    if domain in seen or len(seen) > SPF_LOOKUPS:
        return 0
    seen.add(domain)
    record = next((text for text in resolve(domain, "TXT") if text.lower().split(" ")[0] == "v=spf1"), "")
    count = 0
    for term in record.split()[1:]:
        if _LOOKED_UP.match(term):
            count += 1
            other = re.match(r"^[+\-~?]?include:(.+)$|^redirect=(.+)$", term, re.IGNORECASE)
            if other and count <= SPF_LOOKUPS:
                count += _lookups((other[1] or other[2]).lower(), resolve, seen)
    return count


def tags(record: str) -> dict[str, str]:
    """Return the tags of a `v=…; p=…` record."""
    return dict(_tags(record))


def _tags(record: str) -> Iterator[tuple[str, str]]:
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip().lower(), value.strip()


def _dkim(domain: str, selector: str, public_key: str, resolve: Resolve) -> Finding:
    name = f"{selector}._domainkey.{domain}"
    publish = f'{name}. TXT "v=DKIM1; k=rsa; p={public_key}"' if public_key else ""
    records = [text for text in resolve(name, "TXT") if "p" in tags(text)]
    if not records:
        how = "publish" if public_key else "publish the record that your provider shows for this selector"
        return Finding("DKIM", name, "missing", "", f"no key under this selector; {how}", publish)
    record, key = records[0], re.sub(r"\s+", "", tags(records[0])["p"])
    if not key:
        return Finding("DKIM", name, "wrong", record, "the key is revoked (p= is empty); publish", publish)
    if public_key and key != public_key:
        return Finding("DKIM", name, "wrong", record, "another key than the one that signs here; publish", publish)
    bits = _bits(key, tags(record).get("k", "rsa").lower())
    if bits is None:
        return Finding("DKIM", name, "wrong", record, "the key cannot be read; publish it anew", publish)
    if bits and bits < MIN_RSA_BITS:
        return Finding("DKIM", name, "wrong", record, f"a key of {bits} bits is not believed any more; make one of {GOOD_RSA_BITS}")
    if bits and bits < GOOD_RSA_BITS:
        return Finding("DKIM", name, "warn", record, f"a key of {bits} bits; {GOOD_RSA_BITS} are better")
    if "y" in tags(record).get("t", "").split(":"):
        return Finding("DKIM", name, "warn", record, "still marked as a test (t=y); take that out")
    return Finding("DKIM", name, "good", record, f"a key of {bits} bits" if bits else "an Ed25519 key")


def _bits(key: str, kind: str) -> int | None:
    """Return the size of an RSA key, 0 for an Ed25519 one; None where it is none."""
    try:
        raw = base64.b64decode(key, validate=True)
        if kind == "ed25519":
            ed25519.Ed25519PublicKey.from_public_bytes(raw)
            return 0
        found = load_der_public_key(raw)
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return None
    return found.key_size if isinstance(found, rsa.RSAPublicKey) else None


def _dmarc(domain: str, resolve: Resolve) -> Finding:
    name = f"_dmarc.{domain}"
    publish = f'{name}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
    for at in _parents(domain):
        records = [text for text in resolve(f"_dmarc.{at}", "TXT") if text.lower().startswith("v=dmarc1")]
        if len(records) > 1:
            return Finding("DMARC", f"_dmarc.{at}", "wrong", " | ".join(records), "more than one record, which counts as none; leave one")
        if records:
            return _policy(f"_dmarc.{at}", records[0], inherited=at != domain)
    say = "receivers are not told what to do with forgeries, and big ones demand that; publish"
    return Finding("DMARC", name, "missing", "", say, publish)


def _policy(name: str, record: str, *, inherited: bool) -> Finding:
    said = tags(record)
    policy = (said.get("sp") if inherited and "sp" in said else said.get("p", "")) or ""
    if policy.lower() not in ("none", "quarantine", "reject"):
        return Finding("DMARC", name, "wrong", record, "p= must be none, quarantine or reject")
    if "rua" not in said:
        return Finding("DMARC", name, "warn", record, "nobody is sent the reports; add rua=mailto:…")
    if policy.lower() == "none":
        say = "p=none only watches; once the reports are clean, go on to quarantine and then reject"
        return Finding("DMARC", name, "warn", record, say)
    whose = " (from the parent domain)" if inherited else ""
    return Finding("DMARC", name, "good", record, f"forgeries are told apart: {policy.lower()}{whose}")


def _parents(domain: str) -> Iterator[str]:
    """The domain, and those above it down to two labels."""
    labels = domain.split(".")
    for at in range(max(len(labels) - 1, 1)):
        yield ".".join(labels[at:])


def _mx(domain: str, resolve: Resolve) -> Finding:
    records = resolve(domain, "MX")
    if not records:
        say = "answers and bounces cannot come back to this domain; publish your mail server"
        return Finding("MX", domain, "missing", "", say, f"{domain}. MX 10 mail.{domain}.")
    if any(record.split()[-1:] == ["."] for record in records):
        say = "a null MX says that this domain takes no mail; many refuse mail from one"
        return Finding("MX", domain, "wrong", ", ".join(records), say)
    return Finding("MX", domain, "good", ", ".join(sorted(records)), "answers can come back")


def _bimi(domain: str, resolve: Resolve) -> Finding:
    name = f"default._bimi.{domain}"
    records = [text for text in resolve(name, "TXT") if text.lower().startswith("v=bimi1")]
    if not records:
        publish = f'{name}. TXT "v=BIMI1; l=https://{domain}/logo.svg; a="'
        say = "no logo beside your mails; it can be had once DMARC is at quarantine or reject; publish"
        return Finding("BIMI", name, "warn", "", say, publish)
    said = tags(records[0])
    if said.get("l") != "" and not _is_logo(said.get("l", "")):
        return Finding("BIMI", name, "wrong", records[0], "l= must be an https address of an SVG (Tiny PS)")
    if not said.get("a"):
        return Finding("BIMI", name, "warn", records[0], "without a certificate (a=) Gmail and Apple show no logo")
    return Finding("BIMI", name, "good", records[0], "a logo with a certificate")


def _is_logo(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.path.lower().endswith(".svg")
