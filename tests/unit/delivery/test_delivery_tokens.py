"""Links cannot be forged, changed or used for another purpose (P13)."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.delivery.tokens import Purpose, Tokens
from sojourn.errors import NotFound, SettingsError

TOKENS = Tokens("a secret of the unit tests")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
keys = st.uuids().map(str)


@given(keys, st.integers(0, 65535), st.sampled_from(list(Purpose)))
def test_a_token_reads_back_as_what_was_signed_and_for_its_purpose_only(key: str, number: int, purpose: Purpose) -> None:
    token = TOKENS.sign(purpose, key, number)
    read = TOKENS.read(purpose, token)
    assert (read.send_key, read.number) == (key, number)
    assert len(token) <= 46
    for other in Purpose:
        if other is not purpose:
            with pytest.raises(NotFound):
                TOKENS.read(other, token)


def test_every_change_of_one_character_breaks_a_token() -> None:
    token = TOKENS.sign(Purpose.CLICK, str(UUID(int=2**127 + 5)), 3)
    tried = 0
    for place in range(len(token)):
        for character in ALPHABET:
            if character != token[place]:
                tried += 1
                with pytest.raises(NotFound):
                    TOKENS.read(Purpose.CLICK, token[:place] + character + token[place + 1 :])
    assert tried == 46 * 63


@given(st.text(max_size=80) | st.text(ALPHABET, min_size=40, max_size=50))
def test_nothing_that_was_not_signed_is_read(token: str) -> None:
    with pytest.raises(NotFound):
        TOKENS.read(Purpose.CLICK, token)


LENGTHS = [lambda t: t[:-1], lambda t: t + "A", lambda t: t + "=", lambda t: t + "\n", lambda t: " " + t, lambda t: t * 2]


@pytest.mark.parametrize("change", LENGTHS)
def test_a_token_of_another_length_is_none(change) -> None:
    with pytest.raises(NotFound):
        TOKENS.read(Purpose.OPEN, change(TOKENS.sign(Purpose.OPEN, str(UUID(int=1)))))


def test_another_secret_signs_nothing_for_us_and_a_short_one_is_refused() -> None:
    with pytest.raises(NotFound):
        TOKENS.read(Purpose.OPEN, Tokens("another secret of the tests").sign(Purpose.OPEN, str(UUID(int=1))))
    with pytest.raises(SettingsError):
        Tokens("short")
