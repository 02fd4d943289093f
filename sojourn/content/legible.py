"""Whether the words of a message can be read: the contrast of each text with what is behind it, in light and in dark mode."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lxml import html as lxml_html  # type: ignore[import-untyped]

from sojourn.content.colours import CONTRAST, CONTRAST_LARGE, Colour, contrast, read_colour
from sojourn.content.stylesheet import declarations, rules

MAX_SHOWN = 40
_LINK = "#0000ee"  # of a link for which nothing is said
_DARK = re.compile(r"prefers-color-scheme\s*:\s*dark")
_ASKED = ("color", "background-color", "background", "font-size", "font-weight", "display")
_PIXELS = re.compile(r"^(\d+(?:\.\d+)?)px$")
_LARGE, _LARGE_BOLD, _BOLD, _UNREAD = 24.0, 18.66, 600, 2.0
_PART = re.compile(r"(?P<combinator>\s*>\s*|\s+|^)(?P<compound>[^\s>]+)")
_SIMPLE = re.compile(r"(?P<kind>[.#]?)(?P<name>[\w-]+)")
Styles = list[tuple[str, str, str, bool]]  # selector, property, value, important


@dataclass(frozen=True)
class _Look:
    """What an element inherits; None where it cannot be told."""

    colour: Colour | None = (0, 0, 0)
    behind: Colour | None = (255, 255, 255)
    size: float = 16.0
    bold: bool = False
    hidden: bool = False


def illegible(page: str) -> list[tuple[str, str]]:
    """Return the texts of a message's HTML that are hard to read: the words, and what is wrong."""
    root = lxml_html.document_fromstring(page)
    light, dark = _styles(root)
    found: dict[str, str] = {}
    for mode, styles in (("", light), ("in dark mode ", light + dark if dark else [])):
        for words, look in _texts(root, _Look(), styles) if styles or not mode else ():
            least = CONTRAST_LARGE if look.size >= _LARGE or (look.bold and look.size >= _LARGE_BOLD) else CONTRAST
            if look.colour is None or look.behind is None or look.hidden or look.size < _UNREAD:
                continue
            ratio = contrast(look.colour, look.behind)
            if ratio < least:
                ink, ground = _hex(look.colour), _hex(look.behind)
                shown = words if len(words) <= MAX_SHOWN else words[: MAX_SHOWN - 1] + "…"
                found.setdefault(words, f"`{shown}` is {ink} on {ground} {mode}: a contrast of {ratio:.1f}; at least {least} is read well")
    return [(words, message.replace("  ", " ").replace(" :", ":")) for words, message in found.items()]


def _styles(root: Any) -> tuple[Styles, Styles]:
    """Return what stylesheets say, outside of any at-rule and in dark mode."""
    light: Styles = []
    dark: Styles = []
    for style in root.iter("style"):
        for rule in rules(style.text or ""):
            if rule.at and not _DARK.search(rule.at):
                continue
            for each in declarations(rule.body):
                if each.name in _ASKED:
                    into = dark if rule.at else light
                    into += [(selector.strip(), each.name, each.plain, each.important) for selector in rule.selector.split(",")]
    return light, dark


def _texts(element: Any, inherited: _Look, styles: Styles) -> Iterator[tuple[str, _Look]]:
    if not isinstance(element.tag, str) or element.tag in ("head", "style", "script", "title"):
        return
    look = _look(element, inherited, styles)
    for text in (element.text, *(child.tail for child in element)):
        words = " ".join((text or "").split())
        if any(letter.isalnum() for letter in words):
            yield words, look
    for child in element:
        yield from _texts(child, look, styles)


def _look(element: Any, inherited: _Look, styles: Styles) -> _Look:
    said: dict[str, tuple[bool, int, str]] = {}
    for selector, name, value, important in styles:
        if (important, 0) >= said.get(name, (False, 0, ""))[:2] and _matches(element, selector):
            said[name] = (important, 0, value)
    for each in declarations(element.get("style") or ""):
        if each.name in _ASKED and not (each.name in said and said[each.name][0] and not each.important):
            said[each.name] = (each.important, 1, each.plain)
    values = {name: value for name, (_, _, value) in said.items()}
    look = inherited
    ground = values.get("background-color") or values.get("background") or element.get("bgcolor")
    if ground is not None and ground.split()[0].lower() not in ("transparent", "none", "inherit"):
        look = replace(look, behind=read_colour(ground) or read_colour(ground.split()[0]))
    ink = values.get("color") or (_LINK if element.tag == "a" and element.get("href") else None)
    if ink is not None and ink != "inherit":
        look = replace(look, colour=read_colour(ink))
    size = _PIXELS.match(values.get("font-size", ""))
    if size is not None:
        look = replace(look, size=float(size[1]))
    weight = values.get("font-weight", "bold" if element.tag in ("b", "strong", "th", "h1", "h2", "h3") else "")
    if weight:
        look = replace(look, bold=weight == "bold" or (weight.isdigit() and int(weight) >= _BOLD))
    return replace(look, hidden=look.hidden or values.get("display") == "none")


def _matches(element: Any, selector: str) -> bool:
    """Tell whether a selector of tags, classes and ids, by descent or by child, is for an element."""
    parts = [(found["combinator"].strip(), found["compound"]) for found in _PART.finditer(selector)]
    return bool(parts) and _reaches(element, parts)


def _reaches(element: Any, parts: list[tuple[str, str]]) -> bool:
    combinator, compound = parts[-1]
    if not _is(element, compound):
        return False
    if len(parts) == 1:
        return True
    above = element.getparent()
    while above is not None:
        if _reaches(above, parts[:-1]):
            return True
        if combinator == ">":
            return False
        above = above.getparent()
    return False


def _is(element: Any, compound: str) -> bool:
    if compound == "*":
        return True
    if ":" in compound or "[" in compound:
        return False
    classes = (element.get("class") or "").split()
    return all(
        simple["name"] in classes
        if simple["kind"] == "."
        else element.get("id") == simple["name"]
        if simple["kind"] == "#"
        else element.tag == simple["name"].lower()
        for simple in _SIMPLE.finditer(compound)
    )


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
