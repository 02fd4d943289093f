"""Puts our addresses in the place of a message's links, and the pixel at its end."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Callable
from dataclasses import dataclass

_ANCHOR = re.compile(r"""(<a\b[^>]*?\bhref\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
_AREA_END = re.compile(r"</body\s*>", re.IGNORECASE)
_URL_IN_TEXT = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")


@dataclass(frozen=True)
class Tracked:
    """A message with tracked links, and where each leads, by position."""

    html: str
    text: str
    urls: tuple[str, ...]


def track(html: str, text: str, click: Callable[[int], str], pixel: str | None, ours: str) -> Tracked:
    """Return a message whose web links lead through us.

    The same address in the HTML and in the text is one link. Addresses of ours (unsubscribe), mail
    and telephone links stay as they are.

    Args:
        html: the HTML part.
        text: the text part.
        click: gives the tracked address of a position.
        pixel: the pixel's address; None leaves it out.
        ours: our public URL.
    """
    positions: dict[str, int] = {}

    def through(url: str) -> str:
        if not url.lower().startswith(("http://", "https://")) or url.startswith(ours + "/"):
            return url
        return click(positions.setdefault(url, len(positions)))

    html = _ANCHOR.sub(lambda found: found[1] + found[2] + markup.escape(through(markup.unescape(found[3]).strip())) + found[2], html)
    text = _URL_IN_TEXT.sub(lambda found: through(found[0]), text)
    if pixel is not None:
        image = f'<img src="{markup.escape(pixel)}" width="1" height="1" alt="" style="display:block;width:1px;height:1px;border:0">'
        ends = list(_AREA_END.finditer(html))
        place = ends[-1].start() if ends else len(html)
        html = html[:place] + image + html[place:]
    return Tracked(html, text, tuple(positions))
