"""The links of a message, each with what it shows; and, where somebody asks for it, whether they lead anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from lxml import html as lxml_html  # type: ignore[import-untyped]

from sojourn.clock import monotonic

SECONDS = 5.0  # for one link
TOTAL_SECONDS = 30.0
AT_ONCE = 4
MOST = 60
UNASKED = "not asked"
_NO_HEAD = (403, 404, 405, 501)  # some servers say so to a HEAD only


@dataclass(frozen=True)
class Link:
    """A link of a message.

    Attributes:
        words: what it shows.
        url: where it leads.
        answer: what came of following it; `not asked` where nobody did.
        broken: it leads nowhere.
    """

    words: str
    url: str
    answer: str = UNASKED
    broken: bool = False


def links_of(page: str) -> list[Link]:
    """Return the links of a message's HTML, in their order, each address once for the same words."""
    found: dict[tuple[str, str], Link] = {}
    for anchor in lxml_html.document_fromstring(page).iter("a", "area"):
        url = (anchor.get("href") or "").strip()
        alt = next((picture.get("alt") for picture in anchor.iter("img") if picture.get("alt")), "")
        words = " ".join("".join(anchor.itertext()).split()) or alt
        if url:
            found.setdefault((words, url), Link(words, url))
    return list(found.values())


def can_follow(url: str) -> bool:
    """Tell whether a link leads to a web page that is not a dead one of ours."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and not (parts.hostname or "").endswith(".invalid")


def follow(links: Sequence[Link], ask: Callable[[str], str | int] | None = None) -> list[Link]:
    """Return links with what came of following them: a few at once, each within a time limit and all within another.

    Args:
        links: of a message.
        ask: asks for an address, and returns the status or why there is none; default: HTTP.
    """
    until = monotonic() + TOTAL_SECONDS
    wanted = list(dict.fromkeys(link.url for link in links if can_follow(link.url)))

    def one(url: str) -> str | int:
        if monotonic() > until:
            return f"no time left: {TOTAL_SECONDS:g} s for all links are over"
        return (ask or _over_http)(url)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = dict(zip(wanted[:MOST], pool.map(one, wanted[:MOST]), strict=True))
    return [_answered(link, answers.get(link.url)) for link in links]


def _answered(link: Link, answer: str | int | None) -> Link:
    if answer is None:
        return link
    broken = isinstance(answer, str) or answer >= 400
    return Link(link.words, link.url, f"HTTP {answer}" if isinstance(answer, int) else answer, broken)


def _over_http(url: str) -> str | int:
    headers = {"user-agent": "sojourn-preview"}
    try:
        with httpx.Client(timeout=SECONDS, follow_redirects=True, max_redirects=5, headers=headers) as client:
            status = client.head(url).status_code
            if status in _NO_HEAD:
                with client.stream("GET", url) as answer:
                    status = answer.status_code
            return status
    except httpx.TimeoutException:
        return f"no answer within {SECONDS:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"leads nowhere ({type(error).__name__})"
