"""A role that only one process may have at a time, and another takes over within seconds when that one dies.

No two machines' clocks are compared: who waits for the role watches the lease's row, and takes it when
it has stood unchanged for as long as it is good for, by the watcher's own clock; on the holder's own
machine, which has but one clock, when its time is over. The holder counts from before it asked, and so
stops first. A process that was asleep finds that its time is over before it does anything more (`holds`).
"""

from __future__ import annotations

import asyncio
import os
import platform
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, delete, select, update

from sojourn.clock import monotonic, real_now
from sojourn.store.bulk import insert_if_new
from sojourn.store.database import Database
from sojourn.store.tables import leases

GOOD_FOR_S = 2.0
RENEW_EVERY_S = 0.5
WATCH_EVERY_S = 0.2
MARGIN_S = 0.2  # by which the holder stops before anyone may take over
LONG_GONE = timedelta(seconds=30)  # past its end a lease is taken at first sight; no clock is that wrong
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # one for all processes, and containers, that share a clock


@dataclass(frozen=True)
class Seen:
    """A lease's row as it was seen."""

    holder: str
    until: datetime


def this_process() -> str:
    """Return a name that no other process has, now or ever; it begins with the machine's."""
    machine = _BOOT.read_text().strip() if _BOOT.exists() else platform.node()
    return f"{machine}:{os.getpid()}:{uuid4()}"


def look(connection: Connection, name: str) -> Seen | None:
    """Return who holds a role."""
    row = connection.execute(select(leases.c.holder, leases.c.until).where(leases.c.name == name)).one_or_none()
    return None if row is None else Seen(row.holder, row.until)


def renew(connection: Connection, name: str, holder: str, until: datetime) -> bool:
    """Keep a role; False where another has taken it."""
    mine = update(leases).where(leases.c.name == name, leases.c.holder == holder)
    return connection.execute(mine.values(until=until)).rowcount > 0


def take(connection: Connection, name: str, holder: str, until: datetime, seen: Seen | None) -> bool:
    """Take a role from whoever had it when it was seen; False where something has changed since."""
    if seen is None:
        return insert_if_new(connection, leases, {"name": name, "holder": holder, "until": until})
    unchanged = (leases.c.name == name, leases.c.holder == seen.holder, leases.c.until == seen.until)
    return connection.execute(update(leases).where(*unchanged).values(holder=holder, until=until)).rowcount > 0


def give_up(connection: Connection, name: str, holder: str) -> None:
    """Let another have a role at once."""
    connection.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))


class Lease:
    """One process's hold on a role.

    Args:
        database: the store.
        name: the role.
        holder: this process, and no other that lives or ever lived.
    """

    def __init__(self, database: Database, name: str, holder: str) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._seen: Seen | None = None
        self._seen_since = monotonic()
        self._good_until = 0.0
        self.term = 0  # grows each time the role is taken

    def holds(self, term: int) -> bool:
        """Tell whether the role has been held without a break since a term began."""
        return term == self.term and monotonic() < self._good_until

    async def keep(self) -> None:
        """Renew the role, or wait for it, one step."""
        if await self._step():
            await asyncio.sleep(RENEW_EVERY_S)
        else:
            await asyncio.sleep(WATCH_EVERY_S)

    async def give_up(self) -> None:
        """Let another have the role at once."""
        self._good_until = 0.0
        await self._database.write(give_up, self._name, self._holder)

    async def _step(self) -> bool:
        asked, until = monotonic(), real_now() + timedelta(seconds=GOOD_FOR_S)
        seen = await self._database.read(look, self._name)
        if seen is not None and seen.holder == self._holder:
            won = await self._database.write(renew, self._name, self._holder, until)
            if won and asked >= self._good_until:
                self.term += 1  # there was a break, though nobody used it
        elif self._is_free(seen):
            won = await self._database.write(take, self._name, self._holder, until, seen)
            self.term += won
        else:
            won = False
        self._good_until = asked + GOOD_FOR_S - MARGIN_S if won else 0.0
        return won

    def _is_free(self, seen: Seen | None) -> bool:
        if seen is None:
            return True
        same_clock = seen.holder.split(":")[0] == self._holder.split(":")[0]
        if seen.until + (timedelta() if same_clock else LONG_GONE) < real_now():
            return True
        if seen != self._seen:
            self._seen, self._seen_since = seen, monotonic()
        return monotonic() - self._seen_since >= GOOD_FOR_S
