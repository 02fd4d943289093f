"""What a text becomes in a header: one line that says what it says and nothing else.

All that stands in a header goes through here, and is cleaned, not refused: a name that was copied from elsewhere
loses no message.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME = 200
MAX_SUBJECT = 250
ENCODED_WORD = "=?"
_CUT = "…"
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # one character, told as its two halves
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]+")  # they turn the direction of what follows, and so what a reader sees
_MARKS = re.compile("[\u061c\u200e\u200f]+")  # they turn nothing but themselves; an author begins a subject with one
_JOINS = "\u200d"


def subject_text(text: str) -> str:
    """Return a subject as it may stand in a header."""
    return _cut(_on_one_line(text), MAX_SUBJECT)


def value_text(value: str) -> str:
    """Return what is known of a person as it may stand in a header, within a subject or by itself."""
    return _on_one_line(_MARKS.sub("", value))


def name_text(name: str | None) -> str | None:
    """Return a name as it may stand beside an address; None where nothing is left of it."""
    return (_cut(value_text(name), MAX_NAME) or None) if name is not None else None


def is_blank(text: str) -> bool:
    """Tell whether a text shows nothing."""
    return not text.strip() or (not text.isprintable() and not value_text(text))


def cleaned_differs(text: str) -> bool:
    """Tell whether a text holds what may not stand in a header."""
    return ENCODED_WORD in text or _BREAKS.search(text) is not None or _TURNS.search(text) is not None


def _on_one_line(text: str) -> str:
    if not text.isprintable():
        text = _PAIR.sub(_joined, text)
        text = _BREAKS.sub(" ", _TURNS.sub("", text))
    text = " ".join(text.split())
    return text.replace(ENCODED_WORD, "= ?")  # a mail program would decode what begins so


def _joined(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _cut(text: str, most: int) -> str:
    """Return a text of a length at most, cut between two characters as people see them."""
    if len(text) <= most:
        return text
    end = most - len(_CUT)
    while end and (unicodedata.combining(text[end]) or text[end] == _JOINS or text[end - 1] == _JOINS or text[end] == "\ufe0f"):
        end -= 1
    return text[: end or most - len(_CUT)].rstrip() + _CUT
