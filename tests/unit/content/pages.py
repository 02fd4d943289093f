"""Contents for tests: one message, `mail`, whose body stands in a minimal page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sojourn.content import Contents, RenderFacts
from sojourn.language.finding import NOTHING_KNOWN, Known
from sojourn.language.problems import DefinitionError

FOOT = "<mj-text><a href='{{ unsubscribe_url }}'>stop</a> {{ shop.postal_address }}</mj-text>"
SHOP = {
    "name": "Linden", "url": "https://shop.example", "currency": "EUR", "locale": "en-GB", "zone": "Europe/Berlin",
    "postal_address": "12 Weaver Lane",
}  # fmt: skip


def one(body: str, front: str = "subject: Hello", foot: str = "", **files: str) -> Contents:
    """Return contents with one message; a file's name may leave out `.mjml`, and `__` stands for a slash."""
    page = f"<mjml><mj-body><mj-section><mj-column>\n{body}\n{foot}</mj-column></mj-section></mj-body></mjml>"
    named = {_named(name): text for name, text in files.items()}
    return Contents(Path("journeys"), {"mail.mjml": f"---\n{front}\n---\n{page}", **named})


def _named(name: str) -> str:
    path = name.replace("__", "/")
    return path if "." in path else f"{path}.mjml"


def problems(body: str, front: str = "subject: Hello", known: Known = NOTHING_KNOWN, **files: str) -> list[str]:
    """Return what the check says of a message, or what was wrong when it was loaded."""
    try:
        return [str(problem).removeprefix("journeys/content/") for problem in one(body, front, FOOT, **files).check("mail", known)]
    except DefinitionError as error:
        return [str(problem).removeprefix("journeys/content/") for problem in error.problems]


def facts(**parts: Any) -> RenderFacts:
    """Return facts of a person in the shop."""
    return RenderFacts(**{"shop": SHOP, **parts})


def text(contents: Contents, **parts: Any) -> str:
    """Return the words of the message, its lines joined; compiled once and for the person alike."""
    ahead, alone = (contents.render("mail", facts(**parts), ahead=ahead) for ahead in (True, False))
    assert ahead == alone
    return " ".join(ahead.text.split())
