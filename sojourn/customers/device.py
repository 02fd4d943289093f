"""What kind of device a user agent is."""

from __future__ import annotations

from functools import lru_cache

import ua_parser

MOBILE, TABLET, DESKTOP = "mobile", "tablet", "desktop"
_DESKTOPS = frozenset({"Windows", "Mac OS X", "Linux", "Chrome OS", "Ubuntu", "Fedora", "Debian", "FreeBSD", "OpenBSD", "Linux Mint"})
_MOBILES = frozenset({"iOS", "Windows Phone", "BlackBerry OS", "KaiOS", "Firefox OS"})
_TABLETS = ("iPad", "Tablet", "Kindle", "Silk/", "PlayBook")


@lru_cache(maxsize=4096)
def device_of(agent: str) -> str | None:
    """Return `mobile`, `tablet` or `desktop`; None of a user agent that does not tell."""
    found = ua_parser.parse(agent)
    system = found.os.family if found.os is not None else ""
    if any(mark in agent for mark in _TABLETS) and system != "Windows":
        return TABLET
    if system == "Android":
        return MOBILE if "Mobile" in agent else TABLET  # Google asks makers of tablets to leave the word out
    if system in _MOBILES:
        return MOBILE
    return DESKTOP if system in _DESKTOPS else None
