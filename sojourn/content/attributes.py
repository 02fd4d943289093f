"""Reads and writes the attributes of tags as HTML has it, whatever their quotes.

A bare `&` in an address is what its author meant: in an attribute HTML takes `&currency=` for no reference to `¤`,
since no semicolon ends it and a letter or `=` follows (HTML, 13.2.5.73). Python's `html.unescape` knows the rule of
texts only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from html.entities import html5
from typing import NamedTuple

from markupsafe import escape

TAG = re.compile(
    r"<!--.*?-->|<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*)(?P<attributes>(?=[\s/>])(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL
)
_APART = re.compile(rf"(?P<apart><(?P<raw>script|style)\b.*?</(?P=raw)>)|{TAG.pattern}", re.DOTALL | re.IGNORECASE)
_ATTRIBUTE = re.compile(
    r"(?P<name>[^\s\"'<>/=]+)(?:\s*=\s*(?P<raw>\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<bare>[^\s\"'<>]+?)(?=\s|/?$)))?"
)
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<end>[;=]?))?")
_PLAIN = re.compile(r"(?:\s+[^\s\"'<>/=]+(?:=\"[^\"<>&]*\")?)*\s*/?")
_NAME = re.compile(r"([^\s\"'<>/=]+)(?:=\"[^\"]*\")?")
_BREAKING = {'"': "&#34;", "<": "&lt;", ">": "&gt;"}


class Attribute(NamedTuple):
    """One attribute of a tag.

    Attributes:
        name: in small letters.
        raw: its value as it stands there; None where it has none.
        at: where its name begins.
        start: where the value begins, with its quotes; where it would begin if there is none.
        end: where it ends.
    """

    name: str
    raw: str | None
    at: int
    start: int
    end: int

    @property
    def value(self) -> str:
        """What it means."""
        return attribute_value(self.raw or "")


def attributes_of(text: str, start: int = 0, end: int | None = None) -> Iterator[Attribute]:
    """Give the attributes that stand in a part of a text; of two of one name a reader takes the first."""
    for found in _ATTRIBUTE.finditer(text, start, len(text) if end is None else end):
        quoted = found["double"] if found["double"] is not None else found["single"]
        begin = found.start("raw") if found["raw"] is not None else found.end()
        yield Attribute(found["name"].lower(), found["bare"] if quoted is None else quoted, found.start(), begin, found.end())


def attribute_value(raw: str) -> str:
    """Return what an attribute's value means, its references read as HTML reads them there."""
    return _REFERENCE.sub(_meant, raw) if "&" in raw else raw


def as_attribute(value: str) -> str:
    """Return a value as it stands between double quotes."""
    return str(escape(value))


def unambiguous(raw: str) -> str:
    """Return a value as it stands between double quotes, so that those who know only the rule of texts read the same."""
    text = _REFERENCE.sub(_plainly, raw) if "&" in raw else raw
    for letter, written in _BREAKING.items():
        text = text.replace(letter, written)
    return text


def with_values(tag: re.Match[str], written: Callable[[str, str], str]) -> str:
    """Return a tag with all values in double quotes; of two attributes of one name the first stays, as a browser has it.

    Args:
        tag: as `TAG` finds it.
        written: gives a value as it is to stand there, from its name and how it stood.
    """
    text = tag[0]
    if tag["name"] is None:
        return text
    offset = tag.start()
    parts: list[str] = []
    done = 0
    names: set[str] = set()
    for each in attributes_of(text, tag.start("attributes") - offset, tag.end("attributes") - offset):
        if each.name in names:
            parts.append(text[done : each.at])
            done = each.end
        elif each.raw is not None:
            parts += (text[done : each.start], f'"{written(each.name, each.raw)}"')
            done = each.end
        names.add(each.name)
    return "".join([*parts, text[done:]])


def with_plain_values(html: str) -> str:
    """Return HTML with all values of its tags in double quotes and plainly written; styles and scripts stay as they are."""

    def plainly(found: re.Match[str]) -> str:
        if found["apart"] is not None or _is_plain(found["attributes"] or ""):
            return found[0]
        return with_values(found, lambda _, raw: unambiguous(raw))

    return _APART.sub(plainly, html)


def _is_plain(attributes: str) -> bool:
    """Tell at one look whether all values stand in double quotes and plainly written, and no name comes twice; most do."""
    if _PLAIN.fullmatch(attributes) is None:
        return False
    names = _NAME.findall(attributes.lower())
    return len(names) == len(set(names))


def _meant(found: re.Match[str]) -> str:
    return unescape(found[0]) if _refers(found) else found[0]


def _plainly(found: re.Match[str]) -> str:
    if not _refers(found):
        return f"&amp;{found[0][1:]}"
    return found[0] if found[0].endswith(";") else f"{found[0]};"


def _refers(found: re.Match[str]) -> bool:
    """Tell whether what looks like a reference is one, in an attribute."""
    name, end = found["name"], found["end"]
    if name is None:
        return len(found[0]) > 1
    return f"{name};" in html5 if end == ";" else end == "" and name in html5
