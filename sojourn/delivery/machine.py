"""Was it a person who opened or clicked? A pure decision, with its because (P14).

Mail is opened and its links are followed by privacy proxies, scanners and previews before, or
without, anyone reading it. What looks like one of them is kept, marked, and never branches a journey;
where in doubt between a robot and a person with an odd program, it is a robot.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

import ua_parser

TOO_SOON = timedelta(seconds=2)  # after acceptance: nobody reads so fast
BURST_LINKS = 4
BURST_WINDOW = timedelta(seconds=1)
MAX_AGENT = 512

# Apple's Mail Privacy Protection says this and no more; Gmail's prefetcher says it once more at the end.
_BARE = "Mozilla/5.0"
_PROXIES = {"GmailImageProxy", "YahooMailProxy", "HeadlessChrome", "PhantomJS"}
# Mail programs and in-app browsers call themselves by names that hold a robot's word, or no system at all.
_MAIL_PROGRAMS = re.compile(
    r"\b(?:thunderbird|betterbird|seamonkey|postbox|eudora|(?:microsoft |ms-?)outlook|outlook(?:-|/| express)|"
    r"windows ?live ?mail|windowsmail|"
    r"apple mail|applemail|lotus-?notes|(?:ibm|hcl)[ -]notes|airmail|em[ _]?client|the bat!|spark(?:desktop)?/\d|fairemail|"
    r"k-9 mail|mailspring|nylas|bluemail|bluetooth mail|newton ?mail|edison ?mail|canary ?mail|evolution/|kmail|claws mail|sylpheed|geary|"
    r"aquamail|mailmate|mailbird|mailbutler|superhuman|shortwave|proton ?mail|tutanota|gyazmail|becky!|foxmail|dreammail|"
    r"samsung ?email|yahoo ?mail|mymail|mail\.ru|zimbra|roundcube|rainloop|inbox by|notion mail|missive|polymail|myboxer|boxer)",
    re.IGNORECASE,
)
# What readers say that holds a robot's word: a maker, a locale's calendar, a page of an app, a browser of a search engine.
_READERS = re.compile(
    r"\bCUBOT\w*|\bROBOT(?=_| Build)|\b[a-z]{2,3}[-_][A-Za-z-]{2,12}@[a-z]+(?:=[a-z]+)?|"
    r"NAVER\([^()]*\)|\b(?:Daum|Kakao|Naver|Zum)\w*[\w./ ]*search\w*|"
    r"\bYa(?:ndex)?Search(?:Browser|App)?/?[\w.]*|\bYaApp_\w+/?[\w.]*(?:_search)?|\bEcosia\b[^;()]*|\bGSA/[\d.]+|\bMicrosoftPreview\b|"
    r"\bSearchCraft|\bBingSapphire\S*|\bbingweb\S*|\bSafari Technology Preview|\bbaiduboxapp\S*|\bquark\w*|\bSogou(?:MSE|Mobile|Search)\S*|"
    r"\bSeznam\w*[ /]\S*|\bQwant\w*/\S*|\bDuckDuckGo/\d+(?!\S*bot)|\bNewsArticle\S*|\bJsSdk\S*|\bNetType/\S*|\bAgent/\d|"
    r"\bMicroMessenger\S*|\bCheckers?\b(?= Build)|\bOPR/\S*",
    re.IGNORECASE,
)
_CONSOLES = re.compile(r"PlayStation|Nintendo|Xbox|Web0S|SMART-TV|Roku|AppleTV|Kindle|KAIOS", re.IGNORECASE)  # of which no system is known
_NO_PROGRAM = re.compile(r"https?:|bot\b|crawl|spider|proxy|preview|scan|fetch", re.IGNORECASE)
# What no browser says of itself: an address to complain to, or one of these words.
_ROBOT = re.compile(
    r"https?:|\bwww\.|[\w.+-]+@[\w-]+\.[a-z]{2,}|\bat\b[^;)]{0,20}\bdot\b|bot\b|bot[/_ -]|bots"
    r"|crawl|spider|scan|preview|fetch|monitor|proxy|headless|lighthouse"
    r"|prerender|check|valid|index|archiv|search|scrap|feed|\brss|curl|wget|powershell|python|java/|httpclient|http-client|okhttp"
    r"|phantom|synthetic|\bagent\b|[a-z]agent\b|analy|biglotron|httrack|appinsights|siteimprove|dareboost|playwright|selenium|puppeteer"
    r"|cypress|collapsify|verify|hardenize|scope3|sindup|\bmanus-|optimizer|inspect|audit|probe|uptime|pingdom|gtmetrix|ptst/",
    re.IGNORECASE,
)
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")


@dataclass(frozen=True)
class Click:
    """A click that may be one of a burst."""

    id: str
    position: int
    at: datetime


def by_request(headers: Mapping[str, str]) -> str | None:
    """Return why a request is a robot's, by its headers (names in lower case); None where a person may have made it."""
    if any("prefetch" in headers.get(name, "").lower() or "preview" in headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
        return "fetched ahead of any reader"
    return by_agent(headers.get("user-agent", "")[:MAX_AGENT])


@lru_cache(maxsize=4096)
def by_agent(agent: str) -> str | None:
    """Return why a user agent is a robot's; None where it is a browser's or a mail program's."""
    agent = agent.strip()
    if not agent:
        return "it does not say what it is"
    if agent == _BARE:
        return "Apple's privacy proxy"
    if agent.endswith(" " + _BARE):
        return "Google's prefetcher"
    if _MAIL_PROGRAMS.search(agent) and not _NO_PROGRAM.search(agent):
        return None
    agent = _READERS.sub("", agent)
    found = ua_parser.parse(agent)
    family = found.user_agent.family if found.user_agent else None
    if family in _PROXIES:
        return f"{family} fetches for its users"
    if found.device is not None and found.device.family == "Spider":
        return "a crawler"
    if _ROBOT.search(agent):
        return "it says that it is a robot"
    if found.os is None and not _CONSOLES.search(agent):
        return "no browser or mail program that is known"
    return None


def by_time(at: datetime, accepted_at: datetime | None) -> str | None:
    """Return why an open or a click comes too soon for a person; None where it does not."""
    if accepted_at is not None and at - accepted_at < TOO_SOON:
        return f"less than {TOO_SOON.seconds} s after the message was accepted"
    return None


def bursts(clicks: Sequence[Click]) -> frozenset[str]:
    """Return the ids of the clicks on one message that lie in a second with clicks on four of its links or more."""
    ordered = sorted(clicks, key=lambda click: click.at)
    found: set[str] = set()
    for i, first in enumerate(ordered):
        near = [click for click in ordered[i:] if click.at - first.at <= BURST_WINDOW]
        if len({click.position for click in near}) >= BURST_LINKS:
            found.update(click.id for click in near)
    return frozenset(found)
