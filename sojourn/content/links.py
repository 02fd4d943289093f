"""The links of a message: found when it is rendered, replaced by tracked ones when it is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sojourn.content.attributes import TAG, as_attribute, attribute_value, attributes_of
from sojourn.errors import RenderError

UNTRACKED = "data-untracked"
TRACKABLE = ("http://", "https://")
ALLOWED = (*TRACKABLE, "mailto:", "tel:", "#")

_TAG = re.compile(
    r"<!--.*?-->|<(?P<name>a|area|img|form|v:\w+)\b(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>", re.DOTALL | re.IGNORECASE
)
_ADDRESSES = ("href", "src", "background", "action", "srcset")
_AROUND = "".join(map(chr, range(0x21)))  # what a browser leaves out around an address
_WITHIN = re.compile(r"[\t\n\r]")  # and in its middle
_NOT_IN_TEXT = re.compile(r"[\s<>\"]")
ACTIVE = frozenset({"script", "iframe", "object", "embed", "applet", "frame", "frameset"})
DATA = "application/ld+json"  # data for the mail program: no script that runs
_TEXT_URL = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


class Link(NamedTuple):
    """A link as it stands in HTML.

    Attributes:
        raw: its address as it stands there.
        at: where the attribute begins.
        start: where its value begins, with its quotes.
        end: where it ends.
        untracked: it says of itself that it is never to be tracked.
    """

    raw: str
    at: int
    start: int
    end: int
    untracked: bool


def link_of(raw: str) -> str:
    """Return where an address leads, as it stands in an attribute: what a browser would ask for."""
    return _WITHIN.sub("", attribute_value(raw).strip(_AROUND))


def is_trackable(url: str) -> bool:
    """Tell whether an address is one of the web."""
    return url[:8].lower().startswith(TRACKABLE)


def anchors_of(html: str) -> Iterator[Link]:
    """Give the links of HTML, in order."""
    for tag in _TAG.finditer(html):
        if tag["name"] is None or tag["name"].lower() not in ("a", "area"):
            continue
        found = list(attributes_of(html, tag.start("attributes"), tag.end("attributes")))
        href = next((each for each in found if each.name == "href"), None)
        if href is not None and href.raw is not None:
            yield Link(href.raw, href.at, href.start, href.end, any(each.name == UNTRACKED for each in found))


def _tracked(html: str) -> Iterator[tuple[Link, str]]:
    """Give the links that may be tracked and where they lead, in order."""
    for link in anchors_of(html):
        url = link_of(link.raw)
        if not link.untracked and is_trackable(url):
            yield link, url


def trackable(html: str) -> tuple[str, ...]:
    """Return the URLs of a message that may be tracked, in the order of their appearance."""
    return tuple(url for _, url in _tracked(html))


def mark_untracked(html: str, url: str) -> str:
    """Return the HTML with each link to a URL marked as never to be tracked."""
    parts: list[str] = []
    done = 0
    for link in anchors_of(html):
        if not link.untracked and link_of(link.raw) == url:
            parts += (html[done : link.at], f'{UNTRACKED}="" ')
            done = link.at
    return "".join([*parts, html[done:]])


def allowed_url(raw: str) -> bool:
    """Tell whether an address, as it stands in HTML, is of a scheme that a message may lead to."""
    return link_of(raw).lower().startswith(ALLOWED)


def urls_of(html: str) -> Iterator[str]:
    """Give each address of a link or picture, as it stands in the HTML."""
    for tag in _TAG.finditer(html):
        if tag["name"] is not None:
            found = attributes_of(html, tag.start("attributes"), tag.end("attributes"))
            yield from (each.raw or "" for each in found if each.name in _ADDRESSES)


def refuse_schemes(html: str, content: str) -> None:
    """Refuse a message with a link or picture of a scheme such as `javascript:`.

    Raises:
        RenderError: there is one.
    """
    if not all(map(allowed_url, urls_of(html))):
        raise RenderError(f"{content} has a link or picture that does not begin with https://, mailto: or tel:")


def refuse_active(html: str, content: str) -> None:
    """Refuse a page with what would run in it: no mail program lets it, and filters take it for an attack.

    Raises:
        RenderError: there is a script, a frame, or an attribute such as `onclick`.
    """
    for tag in TAG.finditer(html):
        if tag["name"] is None or tag["close"]:
            continue
        found = list(attributes_of(tag["attributes"]))
        name = tag["name"].lower()
        data = name == "script" and any(each.name == "type" and each.value.strip().lower() == DATA for each in found)
        active = name if name in ACTIVE and not data else next((each.name for each in found if each.name.startswith("on")), None)
        if active is not None:
            raise RenderError(f"{content} has a `{active}`, which no mail program runs; take it out")


def in_text(url: str) -> str:
    """Return an address as it stands in a text, where it ends at a blank or bracket."""
    return _NOT_IN_TEXT.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)


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
    for index, (link, url) in enumerate(_tracked(html)):
        tracked = url_for(index, url)
        by_url.setdefault(in_text(url), tracked)
        parts += (html[done : link.start], f'"{as_attribute(tracked)}"')
        done = link.end
    rewritten = "".join([*parts, html[done:]])
    if pixel is not None:
        image = f'<img src="{as_attribute(pixel)}" width="1" height="1" alt="" style="display:block;border:0;width:1px;height:1px" />'
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
    for link, url in _tracked(amp):
        if url.startswith(f"{ours}/"):
            continue
        parts += (amp[done : link.start], f'"{as_attribute(url_for(url))}"')
        done = link.end
    rewritten = "".join([*parts, amp[done:]])
    if pixel is not None and pixel.startswith("https://"):
        image = f'<amp-img src="{as_attribute(pixel)}" width="1" height="1" alt=""></amp-img>'
        body, closing, rest = rewritten.rpartition("</body>")
        rewritten = f"{body}{image}{closing}{rest}" if closing else rewritten
    return rewritten
