"""kill -9 of every part, at random, under five hundred journeys: what was promised holds (P1, P2, P3, P8, P9, P10, P20)."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import stores
from faults_chaos import Chaos
from faults_load import LAST_WAIT, Load
from stack import ROOT, Stack, running, until
from temporalio.client import Client

pytestmark = [pytest.mark.real, pytest.mark.store, pytest.mark.exhaustive, pytest.mark.timeout(900)]

SEED = int(os.environ.get("FAULTS_SEED", "1"))
PEOPLE = 500
LIMIT = 700.0  # seconds; two free cores take a sixth of it
HITS = 10
FOLDER = ROOT / "tests/real/journeys_faults"


def test_five_hundred_journeys_survive_kill_nine_of_every_part(tmp_path: Path) -> None:
    url = stores.SERVER.empty_url() if stores.STORE == "postgresql" else None
    with running(tmp_path / "var", "--journeys-dir", str(FOLDER), database_url=url) as stack:
        load = Load(stack.url, stack.write_key, stack.rows, SEED)
        chaos = Chaos(stack, SEED, HITS, lambda: load.under_way)

        async def storm() -> None:
            async with asyncio.timeout(LIMIT), asyncio.TaskGroup() as tasks:
                killing = tasks.create_task(chaos.run())
                tasks.create_task(load.run(PEOPLE, killing.done))

        asyncio.run(storm())
        until(lambda: stack.rows("select count(*) from entries where state = 'running'") == [(0,)], 60, "the end of every journey")
        until(lambda: stack.rows("select count(*) from outbox") == [(0,)], 10, "the last call")
        runs = until(lambda: (found := asyncio.run(workflows(stack))) and "RUNNING" not in found.values() and found, 30, "closed workflows")
        broken = [*lost(stack, load), *doubled(stack), *sent_after_exit(stack, load), *unheard(stack, load)]
        broken += entered_twice(stack, load, runs)
        tell(load, chaos)
    assert broken == [], broken[:20]
    assert {part: len(chaos.counted(part)) >= HITS for part in chaos.strikes} == dict.fromkeys(chaos.strikes, True)
    assert load.repeated >= HITS, "too few message ids were sent twice to prove anything"
    assert load.lost >= HITS, "too few answers were lost to prove anything"


def lost(stack: Stack, load: Load) -> list[str]:
    """P1: acknowledged minus stored."""
    stored = Counter(message_id for (message_id,) in stack.rows("select message_id from inbound"))
    found = [f"P1 {message_id} was acknowledged and is not stored" for message_id in load.acknowledged if message_id not in stored]
    found += [f"P1 {message_id} is stored {n} times" for message_id, n in stored.items() if n > 1]
    told = {person for (person,) in stack.rows("select user_id from inbound where name = 'Email Link Clicked'")}
    found += [f"P1 the click of {person} was answered and is not stored" for person in load.clicked if person not in told]
    return found + [f"P1 {bad} was set aside" for bad in stack.rows("select message_id, reason from quarantine")]


def doubled(stack: Stack) -> list[str]:
    """P2: one mail for each send, one send for each person and step, none in doubt."""
    sends = stack.rows("select s.key, s.entry_id, s.send_id, s.state, e.outcome from sends s join entries e on e.id = s.entry_id")
    accepted = {key for key, _, _, state, _ in sends if state == "accepted"}
    # Killed between claim and settling, and by then the person had bought: it went out before, or never.
    abandoned = {key for key, _, _, state, outcome in sends if state == "abandoned" and outcome == "purchased"}
    found = [f"P2 send {key} is {state}" for key, _, _, state, _ in sends if state != "suppressed" and key not in accepted | abandoned]
    found += [f"P2 {n} sends of {step}" for step, n in Counter((entry, send) for _, entry, send, _, _ in sends).items() if n > 1]
    mails = Counter((str(mail["To"]), str(mail["Subject"])) for mail in stack.mails())
    found += [f"P2 {n} mails {what}" for what, n in mails.items() if n > 1]
    names = {path.name for path in (stack.data_dir / "inbox" / "new").iterdir()}
    found += [f"P2 {key} was accepted and is not in the inbox" for key in accepted - names]
    return found + [f"P2 {key} is in the inbox and not in the ledger" for key in names - accepted - abandoned]


def sent_after_exit(stack: Stack, load: Load) -> list[str]:
    """P3: no claim after the exit was acknowledged."""
    claims = stack.rows(
        "select i.value, s.send_id, t.at from transitions t join sends s on s.key = t.send_key "
        "join identifiers i on i.profile_id = s.profile_id where t.to_state = 'claimed'"
    )
    bought = {person: load.acknowledged.get(f"{person}-order", float("inf")) for person, _, _ in claims}
    return [
        f"P3 {send} of {person} was claimed {at / 1e6 - bought[person]:.3f} s after the purchase was acknowledged"
        for person, send, at in claims
        if at / 1e6 > bought[person]
    ]


def unheard(stack: Stack, load: Load) -> list[str]:
    """P8: every acknowledged purchase and click was heeded."""
    rows = stack.rows("select i.value, e.outcome from entries e join identifiers i on i.profile_id = e.profile_id")
    outcomes = dict(rows)
    second = dict(
        stack.rows(
            "select i.value, s.claimed_at from sends s join identifiers i on i.profile_id = s.profile_id "
            "where s.send_id = 'second' and s.claimed_at is not null"
        )
    )
    found = []
    for person in load.people:
        bought = load.acknowledged.get(f"{person.id}-order")
        expected = {"clicked"} if bought is None else {"purchased"}
        if bought is not None and bought > second.get(person.id, bought * 1e6) / 1e6 + LAST_WAIT:
            expected = {"clicked", "purchased"}  # it was the purchase that was late
        if outcomes.get(person.id) not in expected:
            found.append(f"P8 {person} ended as {outcomes.get(person.id)}")
        if person.id in load.clicked and bought is None and person.id not in second:
            found.append(f"P8 {person} clicked and got no second mail")
    return found


def entered_twice(stack: Stack, load: Load, runs: dict[str, str]) -> list[str]:
    """P9: one entry for each trigger, one run for each entry."""
    found = [f"P9 {n} entries for {trigger}" for trigger, n in stack.rows("select trigger_id, count(*) from entries group by 1") if n > 1]
    entries = dict(stack.rows("select run_id, workflow_id from entries"))
    found += [f"P9 {len(entries)} entries of {len(load.people)} people"] if len(entries) != len(load.people) else []
    found += [f"P9 run {run} belongs to no entry" for run in runs if run not in entries]
    return found + [f"P9 {entry} never ran" for run, entry in entries.items() if run not in runs]


async def workflows(stack: Stack) -> dict[str, str]:
    """Every run that Temporal holds, and its state."""
    import psutil

    words = psutil.Process(stack.pid_of("temporal")).cmdline()
    client = await Client.connect(f"127.0.0.1:{words[words.index('--port') + 1]}")
    return {run.run_id: run.status.name if run.status else "" async for run in client.list_workflows("WorkflowType = 'faults'")}


def tell(load: Load, chaos: Chaos) -> None:
    """Print what happened; the figures of P10 include the supervisor's restart of the part."""
    ways: Any = Counter(person.way for person in load.people)
    print(f"\nseed {SEED}: {dict(ways)}; {load.calls} calls, {load.lost} unanswered, {load.repeated} sent twice")
    for part in chaos.strikes:
        back = sorted(strike.back_after for strike in chaos.counted(part) if strike.back_after is not None)
        times = f"back at work after {statistics.median(back):.1f} s (median), {back[-1]:.1f} s (longest)" if back else ""
        print(f"  {part:9} {len(chaos.strikes[part])} kills, {len(back)} with work in hand; {times}")
    print(f"  finished {time.strftime('%H:%M:%S')}")
