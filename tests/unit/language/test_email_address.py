"""An e-mail address is read in any spelling, compared in one, and written to the wire in A-labels."""

# ruff: noqa: RUF001 - letters that look alike are what this is about

import unicodedata

import idna
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from sojourn.language import email_address
from sojourn.language.email_address import NotAnAddress, canonical, problem, read, shown, wire

EXAEMPLE = "xn--exmple-cua.de"


@pytest.mark.parametrize(
    "text",
    [
        "ann@exämple.de", "Ann@EXÄMPLE.DE", "ann@xn--exmple-cua.de", "ANN@XN--EXMPLE-CUA.DE", "ann@Xn--Exmple-Cua.De", "  ann@exämple.de\n",
        "ann@exa\u0308mple.de", "ann@EXA\u0308MPLE.de", "ann@exämple\u3002de", "ann@exämple\uff0ede", "ann@exämple\uff61de",
        "\uff41\uff4e\uff4e\uff20exämple.de", "ann@\uff45\uff58ämple.de", '"ann"@exämple.de', '"a\\nn"@exämple.de', "ann@ex\u00adämple.de",
    ],
)  # fmt: skip
def test_every_spelling_of_an_address_is_one(text: str) -> None:
    assert canonical(text) == "ann@exämple.de"
    assert wire(text).lower() == f"ann@{EXAEMPLE}"
    assert shown(text).lower() == "ann@exämple.de"
    assert problem(text) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a@fußball.de", "a@fussball.de"), ("a@faß.de", "a@fass.de"), ("a@βόλος.com", "a@βόλοσ.com"),
        ("a@نامه\u200cای.com", "a@نامهای.com"), ("a@क्\u200dष.com", "a@क्ष.com"), ("a@öbb.at", "a@obb.at"), ("a@раураl.com", "a@paypal.com"),
        ("straße@x.de", "strasse@x.de"),
    ],
)  # fmt: skip
def test_what_idna_2008_keeps_apart_stays_two(one: str, other: str) -> None:
    assert None is not canonical(one) != canonical(other) is not None
    assert wire(one) != wire(other)


@pytest.mark.parametrize(
    "text",
    [
        "", "ann", "@x.de", "ann@", "ann@@x.de", "ann@x@y.de", "ann@shop.example.", "ann@exämple.de.",
        "ann@exämple.de\u3002", "ann@.de", "ann@a..de",
        "a" * 65 + "@x.de", "ä" * 33 + "@x.de", "ann@" + "a" * 64 + ".de", "ann@" + ".".join(["a" * 60] * 5), "ann@" + "ä" * 60 + ".de",
        "a..b@x.de", ".a@x.de", "a.@x.de", "a b@x.de", "ann@exa mple.de", "ann@a_b.de", "ann@-a.de", "ann@a-.de", "ann@ä-.de", "ann@x.de\0",
        "a\r\nb@x.de", "ann@1.2.3.4", "ann@i\u2764.ws", "ann@xn--i-7iq.ws", "ann@xn--", "ann@xn--a", "ann@xn--invalid---",
        "ann@xn--bbk-.de",
        "ann@xn---bbk.de", "ann@na\u200cme.com", "ann@na\u200dme.com", "ann@\u202ede.de", "ann@\u0308a.de", "ann@xn--EXÄMPLE.de",
        "ann@אa1.com",
        "ann@[1.2.3]", "ann@[1.2.3.4", "ann@[IPv6:zz]", "ann@[fe80::1%eth0]", '"ann@x.de', '"a"b@x.de', '"a\nb"@x.de', "an\u202en@x.de",
        "\ud800@x.de", "Ann <ann@x.de>", "ann@x.de,bob@x.de", "mailto:ann@x.de", "a" * 64 + "@" + ".".join(["b" * 62] * 3) + ".de",
    ],
)  # fmt: skip
def test_what_rfc_5321_or_idna_2008_refuses_is_no_address_and_the_reason_does_not_repeat_it(text: str) -> None:
    assert canonical(text) is None
    with pytest.raises(NotAnAddress) as refused:
        read(text)
    assert not text or text not in str(refused.value)
    assert problem(text) == str(refused.value)
    assert wire(text) == shown(text) == text


@pytest.mark.parametrize(
    "text",
    ["test@io", "a" * 64 + "@x.de", "a!#$%&'*+/=?^_`{|}~-b@x.de", "ann@ab--cd.de", "ann@9gag.com", "ann@x.xn--p1ai",
        '"ann b"@x.de', '"a..b"@x.de',
     "ann@[8.8.8.8]", "ann@[ipv6:2001:4860:4860:0:0:0:0:8888]"],
)  # fmt: skip
def test_what_rfc_5321_allows_can_be_written_to(text: str) -> None:
    assert problem(text) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("änn@x.de", email_address.NO_SMTPUTF8), ("用户@例子.广告", email_address.NO_SMTPUTF8),
        ("ann@[127.0.0.1]", email_address.PRIVATE_LITERAL),
        ("ann@[IPv6:::1]", email_address.PRIVATE_LITERAL), ("ann@[10.0.0.8]", email_address.PRIVATE_LITERAL),
        ('"a@b"@x.de', email_address.UNSAFE_QUOTES), ('"a <b>"@x.de', email_address.UNSAFE_QUOTES),
        ('"a,b"@x.de', email_address.UNSAFE_QUOTES),
        ("ann@localhost", email_address.RESERVED), ("ann@shop.local", email_address.RESERVED),
    ],
)  # fmt: skip
def test_an_address_that_nothing_can_be_sent_to_is_one_person_all_the_same_and_says_why(text: str, reason: str) -> None:
    assert canonical(text) is not None
    assert problem(text) == reason


_domains = st.from_regex(r"\A[A-Za-z0-9-]{1,16}(\.[A-Za-z0-9-]{1,9}){0,2}\Z")
_addresses = st.one_of(
    st.builds("{}@{}".format, st.from_regex(r"\A[A-Za-z0-9._+-]{1,12}\Z"), _domains),
    st.builds(
        "{}@{}.{}".format, st.text(max_size=6), st.text("aÄßς日本ا\u0308\u200d.\u3002", max_size=8), st.sampled_from(["de", "рф", "公司"])
    ),
)


@given(_addresses)
@example("Ann@Xn--Exmple-Cua.de")
@example("ann@\u1e9e.de")
def test_the_canonical_form_is_a_fixed_point_of_all_ways_of_writing(text: str) -> None:
    form = canonical(text)
    if form is None:
        return
    assert {canonical(form), canonical(wire(text)), canonical(shown(text)), canonical(unicodedata.normalize("NFD", text))} == {form}
    assert wire(text).rpartition("@")[2].isascii()
    assert wire(form).rpartition("@")[2] == wire(text).rpartition("@")[2]


@given(_addresses)
@example("a@x.de")
@example("a@xn--a.de")
def test_what_the_library_takes_is_read_as_the_library_reads_it(text: str) -> None:
    try:
        library = validate_email(text, check_deliverability=False, test_environment=True)
    except (EmailNotValidError, ValueError, IndexError):
        return
    found = read(text)
    assert found.domain == library.ascii_domain
    assert found.shown.rpartition("@")[2] == library.domain


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=10))
def test_a_label_is_what_idna_makes_of_it_after_the_mapping_of_uts_46(label: str) -> None:
    try:
        expected = idna.encode(f"{label}.de", uts46=True, std3_rules=True).decode()
    except idna.IDNAError:
        return
    if not expected.endswith(".") and "@" not in label:
        assert read(f"a@{label}.de").domain == expected
