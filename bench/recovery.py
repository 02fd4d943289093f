"""P10: how long journeys stand still when their worker, or another part, is killed with kill -9.

    python bench/recovery.py [KILLS] [worker | router | temporal]

A real `sojourn up` carries a steady stream of people, each one event and one mail; the part is
killed again and again. Told for each kill: when the new process was ready (the supervisor's wait and
the imports, which no time-out of ours shortens), when the first mail was claimed after the kill, and
when the last mail that was due at the kill was accepted (where none was due: the first claim).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import psutil

from sojourn.embedded import LOCAL, answers

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "real"))

from stack import Stack, running, until  # noqa: E402 - the tests' own way of running a whole Sojourn

RATE = 4.0  # people a second
PAUSE = 8.0  # seconds between a recovery and the next kill
DUE = (
    "select e.id from entries e where e.delayed_until <= ? and e.state = 'running' "
    "and not exists (select 1 from sends s where s.entry_id = e.id and s.state = 'accepted')"
)


def stream(stack: Stack, stop: threading.Event) -> None:
    """Let people come until told to stop."""
    context = {"consent": {"categoryPreferences": {"marketing": True}}}
    with httpx.Client(base_url=stack.url, auth=(stack.write_key, ""), timeout=30) as client:
        number = 0
        while not stop.wait(1 / RATE):
            number += 1
            who = f"p{number}"
            client.post(
                "/v1/batch",
                json={
                    "batch": [
                        {"type": "identify", "userId": who, "traits": {"email": f"{who}@customer.example"}, "context": context},
                        {"type": "track", "userId": who, "event": "Cart Started"},
                    ]
                },
            )


def one_kill(stack: Stack, part: str) -> tuple[float, float, float]:
    """Kill a part; return the seconds until it was ready, until the first claim, and until all that was due was accepted."""
    ready = stack.data_dir / "run" / f"{part}.ready"
    ready.unlink(missing_ok=True)
    server = port_of_temporal(stack)
    killed = time.time()
    due = [entry for (entry,) in stack.rows(DUE, int(killed * 1e6))]
    stack.kill(part)
    until(lambda: answers(LOCAL, server) if part == "temporal" else ready.exists(), 120, f"the new {part}")
    back = time.time() - killed

    def first_claim() -> float | None:
        query = "select min(at) from transitions where to_state = 'claimed' and at > ?"
        return stack.rows(query, int(killed * 1e6))[0][0]  # type: ignore[no-any-return]

    claimed = until(first_claim, 60, "the first claim") / 1e6 - killed
    marks = ",".join("?" * len(due))
    count = f"select count(*) from sends where state in ('accepted', 'suppressed') and entry_id in ({marks})"
    until(lambda: stack.rows(count, *due)[0][0] >= len(due), 120, "the mails that were due")
    last = stack.rows(f"select max(settled_at) from sends where entry_id in ({marks})", *due)[0][0]
    return back, claimed, last / 1e6 - killed if due else claimed


def port_of_temporal(stack: Stack) -> int:
    """Return the port that the server listens at."""
    words = psutil.Process(stack.pid_of("temporal")).cmdline()
    return int(words[words.index("--port") + 1])


def main(kills: int, part: str) -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "var", "--journeys-dir", str(ROOT / "tests/real/journeys_faults")) as stack,
    ):
        stop = threading.Event()
        people = threading.Thread(target=stream, args=(stack, stop))
        people.start()
        found = []
        try:
            for _ in range(kills):
                time.sleep(PAUSE)
                found.append(one_kill(stack, part))
                print("ready {:5.1f} s   first claim {:5.1f} s   all that was due {:5.1f} s".format(*found[-1]))
        finally:
            stop.set()
            people.join()
    for name, column in zip(("ready", "first claim", "all that was due"), zip(*found, strict=True), strict=True):
        print(f"{name:17} median {statistics.median(column):5.1f} s   longest {max(column):5.1f} s")
    beyond = [last - back for back, _, last in found]
    print(f"after it is ready median {statistics.median(beyond):5.1f} s   longest {max(beyond):5.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12, sys.argv[2] if len(sys.argv) > 2 else "worker")
