"""The text part of a message, made from its HTML."""

from __future__ import annotations

import re
from html import escape, unescape

from inscriptis import get_text  # type: ignore[import-untyped]
from inscriptis.css_profiles import STRICT_CSS_PROFILE  # type: ignore[import-untyped]
from inscriptis.html_properties import Display  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from inscriptis.model.html_element import HtmlElement  # type: ignore[import-untyped]

_BLOCK = HtmlElement(display=Display.block, margin_before=1, margin_after=1)
_CONFIG = ParserConfig(css={**STRICT_CSS_PROFILE, "section": _BLOCK}, display_images=False)
# Seven eighths of the time would go into the layout's tables and styles, none of which the text shows.
_UNSEEN = re.compile(r"<head\b.*?</head>|<!--.*?-->|\sstyle=\"[^\"]*\"", re.DOTALL | re.IGNORECASE)
_LAYOUT = re.compile(r"</?(?:table|tbody|tr)\b[^>]*>", re.IGNORECASE)
_CELL = re.compile(r"(</?)td\b[^>]*>", re.IGNORECASE)
_DATA_TABLE = re.compile(r"<table\b(?![^>]*role=\"presentation\")", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b[^>]*?\bhref=\"(?P<url>[^\"]*)\"[^>]*>(?P<inner>.*?)</a>", re.DOTALL | re.IGNORECASE)
_ALT = re.compile(r"\balt=\"([^\"]*)\"", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]*>")
_BLANKS = re.compile(r"\n{3,}")


def to_text(html: str) -> str:
    """Return a message's HTML as text, each link's address in angle brackets after its words."""
    seen = _UNSEEN.sub("", html)
    if _DATA_TABLE.search(seen) is None:
        seen = _CELL.sub(r"\1section>", _LAYOUT.sub("", seen))
    text: str = get_text(_ANCHOR.sub(_anchor, seen), _CONFIG)
    return _BLANKS.sub("\n\n", "\n".join(" ".join(line.split()) for line in text.split("\n"))).strip() + "\n"


def _anchor(found: re.Match[str]) -> str:
    url, inner = unescape(found["url"]), found["inner"]
    words = unescape(_TAGS.sub("", inner)).strip()
    if not words:
        alt = _ALT.search(inner)
        words = unescape(alt[1]).strip() if alt is not None else ""
        inner = escape(words)
    shown = url.removeprefix("mailto:").removeprefix("tel:")
    return inner if not words or url.startswith("#") or shown == words else f"{inner} &lt;{escape(shown)}&gt;"
