"""The door of the log: an event is accepted when its commit is on the disk, and not before.

Calls that arrive while a commit is under way share the next one, so durability is paid for once a
group and not once a call. What waits is bounded: a full queue says so at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import Connection, bindparam, select

from sojourn.customers.identifying import keys_of, write_keys
from sojourn.errors import Overloaded
from sojourn.intake.envelope import Envelope, Quarantined
from sojourn.log_errors import error_fields
from sojourn.metrics import metrics
from sojourn.store import locks
from sojourn.store.bulk import insert_new
from sojourn.store.database import Database
from sojourn.store.tables import inbound, quarantine, violations
from sojourn.store.types import to_micros

MAX_WAITING = 20_000  # events not yet on the disk
MAX_GROUP = 2_000  # events in one commit
RETRY_AFTER = 1  # seconds; a full queue drains in about that
RETRY_AFTER_FAILURE = 5  # seconds; a store that refuses needs longer

MAX_PATH = 255  # characters of a violation's path

_QUARANTINE = UUID("5c0f6d7e-1b1a-5f0e-9d7a-71756172616e")
_VIOLATION = UUID("5c0f6d7e-1b1a-5f0e-9d7a-76696f6c6174")
_SQLITE_INSERT = (
    "INSERT OR IGNORE INTO inbound (message_id, kind, name, user_id, anonymous_id, profile_id, known_by, time, received_at, body)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

_KNOWN = select(inbound.c.message_id).where(inbound.c.message_id.in_(bindparam("ids", expanding=True)))

log = structlog.get_logger(__name__)


def append(connection: Connection, envelopes: Sequence[Envelope], quarantined: Sequence[Quarantined] = ()) -> list[str]:
    """Write events to the log and return the message ids that it did not hold before, in order.

    What their definitions find wrong with them is written in the same transaction. On PostgreSQL nobody else writes to
    the log until this transaction ends: what comes after this in it is waited for.
    """
    locks.share_events(connection, (one for e in envelopes for one in _named(e)))
    locks.hold_log(connection)
    if quarantined:
        insert_new(connection, quarantine, [_set_aside(bad) for bad in quarantined])
    if not envelopes:
        return []
    fresh = {envelope.message_id: envelope for envelope in reversed(envelopes)}
    for known in _known(connection, list(fresh)):
        fresh.pop(known)
    accepted = list(reversed(fresh.values()))
    if accepted:
        _insert(connection, accepted)
        note_violations(connection, accepted)
    return [envelope.message_id for envelope in accepted]


def _set_aside(bad: Quarantined) -> dict[str, Any]:
    envelope = bad.envelope
    return {
        "id": _quarantine_id(bad),
        "message_id": bad.message_id,
        "reason": bad.reason,
        "body": bad.body,
        "received_at": bad.received_at,
        "name": None if envelope is None else envelope.name,
        "time": None if envelope is None else envelope.time,
        "envelope": None if envelope is None else envelope.model_dump(mode="json", exclude_defaults=True),
    }


def note_violations(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    """Keep what their definitions find wrong with events that are taken in."""
    insert_new(connection, violations, [row for envelope in envelopes if envelope.faults for row in _violations(envelope)])


def _violations(envelope: Envelope) -> list[dict[str, Any]]:
    return [
        {
            "id": str(uuid5(_VIOLATION, f"{len(envelope.message_id)}:{envelope.message_id}:{fault.path}:{fault.reason}")),
            "message_id": envelope.message_id,
            "event": envelope.name,
            "path": fault.path[:MAX_PATH],
            "reason": fault.reason,
            "at": envelope.received_at,
        }
        for fault in envelope.faults
    ]


def _quarantine_id(bad: Quarantined) -> str:
    """Return the same id each time the same bad event is sent, as clients do when an answer was lost."""
    return str(uuid5(_QUARANTINE, bad.body))


def _known(connection: Connection, message_ids: list[str]) -> Sequence[str]:
    return connection.execute(_KNOWN, {"ids": message_ids}).scalars().all()


def _insert(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_SQLITE_INSERT, [_row(envelope) for envelope in envelopes])
        return
    insert_new(connection, inbound, [_values(envelope) for envelope in envelopes])


def _row(e: Envelope) -> tuple[Any, ...]:
    times = to_micros(e.time), to_micros(e.received_at)
    ids = e.user_id, e.anonymous_id, e.profile_id, _keys(e)
    return (e.message_id, e.kind, e.name, *ids, *times, e.model_dump_json(exclude_defaults=True))


def _values(e: Envelope) -> dict[str, Any]:
    columns = {"message_id", "kind", "name", "user_id", "anonymous_id", "profile_id", "time", "received_at"}
    return {**e.model_dump(include=columns), "known_by": _keys(e), "body": e.model_dump(mode="json", exclude_defaults=True)}


def _named(e: Envelope) -> tuple[str | None, ...]:
    """Return all by which an event may name a person."""
    return (e.user_id, e.anonymous_id, e.previous_id, e.profile_id, *(value for _, value in e.keys))


def _keys(e: Envelope) -> str | None:
    """Return what else an event names the person by, as the log keeps it: a claim looks for it there before it is routed (P3)."""
    keys = e.keys or keys_of(e.kind, e.traits, e.context)
    if e.previous_id is not None:
        keys = (*keys, ("user_id", e.previous_id), ("anonymous_id", e.previous_id))
    return write_keys(keys) if keys else None


@dataclass
class _Waiting:
    """A call whose events are not yet on the disk."""

    envelopes: Sequence[Envelope]
    quarantined: Sequence[Quarantined]
    done: asyncio.Future[list[str]]

    @property
    def size(self) -> int:
        return len(self.envelopes) + len(self.quarantined)


class Appender:
    """Appends to the log, many calls a commit.

    Args:
        database: the store.
        on_commit: called after each commit, so that a router in the same process need not poll.
        max_waiting: events that may wait; more are refused.
    """

    def __init__(self, database: Database, *, on_commit: Callable[[], None] | None = None, max_waiting: int = MAX_WAITING) -> None:
        self._database = database
        self._on_commit = on_commit
        self._max_waiting = max_waiting
        self._waiting: list[_Waiting] = []
        self._size = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def backlog(self) -> int:
        """How many events wait for their commit."""
        return self._size

    async def append(self, envelopes: Sequence[Envelope], quarantined: Sequence[Quarantined] = ()) -> list[str]:
        """Return, once they are on the disk, the message ids that the log did not hold before.

        Raises:
            Overloaded: too much is waiting, or the store cannot be written just now; nothing of the call is promised.
        """
        size = len(envelopes) + len(quarantined)
        if not size:
            return []
        if self._size and self._size + size > self._max_waiting:
            raise Overloaded("too many events are waiting to be written; try again", RETRY_AFTER)
        done: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(envelopes, quarantined, done))
        self._size += size
        if self._task is None:
            self._task = asyncio.create_task(self._work())
        return await done

    async def close(self) -> None:
        """Return when everything that waits is written."""
        while self._task is not None:
            await self._task

    async def _work(self) -> None:
        try:
            while self._waiting:
                group = self._take()
                try:
                    await self._commit(group)
                finally:
                    self._size -= sum(call.size for call in group)
        finally:
            self._task = None

    def _take(self) -> list[_Waiting]:
        size = count = 0
        for call in self._waiting:
            size += call.size
            if count and size > MAX_GROUP:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        try:
            accepted = await self._database.write(_append_all, group)
        except Exception as error:  # whatever it was, nothing is promised and no caller may hang
            if len(group) > 1:  # one call's fault must not be its neighbours'
                for call in group:
                    await self._commit([call])
                return
            log.error("events could not be written", events=group[0].size, **error_fields(error, hide_message=True))
            _fail(group[0], Overloaded("the event log cannot be written just now; try again", RETRY_AFTER_FAILURE))
            return
        _count(group, accepted)
        for call, ids in zip(group, accepted, strict=True):
            if not call.done.done():  # the caller may have hung up
                call.done.set_result(ids)
        if self._on_commit is not None:
            self._on_commit()


def _append_all(connection: Connection, group: Sequence[_Waiting]) -> list[list[str]]:
    envelopes = [envelope for call in group for envelope in call.envelopes]
    fresh = set(append(connection, envelopes, [bad for call in group for bad in call.quarantined]))
    accepted = []
    for call in group:
        mine = [e.message_id for e in call.envelopes if e.message_id in fresh]
        fresh.difference_update(mine)
        accepted.append(list(dict.fromkeys(mine)))
    return accepted


def _count(group: Sequence[_Waiting], accepted: Sequence[Sequence[str]]) -> None:
    fresh = sum(map(len, accepted))
    results = {"accepted": fresh, "duplicate": sum(len(call.envelopes) for call in group) - fresh}
    results["quarantined"] = sum(len(call.quarantined) for call in group)
    for result, count in results.items():
        metrics().events.labels(result).inc(count)


def _fail(call: _Waiting, error: Exception) -> None:
    if not call.done.done():
        call.done.set_exception(error)
