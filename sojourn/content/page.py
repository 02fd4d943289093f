"""A structure of a message, compiled by MJML once: HTML, text and links with holes for what is a person's.

Whoever gets the same structure gets the same page with other values in its holes. What comes out is what
MJML would give for each person by itself; `tests/unit/content/test_content_ahead.py` holds it to that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html import escape, unescape

from sojourn.content.attributes import TAG, attributes_of
from sojourn.content.compiling import to_html
from sojourn.content.direction import without_isolates
from sojourn.content.holes import MARK, PREFIX, filled
from sojourn.content.links import (
    UNTRACKED,
    allowed_url,
    anchors_of,
    is_trackable,
    link_of,
    mark_untracked,
    refuse_active,
    refuse_schemes,
    trackable,
    urls_of,
)
from sojourn.content.text import ADDRESS, Anchor, to_text, with_anchors

# Values that MJML hands on as they are. With all others it reckons (a width), or it looks at them.
_OPAQUE = {
    "mjml": {"lang"},
    "mj-image": {"src", "href", "alt", "title"},
    "mj-button": {"href", "title"},
    "mj-social-element": {"alt", "title"},
    "mj-carousel-image": {"alt", "title"},
}
_TEXTS = {"mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-social-element", "mj-navbar-link"}
_TEXTS |= {"mj-accordion-text", "mj-accordion-title"}
_FILLER = "&#847;&zwnj;&nbsp;" * 60  # without these an inbox would go on with the message's first words after a short preheader
_HIDDEN = '<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;mso-hide:all;font-size:1px;line-height:1px">{}</div>'
_MARKS = re.compile(rf"({PREFIX}|{ADDRESS})(\d+)z")


@dataclass(frozen=True)
class Message:
    """The parts of a message that are made from its MJML."""

    html: str
    text: str | None
    links: tuple[str, ...]


def afresh(name: str, mjml: str, preheader: str, own: Collection[str], *, text: bool = True) -> Message:
    """Return the message that MJML makes, compiled for this one person.

    Args:
        name: the content's.
        mjml: what its templates gave.
        preheader: the line that an inbox shows after the subject.
        own: addresses of pages of ours, which are never tracked.
        text: whether to make the text part too.

    Raises:
        RenderError: it is no MJML, or has a link that is refused.
    """
    html = to_html(name, mjml)
    for url in own:
        html = mark_untracked(html, url)
    refuse_schemes(html, name)
    refuse_active(html, name)
    words = to_text(html) if text else None
    html = _with_preheader(html, _hidden(preheader))
    return Message(html, words, trackable(html))


@dataclass(frozen=True)
class Page:
    """One structure, compiled.

    Attributes:
        html: what stands between the holes of the HTML, and at each odd place its hole.
        text: the same of the text part.
        urls: addresses that hold a value, as they stand in the HTML; each has to be allowed.
        links: the addresses of links that may be tracked, as they stand in the HTML.
        hrefs: where links of the page lead that hold no value.
    """

    html: tuple[str, ...]
    text: tuple[str, ...]
    anchors: tuple[Anchor, ...]
    urls: tuple[str, ...]
    links: tuple[str, ...]
    hrefs: frozenset[str]
    shown: frozenset[int]  # holes that the text part shows

    def fill(self, name: str, values: list[str], preheader: str, own: Collection[str], *, text: bool = True) -> Message | None:
        """Return the message with a person's values; None where they ask for one compiled afresh.

        Raises:
            RenderError: a link is refused.
        """
        stops = set(own)
        if stops & self.hrefs:
            return None
        for url in self.urls:
            if not allowed_url(filled(url, values)):
                refuse_schemes(f'<a href="{filled(url, values)}">', name)
        words = self._text(values) if text else None
        if text and words is None:
            return None
        parts = list(self.html)
        for place in range(1, len(parts), 2):
            part = parts[place]
            if part[0] == "h":
                parts[place] = values[int(part[1:])]
            elif part[0] == "m":
                parts[place] = f'{UNTRACKED}="" ' if link_of(filled(part[1:], values)) in stops else ""
            else:
                parts[place] = _hidden(preheader)
        return Message("".join(parts), words, tuple(self._links(values, stops)))

    def _links(self, values: list[str], stops: set[str]) -> Iterator[str]:
        for candidates in self.links:
            url = link_of(filled(candidates, values))
            if url not in stops and is_trackable(url):
                yield url

    def _text(self, values: list[str]) -> str | None:
        """Return the text part; None where it hangs on what is around a value."""
        plain: dict[int, str] = {}
        for number in self.shown:
            value = unescape(values[number])
            plain[number] = " ".join(value.split())  # as a line of text draws blanks together
            if value != value.strip() or not without_isolates(plain[number]).isprintable():
                return None
        parts = list(self.text)
        for place in range(1, len(parts), 2):
            number = int(parts[place][1:])
            if parts[place][0] == "h":
                parts[place] = plain[number]
            else:
                parts[place] = self.anchors[number].address(values, blank=parts[place - 1][-1:].isspace())
        return "".join(parts)


def compile_page(name: str, skeleton: str) -> Page:
    """Return a structure compiled by MJML.

    Args:
        name: the content's.
        skeleton: MJML with markers where values stand that MJML hands on as they are.

    Raises:
        RenderError: it is no MJML, or has a link that is refused.
    """
    html = to_html(name, skeleton)
    urls = [url for url in urls_of(html) if PREFIX in url]
    refuse_schemes(MARK.sub("", html) if not urls else _without(html, urls), name)
    refuse_active(html, name)
    text, anchors = with_anchors(html)
    shown = set(_numbers(text)) | {number for anchor in anchors for number in _numbers(anchor.words + anchor.url)}
    found = list(anchors_of(html))
    links = [anchor.raw for anchor in found if not anchor.untracked and (PREFIX in anchor.raw or is_trackable(link_of(anchor.raw)))]
    marked = _marked(html)
    pieces = _with_preheader(marked, "\0p\0").split("\0")
    whole = [_split(piece) if i % 2 == 0 else (piece,) for i, piece in enumerate(pieces)]
    flat = [part for parts in whole for part in parts]
    return Page(
        html=tuple(flat),
        text=_split(text),
        anchors=tuple(anchors),
        urls=tuple(dict.fromkeys(urls)),
        links=tuple(links),
        hrefs=frozenset(link_of(anchor.raw) for anchor in found if PREFIX not in anchor.raw),
        shown=frozenset(shown),
    )


def _split(text: str) -> tuple[str, ...]:
    """Return a text as what stands between its markers and, at odd places, `h` or `a` with the marker's number."""
    parts = _MARKS.split(text)
    kept: list[str] = [parts[0]]
    for kind, number, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        kept += (f"{'h' if kind == PREFIX else 'a'}{number}", rest)
    return tuple(kept)


def _without(html: str, urls: list[str]) -> str:
    for url in urls:
        html = html.replace(f'"{url}"', '"#"')
    return html


def _marked(html: str) -> str:
    """Return HTML with a hole before each address that holds a value: whether it is tracked depends on it."""
    parts: list[str] = []
    done = 0
    for anchor in anchors_of(html):
        if PREFIX in anchor.raw:
            parts += (html[done : anchor.at], f"\0m{anchor.raw}\0")
            done = anchor.at
    return "".join([*parts, html[done:]])


def _hidden(preheader: str) -> str:
    return _HIDDEN.format(escape(preheader) + _FILLER) if preheader else ""


def _with_preheader(html: str, hidden: str) -> str:
    if not hidden:
        return html
    head, tag, rest = html.partition("<body")
    attributes, end, body = rest.partition(">")
    return f"{head}{tag}{attributes}{end}{hidden}{body}"


def seen_by_mjml(skeleton: str) -> tuple[int, ...]:
    """Return the holes whose values MJML has to see: they are part of the structure."""
    seen = Counter(_numbers(skeleton))
    open_: list[str] = []
    end = 0
    for tag in TAG.finditer(skeleton):
        if open_ and open_[-1] in _TEXTS:
            seen.subtract(_numbers(skeleton[end : tag.start()]))
        end = tag.end()
        name = tag["name"]
        if name is None:
            continue
        inner = bool(_TEXTS & set(open_)) and not name.startswith("mj")
        for attribute in attributes_of(tag["attributes"]):
            if inner or attribute.name in _OPAQUE.get(name, ()):
                seen.subtract(_numbers(attribute.raw or ""))
        if not name.startswith("mj") and name != "style":
            continue
        if not tag["close"] and not tag["attributes"].rstrip().endswith("/"):
            open_.append(name)
        elif tag["close"] and open_ and open_[-1] == name:
            open_.pop()
    return tuple(sorted(number for number, count in seen.items() if count > 0))


def _numbers(text: str) -> Iterator[int]:
    return (int(found[1]) for found in MARK.finditer(text))
