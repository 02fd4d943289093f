"""Whether a message can be read by everyone: what a screen reader, and an eye that sees little contrast, meets in its HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from lxml import html as lxml_html  # type: ignore[import-untyped]

from sojourn.content.legible import illegible
from sojourn.preview.findings import Finding, Level

VAGUE = {"here", "click here", "click", "more", "read more", "learn more", "link", "this", "hier", "hier klicken", "mehr", "weiterlesen"}
SMALLEST = 12.0
UNDETERMINED = "und"  # what MJML says where a content says nothing
MAX_SHOWN = 60
_PIXELS = re.compile(r"font-size\s*:\s*(\d+(?:\.\d+)?)px")
_LANGUAGE = re.compile(r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")


def accessibility(page: str, language: str | None = None) -> list[Finding]:
    """Return what makes a message hard to read for some.

    Args:
        page: its HTML.
        language: the one that it was rendered in; None is not compared.
    """
    root = lxml_html.document_fromstring(page)
    found = [*_head(root, language), *_pictures(root), *_tables(root), *_headings(root), *_links(root), *_small(root)]
    return [*found, *(Finding(Level.PROBLEM, "contrast", message) for _, message in illegible(page))]


def _head(root: Any, language: str | None) -> Iterator[Finding]:
    said = root.get("lang") or ""
    if not _LANGUAGE.match(said) or said == UNDETERMINED:
        message = 'the page does not say its language; begin it with <mjml lang="{{ language }}">, or a screen reader guesses how to speak'
        yield Finding(Level.PROBLEM, "language", message)
    elif language is not None and said.lower().split("-")[0] != language.lower().replace("_", "-").split("-")[0]:
        yield Finding(Level.PROBLEM, "language", f"the page says it is {said}, but was rendered in {language}")
    if not (root.findtext(".//title") or "").strip():
        yield Finding(Level.HINT, "title", "the page has no `<title>`; it is what a browser and a screen reader call it")


def _pictures(root: Any) -> Iterator[Finding]:
    for picture in root.iter("img"):
        link = next((above for above in picture.iterancestors("a")), None)
        alt = picture.get("alt")
        if alt is None:
            yield Finding(Level.PROBLEM, "alt text", f"a picture without `alt`: {_short(picture.get('src') or '')}")
        elif link is not None and not alt.strip() and not _words(link):
            where = _short(link.get("href") or "")
            yield Finding(Level.PROBLEM, "alt text", f"a picture is all that a link shows, and its `alt` is empty: {where}")


def _tables(root: Any) -> Iterator[Finding]:
    count = sum(1 for table in root.iter("table") if table.get("role") not in ("presentation", "none") and table.find(".//th") is None)
    if count:
        noun = "table" if count == 1 else "tables"
        yield Finding(Level.PROBLEM, "tables", f'{count} {noun} for layout without `role="presentation"`: a screen reader reads out cells')


def _headings(root: Any) -> Iterator[Finding]:
    levels = [int(element.tag[1]) for element in root.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    levels += [int(element.get("aria-level") or 2) for element in root.iter() if element.get("role") == "heading"]
    if not levels:
        yield Finding(Level.HINT, "headings", "there is no heading, so a screen reader cannot jump to what the message is about")
        return
    if levels[0] > 2:
        yield Finding(Level.PROBLEM, "headings", f"the first heading is of level {levels[0]}; begin with 1 or 2")
    for before, after in pairwise(levels):
        if after > before + 1:
            yield Finding(Level.PROBLEM, "headings", f"a heading of level {after} comes after one of level {before}; leave none out")


def _links(root: Any) -> Iterator[Finding]:
    targets: dict[str, set[str]] = {}
    for link in root.iter("a"):
        url, words = link.get("href"), _words(link)
        if not url:
            continue
        if not words and not any((picture.get("alt") or "").strip() for picture in link.iter("img")):
            yield Finding(Level.PROBLEM, "links", f"a link without words leads to {_short(url)}")
        elif words.lower().strip(" .…»→") in VAGUE:
            yield Finding(Level.PROBLEM, "links", f"“{_short(words)}” does not say where it leads ({_short(url)})")
        if words:
            targets.setdefault(words.lower(), set()).add(url)
    for words, urls in targets.items():
        if len(urls) > 1:
            yield Finding(Level.HINT, "links", f"“{_short(words)}” leads to {len(urls)} different addresses")


def _small(root: Any) -> Iterator[Finding]:
    seen: set[float] = set()
    for element in root.iter():
        style = element.get("style") if isinstance(element.tag, str) else None
        size = _PIXELS.search(style or "")
        if size is not None and 0 < float(size[1]) < SMALLEST and float(size[1]) not in seen and (element.text or "").strip():
            if "display:none" in (style or "") or float(size[1]) <= 2:  # the preheader
                continue
            seen.add(float(size[1]))
            yield Finding(Level.HINT, "text size", f"words of {size[1]} px (“{_short(_words(element))}”) are hard to read on a phone")


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
