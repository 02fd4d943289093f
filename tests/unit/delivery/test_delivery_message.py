"""The header set is exact (P16)."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from laws import law

from sojourn.delivery.message import Message, UnsafeHeader, check_headers, to_bytes

PLAIN = Message(
    key="6a1c4a50-1111-4222-8333-944455556666", to_address="ann@example.com", to_name="Ann", from_address="hello@shop.example",
    from_name="The Shop", subject="Your cart waits", html="<p>Hello</p>", text="Hello\n", date=datetime(2026, 3, 2, 12, tzinfo=UTC),
    headers={"List-Unsubscribe": "<https://mail.example/u/" + "x" * 46 + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
)  # fmt: skip
NAMES = ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type"]
EVIL = "=?utf-8?q?Bob=0D=0ABcc:_evil=40example.com?="
ODD = [EVIL, "a\r\nBcc: x@y.z", "a\nb", '"quoted", <x@y.z>', "Zoë, née Ø", "日本語" * 40, "\u2028x", "\\"]


def meant(value: str, *, name: bool = False) -> str:
    """Return what a value comes to in a header: one line of text that turns no direction and begins no encoded word."""
    healed = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    shown = "".join(one for one in healed if one not in TURNS and not (name and one in MARKS))
    return " ".join("".join(" " if _breaks(one) else one for one in shown).split()).replace("=?", "= ?")


def _breaks(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") or letter in "\ufffe\uffff"


def mailboxes(raw: bytes, header: str) -> list[tuple[str, str]]:
    """Return name and address of each mailbox, as a reader finds them that is not the one of `message.py`: `email.utils` and RFC 2047."""
    written = message_from_bytes(raw, policy=policy.compat32)[header]
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([written])]


MARKS = "\u061c\u200e\u200f"
TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
texts = st.text(st.characters() | st.sampled_from(f"=?\x00\x85\u2028\ud800{TURNS}{MARKS}"), max_size=120) | st.sampled_from(ODD)
addresses = st.sampled_from(["ann@example.com", "a.b+c@sub.example.co.uk", "o'neil@example.com"]) | st.text(max_size=30)


@law(300)
@given(texts, texts, texts, addresses, st.text(max_size=120))
@example(EVIL, "Shop", "Hello", "ann@example.com", "body")
@example("Ann", "Shop", f"Hello {EVIL}", "ann@example.com", "body")
@example("Ann", "Shop", "Hello", "ann@example.com\r\nBcc: evil@example.com", "body")
def test_a_message_has_exactly_the_headers_that_were_meant_or_is_refused(name: str, shop: str, subject: str, to: str, body: str) -> None:
    message = replace(PLAIN, to_name=name, from_name=shop, subject=subject, to_address=to, text=body, html=f"<p>{body}</p>")
    try:
        raw = to_bytes(message)
    except UnsafeHeader:
        assert check_headers(replace(PLAIN, to_address=to)) is not None
        return
    read = message_from_bytes(raw, policy=policy.default)
    assert read.keys() == NAMES
    assert str(read["Subject"]) == meant(subject)
    assert mailboxes(raw, "To") == [(meant(name, name=True), to)]
    assert mailboxes(raw, "From") == [(meant(shop, name=True), "hello@shop.example")]
    assert str(read["List-Unsubscribe"]) == message.headers["List-Unsubscribe"]
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


UNCLEAN = {
    EVIL: "= ?utf-8?q?Bob=0D=0ABcc:_evil=40example.com?=", "a\r\nBcc: evil@example.com": "a Bcc: evil@example.com",
    "a\nb": "a b", "a\x00b": "a b", "a\x85b": "a b", "a\x9bb": "a b", "a\u2028b\u2029c": "a b c", "Ann\ud800": "Ann",
    "Ann \ud83d\ude00": "Ann 😀", "\u202eAnn\u202c": "Ann", "=\x00?": "= ?", "=\u2066?": "= ?", "\ufffeAnn": "Ann", "  Ann\t": "Ann",
}  # fmt: skip


def test_what_may_not_stand_in_a_header_is_cleaned_and_loses_no_message() -> None:
    for given_, wanted in UNCLEAN.items():
        raw = to_bytes(replace(PLAIN, subject=given_, to_name=given_, from_name=given_))
        read = message_from_bytes(raw, policy=policy.default)
        assert (read.keys(), str(read["Subject"])) == (NAMES, wanted), given_
        assert mailboxes(raw, "To") == [(wanted, "ann@example.com")]
        assert mailboxes(raw, "From") == [(wanted, "hello@shop.example")]


def test_a_name_of_nothing_that_shows_is_left_out() -> None:
    for name in ("\x00", "\u202e", "\ud800\n", "\u200e", " "):
        message = replace(PLAIN, to_name=name)
        assert message.to_name is None
        assert mailboxes(to_bytes(message), "To") == [("", "ann@example.com")]


def test_a_name_and_a_subject_without_end_are_cut_between_two_characters_as_people_see_them() -> None:
    for unit in ("x", "日", "e\u0301", "👩\u200d💻", '"', "word "):
        message = replace(PLAIN, to_name=unit * 3000, subject=unit * 3000)
        assert message.to_name is not None
        for text, most in ((message.to_name, 200), (message.subject, 250)):
            whole, cut = text[:-1], text[-1]
            assert (cut, whole) == ("…", (unit * (len(whole) // len(unit) + 1))[: len(whole)])
            assert most - 10 <= len(text) <= most
            assert not whole.endswith("\u200d")
            assert unit != "e\u0301" or whole.endswith("\u0301")
        assert mailboxes(to_bytes(message), "To") == [(message.to_name, "ann@example.com")]


def test_what_may_not_stand_in_an_address_or_a_header_of_ours_is_refused() -> None:
    for value in [*UNCLEAN, f"Hello {EVIL}"]:
        for field in ({"to_address": f"{value}@example.com"}, {"headers": {"Reply-To": value}}):
            if value == "  Ann\t" and "headers" in field:
                continue
            with pytest.raises(UnsafeHeader) as refused:
                to_bytes(replace(PLAIN, **field))
            assert check_headers(replace(PLAIN, **field)) == str(refused.value)
            assert "evil" not in str(refused.value)


@pytest.mark.parametrize("name", ["Subject", "To", "Bcc: x", "X\r\nBcc", "", "Bücher"])
def test_an_extra_header_can_neither_repeat_nor_smuggle_one(name: str) -> None:
    with pytest.raises(UnsafeHeader):
        to_bytes(replace(PLAIN, headers={name: "x"}))


def test_ordinary_names_are_not_refused() -> None:
    for name in ["O'Neil", "Zoë", "Dr. A. B, jr.", 'The "Best" Shop', "山田太郎", "a\\b", "", None]:
        assert check_headers(replace(PLAIN, to_name=name)) is None
        to_bytes(replace(PLAIN, to_name=name))


LONG = ["ประภาพรรณ วงศ์สวัสดิ์", "日本語" * 40, "é" * 60, "Zoë Müller-Lüdenscheidt von und zu Österreich-Hohenzollern", "👩‍💻" * 20]


@pytest.mark.parametrize("name", LONG)
def test_a_long_name_of_any_script_is_written_in_several_words_and_reads_back_as_one(name: str) -> None:
    raw = to_bytes(replace(PLAIN, to_name=name, from_name=name, subject=name))
    assert mailboxes(raw, "To") == [(name, "ann@example.com")]
    assert mailboxes(raw, "From") == [(name, "hello@shop.example")]
    assert str(message_from_bytes(raw, policy=policy.default)["Subject"]) == name
    assert all(len(line) <= 78 for line in raw.split(b"\r\n\r\n")[0].split(b"\r\n") if b"=?utf-8" in line)


def test_both_parts_read_back_and_two_writings_are_the_same_bytes() -> None:
    message = replace(PLAIN, text="Grüße\n" + "long " * 300 + "\n.\n", html="<p>Grüße &amp; mehr</p>" * 50)
    raw = to_bytes(message)
    read = message_from_bytes(raw, policy=policy.default)
    assert read.get_content_type() == "multipart/alternative"
    assert read.get_body(("plain",)).get_content().replace("\r\n", "\n") == message.text
    assert read.get_body(("html",)).get_content().rstrip("\r\n") == message.html
    assert raw == to_bytes(message)


def test_an_amp_part_stands_between_text_and_html_and_reads_back_as_it_was_written() -> None:
    amp = "<!doctype html>\n<html ⚡4email><body>=_" + PLAIN.key + "\n--=_" + PLAIN.key + "--</body></html>\n"
    read = message_from_bytes(to_bytes(replace(PLAIN, amp=amp)), policy=policy.default)
    parts = list(read.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/x-amp-html", "text/html"]
    assert parts[1].get_payload(decode=True).decode().replace("\r\n", "\n") == amp
    assert [part.get_content_type() for part in message_from_bytes(to_bytes(PLAIN)).get_payload()] == ["text/plain", "text/html"]


def test_half_a_character_in_the_amp_part_is_refused() -> None:
    with pytest.raises(UnsafeHeader):
        to_bytes(replace(PLAIN, amp="<p>\ud800</p>"))


def test_the_message_id_follows_from_the_key() -> None:
    assert PLAIN.id == "<6a1c4a50-1111-4222-8333-944455556666@shop.example>"
