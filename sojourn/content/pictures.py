"""Whose pictures a message shows: the shop's, and no stranger's.

Whoever can send an event can name a picture in it. One of a host that the shop did not name is left out: it would tell
that host who reads what, and could show anything in the shop's name. The shop names hosts by its own address, in
`shop.yaml` (`pictures`, `connected`), in its catalogue, and in what its authors write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sojourn.content.attributes import TAG, Attribute, as_attribute, attribute_value, attributes_of
from sojourn.content.links import is_trackable, link_of

SOURCE = "picture"
_NAMED = re.compile(r"https?://(?P<host>[A-Za-z0-9.-]+)", re.IGNORECASE)
_IN_STYLE = re.compile(r"(?:https?:[/\\]*|[/\\]{2})[^\s\"'()<>;,]+", re.IGNORECASE)
_HOST = r"([^\s/\"'<>()?#;&\\:]*)"
_SLASHES, _SLANTED = re.compile("//" + _HOST), re.compile(r"[/\\]{2}" + _HOST)
_SCHEMES = re.compile(r":(?:(?<=[hH][tT][tT][pP]:)|(?<=[hH][tT][tT][pP][sS]:))(?!//)[/\\]*" + _HOST)
_BEGINS = re.compile(r"^(?:https?:)?[/\\]+|^https?:", re.IGNORECASE)
_NAMESPACES = frozenset({"", "www.w3.org"})
_CONDITIONAL = re.compile(r"<!--\[if[^\]]*\]>(?P<inside>.*?)<!\[endif\]-->", re.DOTALL)
_STYLE = re.compile(r"(?P<before><style\b[^>]*>)(?P<css>.*?)(?P<after></style\s*>)", re.DOTALL | re.IGNORECASE)
_PICTURES = frozenset({"img", "amp-img", "amp-anim", "v:fill", "v:image", "v:imagedata", "input", "source", "video"})
_SHOWN = ("src", "poster")
# What MJML shows by itself: the arrows of an accordion and a carousel, the signs of social networks.
_OF_MJML = (
    "https://www.mailjet.com/images/theme/v1/icons/ico-social/", "https://i.imgur.com/bIXv1bk.png", "https://i.imgur.com/os7o9kz.png",
    "https://i.imgur.com/w4uTygT.png", "https://i.imgur.com/xTh3hln.png",
)  # fmt: skip
_NOWHERE = "about:invalid"
Allows = Callable[[str], bool]


def host_of(url: str) -> str:
    """Return the host that a browser would ask for an address; empty where it would ask none."""
    try:
        return (urlsplit(_BEGINS.sub("//", url).replace("\\", "/")).hostname or "").lower().rstrip(".")
    except ValueError:
        return "?"


def hosts_named(text: str) -> frozenset[str]:
    """Return the hosts of the addresses that a text writes out."""
    return frozenset(found["host"].lower().rstrip(".") for found in _NAMED.finditer(text))


def hosts_within(value: Any) -> frozenset[str]:
    """Return the hosts of the addresses within plain data."""
    found: set[str] = set()
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, Mapping):
            todo.extend(one.values())
        elif isinstance(one, list | tuple):
            todo.extend(one)
        elif isinstance(one, str) and is_trackable(one.strip()):
            found.add(host_of(one.strip()))
    return frozenset(found)


def allowing(home: str, hosts: Iterable[str]) -> Allows:
    """Return what tells whether a picture of a host may be shown.

    Args:
        home: the shop's own host, whose subdomains are its own too; empty where it has none.
        hosts: the others.
    """
    known, own = frozenset(hosts), home.removeprefix("www.")

    def allows(host: str) -> bool:
        return host == "" or host in known or (own != "" and (host == own or host.endswith(f".{own}")))

    return allows


def foreign(html: str, allows: Allows) -> frozenset[str]:
    """Return the hosts whose pictures a page would ask for, and may not."""
    if all(host in _NAMESPACES or allows(host) for host in _hosts_anywhere(html)):
        return frozenset()  # seen at one look: a page has hundreds of tags
    return frozenset(host for host in map(host_of, _addresses(html)) if not allows(host))


def _hosts_anywhere(html: str) -> set[str]:
    """Return what may be the host of an address, wherever it stands."""
    slashes = _SLANTED if "\\" in html else _SLASHES
    return {host.lower() for host in {*slashes.findall(html), *_SCHEMES.findall(html)}}


def without(html: str, allows: Allows) -> str:
    """Return a page without the pictures that may not be shown, their words in their place."""

    def tag(found: re.Match[str]) -> str:
        if found["name"] is None:
            inner = _CONDITIONAL.fullmatch(found[0])
            return found[0] if inner is None else found[0].replace(inner["inside"], TAG.sub(tag, inner["inside"]))
        attributes = list(attributes_of(html_ := found[0], found.start("attributes") - found.start(), len(html_) - 1))
        bad = [each for each in attributes if not all(allows(host_of(url)) for url in _of(found["name"], each))]
        if any(each.name in _SHOWN for each in bad):
            return next((each.raw or "" for each in attributes if each.name == "alt"), "") if found["name"].lower() != "v:fill" else ""
        for each in reversed(bad):
            kept = f'"{_styled(each.value, allows)}"' if each.name == "style" else '""'
            html_ = f"{html_[: each.start]}{kept}{html_[each.end :]}" if each.name == "style" else html_[: each.at] + html_[each.end :]
        return html_

    shown = TAG.sub(tag, html)
    return _STYLE.sub(lambda found: f"{found['before']}{_css(found['css'], allows)}{found['after']}", shown)


def _addresses(html: str) -> Iterator[str]:
    for tag in TAG.finditer(html):
        if tag["name"] is None:
            inner = _CONDITIONAL.fullmatch(tag[0])
            yield from _addresses(inner["inside"]) if inner is not None else ()
            continue
        for each in attributes_of(tag["attributes"]):
            yield from _of(tag["name"], each)
    for style in _STYLE.finditer(html):
        yield from (found[0] for found in _IN_STYLE.finditer(style["css"]))


def _of(tag: str, attribute: Attribute) -> Iterator[str]:
    """Give the addresses of pictures in an attribute."""
    if attribute.raw is None or ("/" not in attribute.raw and "\\" not in attribute.raw):
        return
    if attribute.name == "style":
        yield from (found[0] for found in _IN_STYLE.finditer(attribute.value))
    elif attribute.name == "srcset":
        yield from (link_of(part.split()[0]) for part in attribute.value.split(",") if part.strip())
    elif attribute.name == "background" or (attribute.name in _SHOWN and tag.lower() in _PICTURES):
        url = link_of(attribute.raw)
        if not url.startswith(_OF_MJML):
            yield url


def _styled(style: str, allows: Allows) -> str:
    return as_attribute(_css(style, allows))


def _css(css: str, allows: Allows) -> str:
    return _IN_STYLE.sub(lambda found: found[0] if allows(host_of(attribute_value(found[0]))) else _NOWHERE, css)
