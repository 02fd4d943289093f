"""The text part of a message, made from its HTML."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape, unescape

from inscriptis import get_text  # type: ignore[import-untyped]
from inscriptis.css_profiles import STRICT_CSS_PROFILE  # type: ignore[import-untyped]
from inscriptis.html_properties import Display  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from inscriptis.model.html_element import HtmlElement  # type: ignore[import-untyped]

from sojourn.content.attributes import attributes_of
from sojourn.content.holes import PREFIX, filled
from sojourn.content.links import in_text, link_of

_BLOCK = HtmlElement(display=Display.block, margin_before=1, margin_after=1)
_CONFIG = ParserConfig(css={**STRICT_CSS_PROFILE, "section": _BLOCK}, display_images=False)
# Seven eighths of the time would go into the layout's tables and styles, none of which the text shows.
_UNSEEN = re.compile(r"<head\b.*?</head>|<!--.*?-->|\sstyle=\"[^\"]*\"", re.DOTALL | re.IGNORECASE)
_LAYOUT = re.compile(r"</?(?:table|tbody|tr)\b[^>]*>", re.IGNORECASE)
_CELL = re.compile(r"(</?)td\b[^>]*>", re.IGNORECASE)
_DATA_TABLE = re.compile(r"<table\b(?![^>]*role=\"presentation\")", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>(?P<inner>.*?)</a>", re.DOTALL | re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?)?")
_AND = "\ufdd0"  # stands for `&`: inscriptis reads references again in what was read already, and in a table once more
_TAGS = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"\n{3,}")


ADDRESS = "sjrnaddress"  # marks where the address of a link stands whose words or address hold a value


@dataclass(frozen=True)
class Anchor:
    """A link, as it stands in the HTML, whose words or address hold a value."""

    words: str
    url: str

    def address(self, values: list[str], *, blank: bool) -> str:
        """Return what follows the words in a text.

        Args:
            values: what stands in the holes.
            blank: whether a blank stands there already.
        """
        shown = _shown(filled(self.words, values), filled(self.url, values))
        return f"{'' if blank else ' '}<{shown}>" if shown else ""


def to_text(html: str) -> str:
    """Return a message's HTML as text, each link's address in angle brackets after its words."""
    return _to_text(html, _anchor)


def with_anchors(html: str) -> tuple[str, list[Anchor]]:
    """Return HTML with holes as text with holes, and the links whose address depends on what stands in them."""
    anchors: list[Anchor] = []

    def keep(found: re.Match[str]) -> str:
        words, inner = _words(found)
        url = _href(found)
        if PREFIX not in words + url:
            return _anchor(found)
        anchors.append(Anchor(words, url))
        return f"{inner}{ADDRESS}{len(anchors) - 1}z"

    return _to_text(html, keep), anchors


def _to_text(html: str, anchor: Callable[[re.Match[str]], str]) -> str:
    seen = _UNSEEN.sub("", html)
    if _DATA_TABLE.search(seen) is None:
        seen = _CELL.sub(r"\1section>", _LAYOUT.sub("", seen))
    seen = _ENTITY.sub(_read, _ANCHOR.sub(anchor, seen))
    text: str = get_text(seen, _CONFIG).replace(_AND, "&")
    return _BLANKS.sub("\n\n", "\n".join(" ".join(line.split()) for line in text.split("\n"))).strip() + "\n"


def _read(found: re.Match[str]) -> str:
    """Return what a reference stands for, so that it is read once and no more."""
    return escape(unescape(found[0])).replace("&amp;", _AND)


def _href(found: re.Match[str]) -> str:
    """Return the address of a link as it stands there; nothing where it has none."""
    attributes = attributes_of(found["attributes"])
    return next((each.raw for each in attributes if each.name == "href" and each.raw is not None), "")


def _anchor(found: re.Match[str]) -> str:
    words, inner = _words(found)
    shown = _shown(words, _href(found))
    return f"{inner} &lt;{escape(shown)}&gt;" if shown else inner


def _words(found: re.Match[str]) -> tuple[str, str]:
    """Return the words of a link as they stand in the HTML, and what it shows: its picture's alternative where it has no words."""
    inner = found["inner"]
    words = _TAGS.sub("", inner)
    if not unescape(words).strip():
        words = inner = next((each.raw for each in attributes_of(inner) if each.name == "alt" and each.raw), "")
    return words, inner


def _shown(words: str, href: str) -> str:
    """Return the address to be shown after the words of a link; nothing where it says nothing more."""
    url, said = link_of(href), unescape(words).strip()
    shown = url.removeprefix("mailto:").removeprefix("tel:")
    return "" if not said or not url or url.startswith("#") or shown == said else in_text(shown)
