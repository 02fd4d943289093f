"""An open-loop load generator in a process of its own: calls leave at a constant rate, whatever comes back.

    python -m bench.load URL WRITE_KEY --rate CALLS_PER_S --seconds S [--batch N]

A call's latency counts from the moment at which it was due, not from the one at which a connection
was free for it: a server that stalls for two seconds is seen to have stalled for two seconds. It
speaks HTTP/1.1 over kept connections by hand, so that it leaves the processor to what is measured.
Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.measuring import percentile

GIVE_UP_AFTER = 10.0  # seconds after the last call was due
EVENT = (
    '{"type":"track","messageId":"%s","userId":"%s","event":"Product Viewed","timestamp":"%s",'
    '"properties":{"product_id":"sku-%d","name":"Lamp","category":"light","price":45.5,"currency":"EUR"},'
    '"context":{"locale":"en-GB","library":{"name":"bench","version":"1"}}}'
)
PEOPLE = 2000


@dataclass
class Load:
    """What is sent, and what came of it."""

    host: str
    port: int
    head: bytes  # of every request, up to its length
    batch: int
    prefix: str
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    without_retry_after: int = 0
    due: deque[tuple[float, int]] = field(default_factory=deque)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False

    def body(self, number: int) -> bytes:
        """Return a call's body; its events' ids tell which call they were in."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        events = []
        for i in range(self.batch):
            who = (number * self.batch + i) % PEOPLE
            events.append(EVENT % (f"{self.prefix}-{number}-{i}", f"load-{who}", moment, who % 97))
        return (f'{{"batch":[{",".join(events)}]}}' if self.batch > 1 else events[0]).encode()

    async def connection(self) -> None:
        """Send what is due, one call at a time."""
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            while True:
                while not self.due:
                    if self.over:
                        return
                    self.waiting.clear()
                    await self.waiting.wait()
                at, number = self.due.popleft()
                body = self.body(number)
                writer.write(self.head + str(len(body)).encode() + b"\r\n\r\n" + body)
                status = await self._answer(reader)
                self.statuses[status] += 1
                if 200 <= status < 300:
                    self.latencies.append(time.monotonic() - at)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head[9:12])
        if status in (429, 503) and b"retry-after:" not in head:
            self.without_retry_after += 1
        length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
        return status


async def run(load: Load, rate: float, seconds: float, connections: int) -> dict[str, object]:
    """Send at a constant rate and return what came of it."""
    tasks = [asyncio.create_task(load.connection()) for _ in range(connections)]
    began = time.monotonic()
    total = int(rate * seconds)
    sent = 0
    while sent < total:
        elapsed = time.monotonic() - began
        ready = min(total, int(elapsed * rate) + 1)
        for number in range(sent, ready):
            load.due.append((began + number / rate, number))
        sent = ready
        load.waiting.set()
        await asyncio.sleep(0.002)
    load.over = True
    deadline = time.monotonic() + GIVE_UP_AFTER
    while load.due and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    unsent = len(load.due)
    load.due.clear()
    load.waiting.set()
    _, late = await asyncio.wait(tasks, timeout=GIVE_UP_AFTER)
    for task in late:
        task.cancel()
    took = time.monotonic() - began
    accepted = sum(count for status, count in load.statuses.items() if 200 <= status < 300)
    return {
        "offered": total * load.batch / seconds,
        "accepted": accepted * load.batch,
        "rate": accepted * load.batch / took,
        "p50": percentile(load.latencies, 0.50),
        "p99": percentile(load.latencies, 0.99),
        "statuses": {str(status): count for status, count in sorted(load.statuses.items())},
        "without_retry_after": load.without_retry_after,
        "unsent": unsent,
    }


def main() -> None:
    """Generate load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("write_key")
    parser.add_argument("--rate", type=float, required=True, help="calls a second")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--batch", type=int, default=1, help="events in a call (1)")
    parser.add_argument("--connections", type=int, default=32, help="kept open (32)")
    parser.add_argument("--prefix", default="load", help="of the message ids")
    asked = parser.parse_args()
    parts = urlsplit(asked.url)
    key = base64.b64encode(f"{asked.write_key}:".encode()).decode()
    call = "batch" if asked.batch > 1 else "track"
    head = (
        f"POST /v1/{call} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    )
    load = Load(parts.hostname or "", parts.port or 80, head.encode(), asked.batch, asked.prefix)
    print(json.dumps(asyncio.run(run(load, asked.rate, asked.seconds, asked.connections))))


if __name__ == "__main__":
    main()
