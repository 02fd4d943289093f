"""People's names, with a light hand: spaces, shouting and titles go; what a person may have meant so stays."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from sojourn.customers.normalise.outcome import Normalise, Refusal, of_text

MAX_LENGTH = 200
_JOINERS = ("\u200c", "\u200d")  # Persian and Indic names are written with them
_NO_NAME = re.compile(r"[@<>{}\[\]\\|]|https?:|www\.", re.IGNORECASE)
# Only those that are no name of their own: Don, Rev, Major, Count stay.
_TITLES = frozenset({
    "mr", "mr.", "mrs", "mrs.", "ms", "ms.", "miss", "mx", "mx.", "dr", "dr.", "prof", "prof.", "herr", "frau", "hr.", "fr.", "ing.",
    "dipl.-ing.", "mag.", "mme", "mlle", "monsieur", "madame", "mademoiselle", "sr.", "sra.", "srta.", "señor", "señora", "sig.",
    "sig.ra", "dott.", "dott.ssa", "dhr.", "mevr.", "pan", "pani",
})  # fmt: skip
_PARTICLES = frozenset({
    "van", "von", "vom", "zu", "zur", "zum", "der", "den", "de", "del", "della", "di", "da", "do", "dos", "das", "du", "ten", "ter",
    "te", "af", "av", "bin", "ibn",
})  # fmt: skip
_SUFFIXES = frozenset({"jr", "jr.", "sr", "sr.", "ii", "iii", "iv", "v", "phd", "ph.d.", "md", "m.d.", "esq", "esq."})
_ROMAN = frozenset({"II", "III", "IV", "VI", "VII", "VIII"})
_WORD = re.compile(r"[^\s\-\u2010'\u2019.]+")


def names(part: Literal["first", "last", "full"] = "full") -> Normalise:
    """Return a normaliser of names: `  DR. ANNA-MARIA  VON TRAPP ` is Anna-Maria von Trapp.

    A name in capitals only is put into upper and lower case; any other is left as it was written. `Doe, John`
    is turned round where it is a full name.

    Args:
        part: which part of a name it is.
    """

    return of_text(lambda text: _one_form(text, part), MAX_LENGTH, "too long for a name")


def _one_form(text: str, part: str) -> str | Refusal:
    plain = "".join(c for c in unicodedata.normalize("NFKC", text) if c.isspace() or c in _JOINERS or unicodedata.category(c)[0] != "C")
    words = plain.split()
    if not any(c.isalpha() for c in plain):
        return Refusal("without a letter")
    if _NO_NAME.search(plain):
        return Refusal("holds an address or a mark that no name has")
    while len(words) > 1 and words[0].casefold() in _TITLES:
        words = words[1:]
    plain = " ".join(words)
    if part == "full":
        plain = _turned(plain)
    return _spoken(plain) if _is_shouted(plain) else plain


def _turned(name: str) -> str:
    """Return `Doe, John` as John Doe; a name with a title after its comma stays."""
    last, comma, first = name.partition(",")
    if not comma or not last.strip() or not first.strip() or "," in first or first.strip().casefold() in _SUFFIXES:
        return name
    return f"{first.strip()} {last.strip()}"


def _is_shouted(name: str) -> bool:
    letters = [c for c in name if c.isalpha()]
    return len(letters) > 2 and name.isupper()  # JP and BO may be meant so


def _spoken(name: str) -> str:
    words = name.split(" ")
    last = len(words) - 1
    return " ".join(_word(word, is_last=i == last) for i, word in enumerate(words))


def _word(word: str, is_last: bool) -> str:
    if not is_last and word.casefold() in _PARTICLES:
        return word.lower()
    if word in _ROMAN and is_last:
        return word
    return _WORD.sub(lambda found: _capital(found[0]), word)


def _capital(word: str) -> str:
    low = word.replace("İ", "i").lower()
    if low.startswith("mc") and len(low) > 3:
        return "Mc" + low[2].upper() + low[3:]
    return word[:1] + low[1:]
