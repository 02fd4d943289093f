"""Robots are told from readers (P14)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.delivery import machine
from sojourn.delivery.machine import Click

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
CRAWLERS = Path(__file__).resolve().parents[4] / "shared/data/user_agents/crawler-user-agents.json"
READERS = Path(__file__).with_name("readers.txt")
CORPUS = [json.loads(line) for line in (Path(__file__).parents[2] / "attacks" / "agents.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in CORPUS])
def test_programs_are_told_from_readers_by_what_they_say(row: dict[str, Any]) -> None:
    headers = {name.lower(): value for name, value in row.get("headers", {}).items()}
    assert (machine.by_request({"user-agent": row["agent"], **headers}) is None) == bool(row.get("reader"))


def test_browsers_apps_and_mail_programs_of_readers_are_no_robots() -> None:
    agents = READERS.read_text("utf-8").splitlines()
    assert len(agents) > 70
    assert [(agent, because) for agent in agents if (because := machine.by_agent(agent))] == []


@pytest.mark.parametrize(
    "agent",
    [
        "CUBOTbot/1.0", "Mozilla/5.0 (Linux; Android 9; CUBOT) Chrome/80 Googlebot/2.1", "Thunderbird-crawler/1.0 (+https://x.example)",
        "Mozilla/5.0 (compatible; Yeti/1.1; +http://naver.me/spd)", "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "Shortwave Image Fetcher", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120 Safari/537.36 contact@scanner.example",
    ],
)  # fmt: skip
def test_a_robot_does_not_hide_behind_a_readers_name(agent: str) -> None:
    assert machine.by_agent(agent) is not None


@pytest.mark.skipif(not CRAWLERS.exists(), reason="the list of crawlers is not here")
def test_of_the_published_crawlers_ninety_seven_in_a_hundred_are_known() -> None:
    agents = [agent for crawler in json.loads(CRAWLERS.read_text()) for agent in crawler.get("instances", [])]
    missed = [agent for agent in agents if machine.by_agent(agent) is None]
    assert len(agents) > 1000
    assert len(missed) / len(agents) <= 0.03


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
