"""The text part of a message, made from its HTML."""

from __future__ import annotations

import re

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml.html import HtmlElement, document_fromstring

_CONFIG = ParserConfig(css=STRICT_CSS_PROFILE.copy(), display_images=False)
_BLANKS = re.compile(r"\n{3,}")


def to_text(html: str) -> str:
    """Return a message's HTML as text, each link's address in angle brackets after its words."""
    tree: HtmlElement = document_fromstring(html)
    for anchor in tree.iter("a"):
        url = anchor.get("href") or ""
        words = "".join(anchor.itertext()).strip()
        picture = anchor.find(".//img")
        if not words and picture is not None and picture.get("alt"):
            words = picture.get("alt", "")
            anchor.text = words
        shown = url.removeprefix("mailto:").removeprefix("tel:")
        if words and url and not url.startswith("#") and shown != words:
            anchor.tail = f" <{shown}>" + (anchor.tail or "")
    lines = (" ".join(line.split()) for line in Inscriptis(tree, _CONFIG).get_text().split("\n"))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip() + "\n"
