"""Checks MJML as it stands in a file: tags, attributes, links and pictures.

`mjml-python` lets through what it does not know; `mjml.json` holds what MJML's own components allow.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from html.entities import html5
from html.parser import HTMLParser
from importlib import resources
from typing import Any

from sojourn.content.applied import faults as applied_faults
from sojourn.content.attributes import TAG
from sojourn.content.links import ACTIVE, ALLOWED, DATA
from sojourn.language.problems import nearest, shown

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_FREE = {"mj-all", "mj-class", "mj-selector", "mj-html-attribute"}  # these take any attribute
_ANYWHERE = {"css-class", "mj-class"}
_APART = re.compile(rf"<(?P<apart>mj-style|style|script)\b.*?</(?P=apart)>|{TAG.pattern}", re.DOTALL | re.IGNORECASE)
_SHORT = re.compile(r"&(?P<name>[A-Za-z][A-Za-z0-9]+)(?![;A-Za-z0-9])")
_OWN_TEXTS = {"mj-attributes", "mj-html-attributes"}
MAX_SHOWN = 40
_ACTIVE = {
    **dict.fromkeys(ACTIVE, "mail programs show none; link to the page instead"),
    "script": "mail programs run none, and filters take it for an attack; take it out",
    **dict.fromkeys(("video", "audio"), "most mail programs play none; show a picture that links to it"),
    **dict.fromkeys(("form", "input", "button", "select", "textarea"), "main mail programs drop it or warn of it; link to a page with it"),
    "base": "it would turn each link around; write whole addresses",
}
_STANDIN = "\u2060"  # stands where a token stood


@cache
def allowed_tags() -> dict[str, frozenset[str]]:
    """Return MJML's tags, each with its attributes."""
    return {tag: frozenset(about["attributes"]) for tag, about in _about().items()}


def faults(body: str) -> list[tuple[int, int, str]]:
    """Return what is wrong in a template's MJML: (line, column, message)."""
    text = without_jinja(body)
    checker = _Checker()
    checker.feed(text)
    checker.close()
    applied = [(*_line_and_column(text, at), message) for at, message in applied_faults(text)]
    return [*checker.found, *_misread(text), *applied]


def misplaced(mjml: str) -> list[tuple[int, int, str | None, str]]:
    """Return the components that stand where MJML wants none of them: (line, column, what they stand in, their tag).

    What a component stands in is None at the beginning of a file, where it cannot be told.
    """
    nesting = _Nesting()
    nesting.feed(without_jinja(mjml))
    nesting.close()
    return nesting.found


def stray_texts(mjml: str) -> list[tuple[str, str]]:
    """Return the texts that stand among components, where MJML wants none: what they stand in, and how they begin."""
    nesting = _Nesting()
    nesting.feed(mjml)
    nesting.close()
    return nesting.stray


def may_hold(outer: str, inner: str) -> bool:
    """Tell whether a component may stand in another."""
    about = _about()[outer]
    children = about["children"]
    return any(child.startswith("/") for child in children) or (not about["ending"] and inner in children)


@cache
def _about() -> dict[str, dict[str, Any]]:
    data = json.loads(resources.files("sojourn.content").joinpath("mjml.json").read_text("utf-8"))
    found: dict[str, dict[str, Any]] = data["tags"]
    return found


def _misread(text: str) -> Iterator[tuple[int, int, str]]:
    """Give the references in texts that HTML reads although no semicolon ends them: in an address, hardly anybody means them."""
    for found in _SHORT.finditer(_APART.sub(_blanked, text)):
        name = next((found["name"][:end] for end in range(len(found["name"]) - 1, 1, -1) if found["name"][:end] in html5), None)
        if name is not None:
            yield *_line_and_column(text, found.start()), f"`&{name}` is read as `{html5[name]}` in a text; write `&amp;{found['name']}`"


def _line_and_column(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _blanked(found: re.Match[str]) -> str:
    return "".join(letter if letter == "\n" else " " for letter in found[0])


class _Nesting(HTMLParser):
    """Follows which component stands in which; of HTML only that it stands in none but those that hold texts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, int, str | None, str]] = []
        self.stray: list[tuple[str, str]] = []
        self._open: list[str] = []

    def handle_data(self, data: str) -> None:
        outer = self._open[-1] if self._open else None
        words = data.strip()
        if words and outer is not None and not _about()[outer]["ending"] and outer not in _OWN_TEXTS:
            self.stray.append((outer, words.split("\n")[0][:MAX_SHOWN]))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        outer = self._open[-1] if self._open else None
        if tag in _about():
            if outer is None or not may_hold(outer, tag):
                self.found.append((*self._place(), outer, tag))
            self._open.append(tag)
        elif outer is not None and not tag.startswith("mj") and not _about()[outer]["ending"]:
            self.found.append((*self._place(), outer, tag))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                continue

    def _place(self) -> tuple[int, int]:
        line, column = self.getpos()
        return line, column + 1


def without_jinja(body: str) -> str:
    """Return a template with blanks where Jinja stood, so that each place stays where it is."""
    return _JINJA.sub(_blank, body)


def _blank(match: re.Match[str]) -> str:
    filler = _STANDIN if match[0].startswith("{{") else " "
    return "".join(letter if letter == "\n" else filler for letter in match[0])


class _Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, int, str]] = []
        self._defaults = 0  # how deep within `mj-attributes`, whose tags are no components

    def handle_endtag(self, tag: str) -> None:
        self._defaults -= tag == "mj-attributes" and self._defaults > 0

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        known = allowed_tags()
        if tag == "mj-include":
            self._add('`mj-include` is not used here; write {% include "blocks/….mjml" %}')
        elif tag.startswith("mj") and tag not in known and tag not in _FREE:
            self._add(f"unknown tag {shown(tag)}{nearest(tag, known)}")
        elif tag in known:
            for name in values:
                if name not in known[tag] and name not in _ANYWHERE:
                    self._add(f"`{tag}` has no attribute {shown(name)}{nearest(name, known[tag])}")
        self._defaults += tag == "mj-attributes"
        if tag in ("mj-image", "img") and values.get("alt") is None and not self._defaults:
            self._add(f'`{tag}` needs an `alt`: what the picture shows, in words; alt="" if it only decorates')
        if tag == "mj-hero" and values.get("mode") == "fluid-height":
            self._add('`mode="fluid-height"` is not supported; write mode="fixed-height" with a `height`')
        if tag in _ACTIVE and not (tag == "script" and (values.get("type") or "").strip().lower() == DATA):
            self._add(f"`{tag}` has no place in a mail: {_ACTIVE[tag]}")
        if tag == "meta" and (values.get("http-equiv") or "").strip().lower() == "refresh":
            self._add("a mail cannot lead on by itself; take this `meta` out")
        for name in values:
            if name.startswith("on") and tag not in allowed_tags():
                self._add(f"`{name}` runs a script, and mail programs take none; take it out")
        for name in ("href", "src"):
            url = (values.get(name) or "").strip()
            if name in values and tag not in _FREE and not url.lower().startswith((*ALLOWED, _STANDIN)):
                self._add(f"{shown(url)} is not a whole address; begin it with https://, or {{{{ shop.url }}}}")

    def _add(self, message: str) -> None:
        line, column = self.getpos()
        self.found.append((line, column + 1, message))
