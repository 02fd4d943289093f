"""What `sojourn dns` says of a domain, by what its DNS says."""

from __future__ import annotations

import base64
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from sojourn.delivery.dns_check import INCLUDES, DnsAway, Finding, check
from sojourn.language.delivery_model import OPTIONS

SHOP = "shop.example"


@cache
def public(bits: int) -> str:
    key = rsa.generate_private_key(65537, bits).public_key()
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def zone() -> dict[tuple[str, str], list[str]]:
    return {
        (SHOP, "TXT"): ["google-site-verification=x", "v=spf1 include:sendgrid.net ~all"],
        ("sendgrid.net", "TXT"): ["v=spf1 ip4:192.0.2.0/24 ~all"],
        (f"s1._domainkey.{SHOP}", "TXT"): [f"v=DKIM1; k=rsa; p={public(2048)}"],
        (f"_dmarc.{SHOP}", "TXT"): ["v=DMARC1; p=reject; rua=mailto:dmarc@shop.example"],
        (SHOP, "MX"): ["10 mx.shop.example."],
        (f"default._bimi.{SHOP}", "TXT"): ["v=BIMI1; l=https://shop.example/logo.svg; a=https://shop.example/vmc.pem"],
    }


def found(changes: dict[tuple[str, str], list[str]] | None = None, domain: str = SHOP, **asked: object) -> dict[str, Finding]:
    records = zone() | (changes or {})
    asked = {"selectors": ["s1"], "providers": ["sendgrid"]} | asked
    findings = check(domain, lambda name, kind: records.get((name, kind), []), **asked)  # type: ignore[arg-type]
    return {finding.record: finding for finding in findings}


def test_a_domain_that_is_set_up_well_is_good_throughout() -> None:
    assert {record: finding.verdict for record, finding in found().items()} == dict.fromkeys(("SPF", "DKIM", "DMARC", "MX", "BIMI"), "good")


def test_of_a_domain_without_anything_it_says_what_to_publish() -> None:
    findings = check(SHOP, lambda _name, _kind: [], selectors=["sojourn"], providers=["ses", "postmark"], public_key="QUJD")
    published = {finding.record: finding.publish for finding in findings}
    assert published["SPF"] == 'shop.example. TXT "v=spf1 include:amazonses.com include:spf.mtasv.net ~all"'
    assert published["DKIM"] == 'sojourn._domainkey.shop.example. TXT "v=DKIM1; k=rsa; p=QUJD"'
    assert published["DMARC"] == '_dmarc.shop.example. TXT "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"'
    assert published["MX"].startswith("shop.example. MX")
    assert published["BIMI"].startswith('default._bimi.shop.example. TXT "v=BIMI1;')
    assert [finding.verdict for finding in findings] == ["missing", "missing", "missing", "missing", "warn"]


MANY = " ".join(f"include:i{n}.example" for n in range(12))
CASES = [
    ("SPF", {(SHOP, "TXT"): ["v=spf1 +all"]}, "wrong"),
    ("SPF", {(SHOP, "TXT"): ["v=spf1 -all", "v=spf1 ~all"]}, "wrong"),
    ("SPF", {(SHOP, "TXT"): [f"v=spf1 {MANY} ~all"]}, "wrong"),
    ("SPF", {(SHOP, "TXT"): ["v=spf1 mx -all"]}, "warn"),
    ("SPF", {(SHOP, "TXT"): ["v=spf1 include:sendgrid.net"]}, "warn"),
    ("SPF", {(SHOP, "TXT"): ["v=spf10 include:sendgrid.net"]}, "missing"),
    ("SPF", {(SHOP, "TXT"): ["v=spf1 include:sendgrid.net redirect=_spf.shop.example"]}, "good"),
    ("SPF", {("sendgrid.net", "TXT"): ["v=spf1 include:sendgrid.net ~all"]}, "good"),  # it includes itself, and that ends
    ("DKIM", {(f"s1._domainkey.{SHOP}", "TXT"): []}, "missing"),
    ("DKIM", {(f"s1._domainkey.{SHOP}", "TXT"): ["v=DKIM1; p="]}, "wrong"),
    ("DKIM", {(f"s1._domainkey.{SHOP}", "TXT"): ["v=DKIM1; p=notakey"]}, "wrong"),
    ("DKIM", {(f"s1._domainkey.{SHOP}", "TXT"): [f"v=DKIM1; p={public(1024)}"]}, "warn"),
    ("DKIM", {(f"s1._domainkey.{SHOP}", "TXT"): [f"v=DKIM1; t=y; p={public(2048)}"]}, "warn"),
    ("DMARC", {(f"_dmarc.{SHOP}", "TXT"): []}, "missing"),
    ("DMARC", {(f"_dmarc.{SHOP}", "TXT"): ["v=DMARC1; p=none; rua=mailto:a@b.example"]}, "warn"),
    ("DMARC", {(f"_dmarc.{SHOP}", "TXT"): ["v=DMARC1; p=reject"]}, "warn"),
    ("DMARC", {(f"_dmarc.{SHOP}", "TXT"): ["v=DMARC1; p=perhaps; rua=mailto:a@b.example"]}, "wrong"),
    ("DMARC", {(f"_dmarc.{SHOP}", "TXT"): ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "wrong"),
    ("MX", {(SHOP, "MX"): []}, "missing"),
    ("MX", {(SHOP, "MX"): ["0 ."]}, "wrong"),
    ("BIMI", {(f"default._bimi.{SHOP}", "TXT"): ["v=BIMI1; l=http://shop.example/logo.svg"]}, "wrong"),
    ("BIMI", {(f"default._bimi.{SHOP}", "TXT"): ["v=BIMI1; l=https://shop.example/logo.png; a="]}, "wrong"),
    ("BIMI", {(f"default._bimi.{SHOP}", "TXT"): ["v=BIMI1; l=https://shop.example/logo.svg; a="]}, "warn"),
]


@pytest.mark.parametrize(("record", "change", "verdict"), CASES)
def test_each_fault_is_found(record: str, change: dict, verdict: str) -> None:
    findings = found(change)
    assert findings[record].verdict == verdict, findings[record]
    assert {other: finding.verdict for other, finding in findings.items() if other != record and finding.verdict != "good"} == {}


def test_a_provider_is_added_to_the_record_that_is_there_before_its_end() -> None:
    spf = found({(SHOP, "TXT"): ["v=spf1 mx -all"]})["SPF"]
    assert spf.publish == 'shop.example. TXT "v=spf1 mx include:sendgrid.net -all"'


def test_a_subdomain_inherits_its_parents_dmarc() -> None:
    parent = {("_dmarc.shop.example", "TXT"): ["v=DMARC1; p=reject; sp=none; rua=mailto:a@b.example"]}
    dmarc = found(parent, domain="news.shop.example")["DMARC"]
    assert (dmarc.name, dmarc.verdict) == ("_dmarc.shop.example", "warn")


def test_our_own_key_is_compared_with_the_published_one() -> None:
    assert found(public_key=public(2048))["DKIM"].verdict == "good"
    other = found(public_key=public(1024))["DKIM"]
    assert (other.verdict, other.publish) == ("wrong", f's1._domainkey.{SHOP}. TXT "v=DKIM1; k=rsa; p={public(1024)}"')


def test_an_ed25519_key_is_a_key() -> None:
    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    record = f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
    assert found({(f"s1._domainkey.{SHOP}", "TXT"): [record]})["DKIM"].verdict == "good"


def test_where_nobody_answers_nothing_is_said_of_the_record() -> None:
    def away(name: str, kind: str) -> list[str]:
        raise DnsAway("LifetimeTimeout")

    findings = check(SHOP, away, selectors=["s1"])
    assert {finding.verdict for finding in findings} == {"warn"}
    assert all("nobody answered" in finding.say and not finding.publish for finding in findings)


@given(st.dictionaries(st.sampled_from(list(zone())), st.lists(st.text(max_size=60), max_size=3)))
def test_whatever_stands_in_the_dns_is_judged_and_breaks_nothing(changes: dict) -> None:
    assert set(found(changes)) == {"SPF", "DKIM", "DMARC", "MX", "BIMI"}


def test_every_provider_that_sends_by_itself_has_its_include() -> None:
    assert set(INCLUDES) == set(OPTIONS) - {"smtp", "inbox"}
