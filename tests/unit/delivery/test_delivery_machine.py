"""Robots are told from readers (P14)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.delivery import machine
from sojourn.delivery.machine import Click

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CRAWLERS = Path(__file__).resolve().parents[4] / "shared/data/user_agents/crawler-user-agents.json"
READERS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)",
    "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; Microsoft Outlook 16.0; ms-office; MSOffice 16)",
]
ROBOTS = [
    "", "   ", "Mozilla/5.0", "curl/8.5.0", "python-httpx/0.28.1", "Go-http-client/2.0", "Barracuda Sentinel (EE)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0 Safari/537.36 Edge/12.246 Mozilla/5.0",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
]  # fmt: skip


@pytest.mark.parametrize("agent", READERS)
def test_browsers_and_mail_programs_are_readers(agent: str) -> None:
    assert machine.by_request({"user-agent": agent}) is None


@pytest.mark.parametrize("agent", ROBOTS)
def test_proxies_scanners_and_programs_are_robots(agent: str) -> None:
    assert machine.by_request({"user-agent": agent})


AHEAD = [{"sec-purpose": "prefetch;prerender"}, {"purpose": "prefetch"}, {"x-moz": "prefetch"}, {"x-purpose": "preview"}]


@pytest.mark.parametrize("header", AHEAD)
def test_what_a_browser_fetches_ahead_is_no_readers(header: dict[str, str]) -> None:
    assert machine.by_request({"user-agent": READERS[0], **header})


@pytest.mark.skipif(not CRAWLERS.exists(), reason="the list of crawlers is not here")
def test_of_the_published_crawlers_nine_in_ten_are_known() -> None:
    agents = [agent for crawler in json.loads(CRAWLERS.read_text()) for agent in crawler.get("instances", [])]
    missed = [agent for agent in agents if machine.by_agent(agent) is None]
    assert len(agents) > 1000
    assert len(missed) / len(agents) < 0.1


@given(st.text(max_size=600))
def test_no_user_agent_breaks_the_decision(agent: str) -> None:
    assert machine.by_request({"user-agent": agent}) is None or machine.by_request({"user-agent": agent})


def test_two_seconds_after_acceptance_a_person_may_have_clicked() -> None:
    assert machine.by_time(AT + timedelta(seconds=2), AT) is None
    assert machine.by_time(AT + timedelta(seconds=2, microseconds=-1), AT)
    assert machine.by_time(AT, None) is None


clicks = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40)), max_size=12).map(
    lambda found: [Click(str(i), position, AT + timedelta(milliseconds=100 * tenths)) for i, (position, tenths) in enumerate(found)]
)


@given(clicks)
def test_a_click_is_of_a_burst_where_some_second_holds_it_and_four_links(found: list[Click]) -> None:
    expected = set()
    for click in found:
        for start in {other.at for other in found}:
            window = [other for other in found if start <= other.at <= start + timedelta(seconds=1)]
            if click in window and len({other.position for other in window}) >= 4:
                expected.add(click.id)
    assert machine.bursts(found) == expected


def test_four_clicks_on_one_link_are_a_readers_impatience() -> None:
    assert machine.bursts([Click(str(i), 0, AT) for i in range(9)]) == frozenset()
