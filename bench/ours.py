"""Sojourn's own worker, as it ships, with one thing added: it tells each message that it handed over.

python -m bench.ours ADDRESS DATA_DIR JOURNEYS_DIR
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from functools import cached_property
from pathlib import Path

import worker
from bench.servers import tell
from sojourn.clock import SystemClock
from sojourn.delivery.message import Message
from sojourn.delivery.providers import Provider, Receipt
from sojourn.delivery.providers.inbox import Inbox
from sojourn.logs import configure_logs
from sojourn.settings import Settings, load_settings
from sojourn.store.database import Database


class _Telling(Inbox):
    async def deliver(self, message: Message) -> Receipt:
        receipt = await super().deliver(message)
        tell("sent", message.key)
        return receipt


class _House(worker.House):
    @cached_property
    def provider(self) -> Provider:
        return _Telling(self.settings.data_dir / worker.INBOX)


def settings_of(address: str, data_dir: Path, journeys_dir: Path) -> Settings:
    """Return the settings of a house that is measured."""
    return load_settings(
        data_dir=data_dir, journeys_dir=journeys_dir, temporal_address=address, database_url=f"sqlite:///{data_dir / 'sojourn.db'}"
    )


async def _main(address: str, data_dir: Path, journeys_dir: Path) -> None:
    settings = settings_of(address, data_dir, journeys_dir)
    clock = SystemClock()
    configure_logs(settings.log_format, level="warning", process="worker", clock=clock)
    database = Database(settings.database_url)
    await database.create()
    worker.say_ready = lambda: tell("ready")  # type: ignore[attr-defined]
    task = asyncio.create_task(worker.run_worker(_House(settings, clock, database)))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is not None:
        raise task.exception() or RuntimeError
    await database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
    os._exit(0)  # the SDK's core may abort at interpreter exit after all work is done
