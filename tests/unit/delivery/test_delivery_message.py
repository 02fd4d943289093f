"""The header set is exact (P16)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import getaddresses

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sojourn.delivery.message import Message, UnsafeHeader, check_headers, to_bytes

PLAIN = Message(
    key="6a1c4a50-1111-4222-8333-944455556666", to_address="ann@example.com", to_name="Ann", from_address="hello@shop.example",
    from_name="The Shop", subject="Your cart waits", html="<p>Hello</p>", text="Hello\n", date=datetime(2026, 3, 2, 12, tzinfo=UTC),
    headers={"List-Unsubscribe": "<https://mail.example/u/" + "x" * 46 + ">", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
)  # fmt: skip
NAMES = ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type"]
EVIL = "=?utf-8?q?Bob=0D=0ABcc:_evil=40example.com?="
ODD = [EVIL, "a\r\nBcc: x@y.z", "a\nb", '"quoted", <x@y.z>', "Zoë, née Ø", "日本語" * 40, "\u2028x", "\\"]


def meant(value: str) -> str:
    """Return what a value comes to in a header: one line, its direction not turned."""
    return " ".join("".join(one for one in value if one not in TURNS).split())


def mailboxes(raw: bytes, header: str) -> list[tuple[str, str]]:
    """Return name and address of each mailbox, as a reader finds them that is not the one of `message.py`: `email.utils` and RFC 2047."""
    written = message_from_bytes(raw, policy=policy.compat32)[header]
    return [(str(make_header(decode_header(name))), address) for name, address in getaddresses([written])]


TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
texts = st.text(max_size=120) | st.sampled_from(ODD)
addresses = st.sampled_from(["ann@example.com", "a.b+c@sub.example.co.uk", "o'neil@example.com"]) | st.text(max_size=30)


@settings(max_examples=300)
@given(texts, texts, texts, addresses, texts)
@example(EVIL, "Shop", "Hello", "ann@example.com", "body")
@example("Ann", "Shop", f"Hello {EVIL}", "ann@example.com", "body")
@example("Ann", "Shop", "Hello", "ann@example.com\r\nBcc: evil@example.com", "body")
def test_a_message_has_exactly_the_headers_that_were_meant_or_is_refused(name: str, shop: str, subject: str, to: str, body: str) -> None:
    message = replace(PLAIN, to_name=name, from_name=shop, subject=subject, to_address=to, text=body, html=f"<p>{body}</p>")
    try:
        raw = to_bytes(message)
    except UnsafeHeader:
        assert message != PLAIN
        return
    read = message_from_bytes(raw, policy=policy.default)
    assert read.keys() == NAMES
    assert str(read["Subject"]) == meant(subject)
    assert mailboxes(raw, "To") == [(meant(name), to)]
    assert mailboxes(raw, "From") == [(meant(shop), "hello@shop.example")]
    assert str(read["List-Unsubscribe"]) == message.headers["List-Unsubscribe"]
    assert raw.isascii()
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")


@pytest.mark.parametrize("subject", [EVIL, f"Hello {EVIL}", "a\r\nBcc: evil@example.com", "a\nb", "a\x00b", "a\x85b", "a\u2028b", "\ud800"])
def test_encoded_words_and_control_characters_are_refused_everywhere(subject: str) -> None:
    fields = [{"subject": subject}, {"to_name": subject}, {"from_name": subject}, {"to_address": f"{subject}@example.com"}]
    for field in [*fields, {"headers": {"Reply-To": subject}}]:
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


unicode_names = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=80)


@settings(max_examples=300)
@given(unicode_names.filter(lambda name: "=?" not in name), unicode_names.filter(lambda name: "=?" not in name))
def test_any_name_and_subject_of_letters_is_written_and_reads_back_as_it_was_meant(name: str, subject: str) -> None:
    raw = to_bytes(replace(PLAIN, to_name=name, subject=subject))
    assert mailboxes(raw, "To") == [(" ".join(name.split()), "ann@example.com")]
    assert str(message_from_bytes(raw, policy=policy.default)["Subject"]) == meant(subject)


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
