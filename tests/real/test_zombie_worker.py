"""P2, with real processes: a worker stopped between claim and post (SIGSTOP) wakes (SIGCONT) after another has sent its message."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit/delivery"))
from delivery_world import NOON, DeliveryWorld, make_world
from fake_api import serving
from fake_providers import FAKES, PATIENT

from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, reconciling, sending
from sojourn.delivery.ledger import State

pytestmark = pytest.mark.real
UNIT = Path(__file__).resolve().parents[1] / "unit/delivery"

WORKER = """
import asyncio, sys, time
sys.path.insert(0, sys.argv[1])
from delivery_world import NOON, DeliveryWorld
from fake_providers import FAKES
from sojourn.delivery import sending
from sojourn.delivery.outcomes import Claimed
from sojourn.store.database import Database

url, api, name = sys.argv[2:5]
world = DeliveryWorld(Database(url))
provider = FAKES[name].make(api, 10.0)
claimed = world.db.write_now(sending.claim, world.key, NOON, world.rules, provider)
assert isinstance(claimed, Claimed)
at = sending.monotonic()
print("claimed", flush=True)
time.sleep(0.5)  # here it is stopped
outcome = asyncio.run(sending.post(provider, claimed.message, at))
print(type(outcome).__name__, flush=True)
world.db.write_now(sending.settle, world.key, outcome, NOON, claimed.attempt)
"""


@pytest.mark.parametrize("name", ["postmark", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("mailgun", "resend", "ses"))])
async def test_a_worker_that_was_stopped_between_claim_and_post_makes_no_second_message(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/sojourn.db"
    world: DeliveryWorld = make_world(url)
    world.plan()
    async with serving(FAKES[name].answer) as api:
        provider, clock = FAKES[name].make(api.url, PATIENT), VirtualClock(NOON)

        async def again(key: str, prepare=None) -> object:
            return await sending.deliver(world.db, provider, key, clock, world.rules, prepare=prepare)

        zombie = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, str(UNIT), url, api.url, name, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        try:
            assert zombie.stdout is not None
            assert (await asyncio.wait_for(zombie.stdout.readline(), 30)).strip() == b"claimed"
            os.kill(zombie.pid, signal.SIGSTOP)
            await again(world.key)  # its attempt is given to another worker, who finds the claim
            await asyncio.sleep(sending.CLAIM_FRESH_SECONDS + 0.5)
            clock.move_to(NOON + timedelta(minutes=40))
            await reconciling.reconcile(world.db, provider, clock, again)
            expected = 1 if FAKES[name].clears else 0
            assert len(api.accepted) == expected
            os.kill(zombie.pid, signal.SIGCONT)
            assert (await asyncio.wait_for(zombie.stdout.readline(), 30)).strip() == b"NotAccepted"
            await asyncio.wait_for(zombie.wait(), 30)
        finally:
            if zombie.returncode is None:
                zombie.kill()
        assert len(api.accepted) == expected
        state = world.db.write_now(ledger.load, world.key).state
        assert state is (State.ACCEPTED if expected else State.PLANNED)  # where nobody posted, the zombie's own word proves it
