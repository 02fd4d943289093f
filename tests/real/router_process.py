"""A router as a process of its own, whose Temporal is a test's: `python router_process.py DATABASE_URL FOLDER PORT`."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from sojourn.clock import SystemClock
from sojourn.intake.outbox import StartCall
from sojourn.intake.router import Router
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.travel.registry import Definition, Registry
from sojourn.travel.state import Arrived


class Distant:
    """Makes each call of a journey's runner at the test's server."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def start(self, workflow_id: str, call: StartCall, definition: Definition, delay: timedelta) -> str:
        return str(await self._ask("start", workflow_id, call.entry_id))

    async def signal(self, workflow_id: str, arrived: Arrived) -> bool:
        return bool(await self._ask("signal", workflow_id, arrived.id))

    async def terminate(self, workflow_id: str, run_id: str | None, reason: str) -> bool:
        return bool(await self._ask("terminate", workflow_id, run_id))

    async def _ask(self, *words: Any) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(json.dumps(words).encode() + b"\n")
        answer = await reader.readline()
        writer.close()
        if not answer:
            raise ConnectionError("no answer")
        return json.loads(answer)


async def main(url: str, folder: Path, port: int) -> None:
    await Router(Database(url, durable=False), Registry(load(folder)), Distant(port), SystemClock()).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
