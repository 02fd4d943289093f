"""The links of a message: found when it is rendered, replaced by tracked ones when it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape, unescape

from sojourn.errors import RenderError

UNTRACKED = "data-untracked"
TRACKABLE = ("http://", "https://")
ALLOWED = (*TRACKABLE, "mailto:", "tel:", "#")

_TAG = re.compile(
    r"<!--.*?-->|<(?P<name>a|area|img|form|v:\w+)\b(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL | re.IGNORECASE
)
_URL = re.compile(r"\b(?P<name>href|src|background|action|srcset)\s*=\s*\"(?P<url>[^\"]*)\"", re.IGNORECASE)
HREF = re.compile(r"href=\"(?P<url>[^\"]*)\"")
_TEXT_URL = re.compile(r"https?://[^\s<>\"]+")


def _anchors(html: str) -> Iterator[tuple[int, int, str]]:
    """Give where the URL of each trackable link stands, and the URL, in order."""
    for tag in _TAG.finditer(html):
        if tag["name"] is None or tag["name"].lower() not in ("a", "area") or UNTRACKED in tag["attributes"]:
            continue
        for found in _URL.finditer(html, tag.start("attributes"), tag.end("attributes")):
            url = unescape(found["url"])
            if found["name"].lower() == "href" and url.startswith(TRACKABLE):
                yield found.start("url"), found.end("url"), url
                break


def trackable(html: str) -> tuple[str, ...]:
    """Return the URLs of a message that may be tracked, in the order of their appearance."""
    return tuple(url for _, _, url in _anchors(html))


def mark_untracked(html: str, url: str) -> str:
    """Return the HTML with each link to a URL marked as never to be tracked."""
    return html.replace(f'href="{escape(url)}"', f'{UNTRACKED}="" href="{escape(url)}"')


def allowed_url(url: str) -> bool:
    """Tell whether an address, as it stands in HTML, is of a scheme that a message may lead to."""
    return unescape(url).strip().lower().startswith(ALLOWED)


def urls_of(html: str) -> Iterator[str]:
    """Give each address of a link or picture, as it stands in the HTML."""
    for tag in _TAG.finditer(html):
        if tag["name"] is not None:
            yield from (found["url"] for found in _URL.finditer(html, tag.start("attributes"), tag.end("attributes")))


def anchor_attributes(html: str) -> Iterator[str]:
    """Give the attributes of each link that is not marked as never to be tracked."""
    for tag in _TAG.finditer(html):
        if tag["name"] is not None and tag["name"].lower() in ("a", "area") and UNTRACKED not in tag["attributes"]:
            yield tag["attributes"]


def refuse_schemes(html: str, content: str) -> None:
    """Refuse a message with a link or picture of a scheme such as `javascript:`.

    Raises:
        RenderError: there is one.
    """
    if not all(map(allowed_url, urls_of(html))):
        raise RenderError(f"{content} has a link or picture that does not begin with https://, mailto: or tel:")


def rewrite_links(html: str, text: str, url_for: Callable[[int, str], str], pixel: str | None) -> tuple[str, str]:
    """Return HTML and text with tracked URLs in the place of the original ones.

    The unsubscribe link, `mailto:`, `tel:` and links marked `data-untracked` stay as they are.

    Args:
        html: as `Rendered.html`.
        text: as `Rendered.text`.
        url_for: gives the tracked URL of the link at an index of `Rendered.links`.
        pixel: the URL of the picture that tells of opening; None leaves it out.
    """
    parts: list[str] = []
    by_url: dict[str, str] = {}
    done = 0
    for index, (start, end, url) in enumerate(_anchors(html)):
        tracked = url_for(index, url)
        by_url.setdefault(url, tracked)
        parts += (html[done:start], escape(tracked))
        done = end
    rewritten = "".join([*parts, html[done:]])
    if pixel is not None:
        image = f'<img src="{escape(pixel)}" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px" />'
        body, closing, rest = rewritten.rpartition("</body>")
        rewritten = f"{body}{image}{closing}{rest}" if closing else rewritten + image
    return rewritten, _TEXT_URL.sub(lambda found: by_url.get(found[0], found[0]), text)


def rewrite_amp(amp: str, url_for: Callable[[str], str], pixel: str | None, *, ours: str) -> str:
    """Return an AMP part with tracked URLs in the place of the original ones.

    Args:
        amp: as `Rendered.amp`.
        url_for: gives the tracked URL of a link.
        pixel: the URL of the picture that tells of opening; None leaves it out, and so does one that is not https.
        ours: where addresses of ours begin: those to unsubscribe, to choose and to confirm stay as they are.
    """
    parts: list[str] = []
    done = 0
    for start, end, url in _anchors(amp):
        if url.startswith(f"{ours}/"):
            continue
        parts += (amp[done:start], escape(url_for(url)))
        done = end
    rewritten = "".join([*parts, amp[done:]])
    if pixel is not None and pixel.startswith("https://"):
        image = f'<amp-img src="{escape(pixel)}" width="1" height="1" alt=""></amp-img>'
        body, closing, rest = rewritten.rpartition("</body>")
        rewritten = f"{body}{image}{closing}{rest}" if closing else rewritten
    return rewritten
