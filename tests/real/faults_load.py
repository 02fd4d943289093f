"""Five hundred people, open loop, through intake: what they do, and what they were told is taken.

Requests are made as the client libraries make them: a lost connection, 408, 410, 429 and 5xx are sent
again with the same message id; and one call in ten is sent twice although it was answered.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from stack import BROWSER

FIRST_WAIT = 3.0  # seconds; the journey's first wait, in which its workflow sleeps
LAST_WAIT = 8.0  # its wait after the second mail
RATE = 6.5  # people a second
LATER_RATE = 2.0  # of those who come after the five hundred, while parts have yet to be killed
TOO_SOON = 2.3  # seconds after a mail was accepted; a click before is taken for a robot's
RETRIED = {408, 410, 429, *range(500, 600)}
LINK = re.compile(r'href="[^"]*(/c/[^"]+)"')

# What people do, and how many in a hundred do it.
WAYS = {"click": 50, "click, buy at the second timer": 10, "buy at the first timer": 20, "buy at once": 10, "read, then buy": 10}


@dataclass
class Person:
    id: str
    way: str


@dataclass
class Load:
    """Drives people and keeps what was acknowledged, with the moment at which the answer was here."""

    url: str
    write_key: str
    rows: Callable[..., list[tuple[Any, ...]]]  # of the database
    seed: int
    people: list[Person] = field(default_factory=list)
    acknowledged: dict[str, float] = field(default_factory=dict)  # message id to Unix time
    clicked: dict[str, float] = field(default_factory=dict)  # person to Unix time
    calls: int = 0
    repeated: int = 0  # sent again although answered
    lost: int = 0  # attempts without an answer
    under_way: int = 0
    mails: dict[tuple[str, str], tuple[float, str]] = field(default_factory=dict)  # (person, send) to settled at, link

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    async def run(self, count: int, enough: Callable[[], bool]) -> None:
        """Let so many people come, and some more until there were enough; return when all have done what they do."""
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
        async with httpx.AsyncClient(base_url=self.url, timeout=10, limits=limits) as self.client:
            watching = asyncio.create_task(self._watch())
            try:
                async with asyncio.TaskGroup() as group:
                    while len(self.people) < count or not enough():
                        person = Person(f"p{self.seed}-{len(self.people)}", self.dice.choices(list(WAYS), list(WAYS.values()))[0])
                        self.people.append(person)
                        group.create_task(self._live(person))
                        await asyncio.sleep(self.dice.expovariate(RATE if len(self.people) < count else LATER_RATE))
            finally:
                watching.cancel()

    async def _live(self, person: Person) -> None:
        dice = random.Random(person.id)
        consent = {"consent": {"categoryPreferences": {"marketing": True}}}
        traits = {"email": f"{person.id}@customer.example"}
        await self._send(
            {"type": "identify", "messageId": f"{person.id}-identify", "userId": person.id, "traits": traits, "context": consent},
            {"type": "track", "messageId": f"{person.id}-cart", "userId": person.id, "event": "Cart Started"},
        )
        began = self.acknowledged[f"{person.id}-cart"]
        if person.way == "buy at once":
            await self._buy(person, began + dice.uniform(0.2, 1.5))
        elif person.way == "buy at the first timer":
            await self._buy(person, began + FIRST_WAIT + dice.uniform(-0.2, 0.2))
        else:
            settled, link = await self._mail(person, "first")
            if person.way == "read, then buy":
                await self._buy(person, settled + dice.uniform(0.0, 3.0))
                return
            await asyncio.sleep(max(settled + TOO_SOON + dice.uniform(0.0, 1.0) - time.time(), 0))
            await self._click(person, link)
            if person.way == "click, buy at the second timer":
                # A click is told 1.5 to 1.75 s later; then comes the journey's wait of 2 s.
                await self._buy(person, self.clicked[person.id] + 3.6 + dice.uniform(-0.2, 0.4))

    async def _buy(self, person: Person, at: float) -> None:
        await asyncio.sleep(max(at - time.time(), 0))
        await self._send({"type": "track", "messageId": f"{person.id}-order", "userId": person.id, "event": "Order Completed"})

    async def _mail(self, person: Person, send: str) -> tuple[float, str]:
        while (person.id, send) not in self.mails:
            await asyncio.sleep(0.1)
        return self.mails[person.id, send]

    async def _click(self, person: Person, link: str) -> None:
        answer = await self._until_answered("GET", link, headers=BROWSER)
        assert answer.status_code == 302, (answer.status_code, answer.text)
        self.clicked[person.id] = time.time()

    async def _send(self, *events: dict[str, Any]) -> None:
        body = {"batch": list(events)}
        answer = await self._until_answered("POST", "/v1/batch", json=body, auth=(self.write_key, ""))
        assert answer.json() == {"success": True}, answer.text
        for event in events:
            self.acknowledged[event["messageId"]] = time.time()
        if self.dice.random() < 0.1:
            self.repeated += 1
            asyncio.get_running_loop().call_later(self.dice.uniform(0.0, 2.0), self._send_again, body)

    def _send_again(self, body: dict[str, Any]) -> None:
        task = asyncio.ensure_future(self._until_answered("POST", "/v1/batch", json=body, auth=(self.write_key, "")))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _until_answered(self, method: str, path: str, **request: Any) -> httpx.Response:
        pause = 0.1
        while True:
            self.calls += 1
            self.under_way += 1
            try:
                answer = await self.client.request(method, path, **request)
                if answer.status_code not in RETRIED:
                    return answer
            except httpx.TransportError:
                self.lost += 1
            finally:
                self.under_way -= 1
            await asyncio.sleep(pause + self.dice.uniform(0, 0.1))
            pause = min(pause * 2, 1.0)

    async def _watch(self) -> None:
        """Notice mails that were accepted, as their readers would."""
        query = (
            "select i.value, s.send_id, s.settled_at, m.html from sends s join messages m on m.send_key = s.key "
            "join identifiers i on i.profile_id = s.profile_id where s.state = 'accepted' and s.settled_at > ? order by s.settled_at"
        )
        last = 0
        while True:
            for person, send, settled, html in self.rows(query, last - 1_000_000):
                found = LINK.search(html)
                assert found, html
                self.mails[person, send] = (settled / 1e6, found[1])
                last = max(last, settled)
            await asyncio.sleep(0.25)
