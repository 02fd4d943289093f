"""A burst: a thousand people's first event at once, on `sojourn up`; each enters and gets one mail.

    python -m bench.burst [--people N]

People a second from the first event to the last mail, beside Temporal's own rate for start, send,
complete by a hand-written workflow on the same kind of server in the same run. Nobody may enter twice
or be written to twice.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from pathlib import Path

from bench import raw
from bench.measuring import Report, cpu_seconds
from bench.servers import child, folder, temporal, wait_until
from bench.stacks import cpu_by_part, handed_over, make_known, post, signed_up, stack
from tests.real.stack import Stack
from workflows.runtime import connect

STARTS_AT_ONCE = 32
GOAL = 27.0  # people a second
LIMIT = 240.0
WARM = 20


async def raw_rate(people: int, data: Path, report: Report) -> float:
    """Return how many hand-written start, send, complete the same kind of server does a second."""
    data.mkdir()
    with temporal(data) as server:
        client = await connect(server.address, "default")
        with child("bench.raw", server.address, log=data / "raw.log") as worker:
            gate = asyncio.Semaphore(STARTS_AT_ONCE)

            async def start(name: str) -> None:
                async with gate:
                    await client.start_workflow(raw.SendOnly.run, raw.Begin(name, 0), id=name, task_queue=raw.QUEUE)

            async def go(names: list[str]) -> float:
                sent, began = worker.count("sent"), time.monotonic()
                await asyncio.gather(*(start(name) for name in names))
                while worker.count("sent") - sent < len(names):
                    if time.monotonic() - began > LIMIT:
                        raise TimeoutError(f"the peer's {len(names)} workflows did not end within {LIMIT:.0f} s")
                    await asyncio.sleep(0.02)
                return worker.told[-1][0] - began

            await go([f"warm-{number}" for number in range(WARM)])
            pids = (server.pid, worker.pid)
            before = [cpu_seconds(pid) for pid in pids]
            took = await go([f"raw-{number}" for number in range(people)])
            spent = [(cpu_seconds(pid) - was) * 1000 / people for pid, was in zip(pids, before, strict=True)]
            report.case("start, send, complete, peer", people_per_s=people / took, server_ms=spent[0], worker_ms=spent[1])
            return people / took


def own_rate(people: int, data: Path, report: Report) -> float:
    """Return people a second from the first event to the last mail, on a whole stack."""
    data.mkdir()
    with stack(data) as found, found.http as http:
        make_known(found, http, [f"warm-{number}" for number in range(WARM)])
        users = [f"user-{number}" for number in range(people)]
        make_known(found, http, users)
        post(http, [signed_up(f"warm-{number}") for number in range(WARM)])
        wait_until(lambda: len(handed_over(found)) == WARM, LIMIT, "the first mails", 0.05)
        before, began = cpu_by_part(found), time.time()
        post(http, [signed_up(user) for user in users])
        inbox = found.data_dir / "inbox" / "new"
        wait_until(lambda: len(os.listdir(inbox)) >= WARM + people, LIMIT, f"the mails of {people} people", 0.25)
        took = max(handed_over(found).values()) - began
        spent = {part: (now - before[part]) * 1000 / people for part, now in cpu_by_part(found).items()}
        wait_until(lambda: _ended(found) == WARM + people, LIMIT, "the end of every journey", 0.25)
        report.case(
            "event, entry, mail, ours", people_per_s=people / took, server_ms=spent["temporal"],
            worker_ms=spent["worker"], router_ms=spent["router"], api_ms=spent["api"],
        )  # fmt: skip
        doubles = _doubles(found, WARM + people)
        report.goal("people who entered or were written to other than once", doubles, doubles == 0)
    return people / took


def _ended(found: Stack) -> int:
    return int(found.rows("select count(*) from entries where state = 'ended'")[0][0])


def _doubles(found: Stack, people: int) -> int:
    """Return how many entries, accepted sends and mails differ from one for each person."""
    entries = found.rows("select count(*), count(distinct profile_id) from entries")[0]
    sends = found.rows("select count(*), count(distinct profile_id) from sends where state = 'accepted'")[0]
    readers = [str(mail["To"]) for mail in found.mails()]
    counts = (*entries, *sends, len(readers), len(set(readers)))
    return sum(abs(count - people) for count in counts)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1000, help="how many (1000)")
    asked = parser.parse_args()
    with folder() as data, Report("burst", 2) as report:
        report.advance("Temporal's own rate")
        own_goal = min(GOAL, asyncio.run(raw_rate(asked.people, data / "peer", report)))
        report.advance("the whole stack")
        rate = own_rate(asked.people, data / "ours", report)
        report.goal(f"≥ {own_goal:.1f} people/s (27, or the peer's rate if that is lower)", rate, rate >= own_goal)


if __name__ == "__main__":
    main()
    os._exit(0)  # the SDK's core may abort at interpreter exit after all work is done
