"""What a normaliser is told, and what it says of a word that it does not take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Refusal:
    """A word that was not taken.

    Attributes:
        reason: why, without repeating the word: it may be personal.
    """

    reason: str


@dataclass(frozen=True)
class Hints:
    """What the event itself and the shop tell beside the word.

    Never what is already known of the person: the same event would then mean one thing early and another late.

    Attributes:
        country: ISO 3166 alpha-2.
        currency: of amounts that name none.
    """

    country: str | None = None
    currency: str | None = None


NO_HINTS = Hints()
Normalise: TypeAlias = Callable[[Any, Hints], Any]
"""Takes any JSON value; gives it in its one form, or a Refusal. Never raises, and its own result it gives back unchanged."""

NOT_TEXT = Refusal("not a text")
KEPT_TEXTS = 8192  # of a normaliser, each with its form


def settled(step: Callable[[str], str | Refusal], text: str) -> str | Refusal:
    """Return what a step makes of a text, once making it again changes nothing more."""
    found = step(text)
    if text.isascii():  # here one step is enough, as the tests of each normaliser hold
        return found
    for _ in range(3):
        if isinstance(found, Refusal):
            return found
        again = step(found)
        if again == found:
            return found
        found = again
    return Refusal("has no one form")


def of_text(step: Callable[[str], str | Refusal], max_length: int, too_long: str) -> Normalise:
    """Return a normaliser that brings texts to the form that a step gives them, and keeps what it found of the latest.

    Args:
        step: what it makes of a text.
        max_length: a longer text is refused unread.
        too_long: how that is said.
    """

    @lru_cache(maxsize=KEPT_TEXTS)
    def cached(text: str) -> str | Refusal:
        return settled(step, text)

    def normalise(value: Any, hints: Hints) -> Any:
        if not isinstance(value, str):
            return NOT_TEXT
        return Refusal(too_long) if len(value) > max_length else cached(value)

    return normalise
