"""The send ledger: what became of every message, and each step of the way with its because.

The only writer of `sends`, `transitions` and `verdicts`. What may follow what is one table, `ALLOWED`;
anything else raises. A claim is never released by time alone: only proof that the provider accepted
nothing leads back to `planned`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID, uuid5

from sqlalchemy import Connection, Select, and_, bindparam, func, insert, or_, select, update

from sojourn.delivery.gate import CheckResult
from sojourn.delivery.mailboxes import mailbox_of
from sojourn.errors import NotFound, Terminal
from sojourn.language.shop import TRANSACTIONAL
from sojourn.metrics import metrics
from sojourn.store import locks
from sojourn.store.bulk import insert_new_keys
from sojourn.store.last import do_last, do_now, forget
from sojourn.store.tables import sends, transitions, verdicts


class State(StrEnum):
    """Where a send stands."""

    PLANNED = "planned"  # rendered, frozen under its key
    HELD = "held"  # the gate asks to come back later
    CLAIMED = "claimed"  # one worker may post it
    ACCEPTED = "accepted"  # the provider took it
    REJECTED = "rejected"  # the provider refused it for good
    SUPPRESSED = "suppressed"  # the gate said no
    UNKNOWN = "unknown"  # it may or may not have been accepted
    ABANDONED = "abandoned"  # unknown past its grace


ALLOWED: Mapping[State | None, frozenset[State]] = {
    None: frozenset({State.PLANNED}),
    # To accepted only by evidence that outdates a look-up: it had found nothing, and the provider had the message all the same.
    State.PLANNED: frozenset({State.CLAIMED, State.HELD, State.SUPPRESSED, State.ACCEPTED}),
    State.HELD: frozenset({State.CLAIMED, State.HELD, State.SUPPRESSED, State.ACCEPTED}),
    State.CLAIMED: frozenset({State.ACCEPTED, State.REJECTED, State.PLANNED, State.UNKNOWN}),
    # To claimed again only by a keyed provider (class A); to planned on proof or a person's word; to rejected by its own answer.
    State.UNKNOWN: frozenset({State.ACCEPTED, State.REJECTED, State.CLAIMED, State.PLANNED, State.ABANDONED}),
    State.ABANDONED: frozenset({State.ACCEPTED, State.PLANNED}),  # to planned only by a person's word
    State.ACCEPTED: frozenset(),
    State.REJECTED: frozenset(),
    State.SUPPRESSED: frozenset(),
}
SETTLED = frozenset({State.ACCEPTED, State.REJECTED, State.SUPPRESSED, State.ABANDONED})
# What counts against a cap. An abandoned one may have reached its reader: time alone releases nothing.
COUNTED = (State.CLAIMED, State.ACCEPTED, State.UNKNOWN, State.ABANDONED)

MOST_NEAR = 2_000  # of one person's messages that are looked at, the latest first; a cap is at most a thousand


class NotAllowed(Terminal):
    """A send cannot go from the state it is in to the one asked for."""


@dataclass(frozen=True)
class SendOrder:
    """What is to be sent to whom, before it is rendered."""

    key: str
    entry_id: str
    profile_id: str
    journey: str
    step: str  # the step's cursor
    send_id: str
    content: str
    to_address: str
    from_address: str
    variant: str | None = None
    purpose: str = "marketing"
    topic: str | None = None
    priority: int = 50
    to_name: str | None = None
    from_name: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True)
class SendRow:
    """A row of `sends`."""

    key: str
    entry_id: str
    profile_id: str
    journey: str
    step: str
    send_id: str
    content: str
    variant: str | None
    purpose: str
    topic: str | None
    priority: int
    state: State
    reason: str | None
    held_until: datetime | None
    consent_id: str | None
    provider: str | None
    provider_message_id: str | None
    attempts: int
    created_at: datetime
    claimed_at: datetime | None
    settled_at: datetime | None


_COLUMNS = [sends.c[field.name] for field in fields(SendRow)]
_NOTHING: dict[str, Any] = dict.fromkeys(field.name for field in fields(SendRow))
# Statements are built once: building one costs more than SQLite takes to answer it.
_AS_IT_IS = select(*_COLUMNS).where(sends.c.key == bindparam("sought"))
_BY_KEY = _AS_IT_IS.with_for_update()
_BY_KEYS = select(*_COLUMNS).where(sends.c.key.in_(bindparam("keys", expanding=True))).order_by(sends.c.key).with_for_update()
_MOVE = update(sends).where(sends.c.key == bindparam("moved"))
_NOTE = insert(transitions)
_CHECKS = insert(verdicts)
_NEAR = (  # through ix_sends_profile_claimed_at: only ever what one person was sent
    select(
        sends.c.entry_id, sends.c.journey, sends.c.send_id, sends.c.key, sends.c.purpose, sends.c.topic, sends.c.priority,
        sends.c.state, sends.c.claimed_at, sends.c.held_until,
    )
    .where(
        sends.c.profile_id.in_(bindparam("people", expanding=True)),
        sends.c.key != bindparam("besides"),
        sends.c.purpose != TRANSACTIONAL,
        or_(
            and_(sends.c.claimed_at > bindparam("since"), sends.c.state.in_([state.value for state in COUNTED])),
            sends.c.state == State.HELD.value,
        ),
    )
    .order_by(sends.c.claimed_at.desc())
    .limit(bindparam("most"))
)  # fmt: skip
_NEAR_THERE = _NEAR.where(sends.c.mailbox == bindparam("box"))


def send_key(workspace: UUID, entry_id: str, step: str, occurrence: int = 0) -> str:
    """Return the key of a send: the same for every attempt and every run, different for every step and occurrence.

    Fields are length-prefixed, so that no two sets of them read alike.
    """
    parts = (entry_id, step, str(occurrence))
    return str(uuid5(workspace, "".join(f"{len(part.encode())}:{part}" for part in parts)))


def open_send(conn: Connection, order: SendOrder, now: datetime) -> SendRow | None:
    """Write a send as planned and return it; None where its key is known already: the first writer wins."""
    return open_sends(conn, [order], now).get(order.key)


def open_sends(conn: Connection, orders: Sequence[SendOrder], now: datetime) -> dict[str, SendRow]:
    """Write sends as planned and return them by their keys; without those whose keys are known already: the first writer wins."""
    rows = {order.key: _planned(order, now) for order in orders}
    new = insert_new_keys(conn, sends, sends.c.key, list(rows.values()))
    opened: dict[str, SendRow] = {}
    for order in orders:
        if order.key in new and order.key not in opened:
            _note(conn, order.key, None, State.PLANNED, f"rendered {order.content}", now)
            made = {name: value for name, value in rows[order.key].items() if name in _NOTHING}
            opened[order.key] = SendRow(**{**_NOTHING, **made, "state": State.PLANNED})
    return opened


def reorder(conn: Connection, order: SendOrder) -> None:
    """Write what is now sent under a key that is planned or held: its rendering may have come to another variant."""
    values = {
        "content": order.content, "variant": order.variant, "topic": order.topic, "priority": order.priority,
        "mailbox": mailbox_of(order.to_address),
    }  # fmt: skip
    conn.execute(update(sends).where(sends.c.key == order.key).values(values))


def _planned(order: SendOrder, now: datetime) -> dict[str, Any]:
    return {
        "key": order.key, "entry_id": order.entry_id, "profile_id": order.profile_id, "journey": order.journey, "step": order.step,
        "send_id": order.send_id, "content": order.content, "variant": order.variant, "purpose": order.purpose,
        "topic": order.topic, "priority": order.priority, "state": State.PLANNED.value, "attempts": 0, "created_at": now,
        "mailbox": mailbox_of(order.to_address),
    }  # fmt: skip


def load(conn: Connection, key: str) -> SendRow:
    """Return a send, locked until the transaction ends.

    Raises:
        NotFound: there is none of this key.
    """
    return _found(conn, _BY_KEY, key)


def load_all(conn: Connection, keys: Sequence[str]) -> dict[str, SendRow]:
    """Return sends by their keys, locked in their order until the transaction ends; one that is not there is missing."""
    found = conn.execute(_BY_KEYS, {"keys": list(keys)}).mappings()
    return {row["key"]: SendRow(**{**row, "state": State(row["state"])}) for row in found}


def look(conn: Connection, key: str) -> SendRow:
    """Return a send as it is just now, without locking it.

    Raises:
        NotFound: there is none of this key.
    """
    return _found(conn, _AS_IT_IS, key)


def lock(conn: Connection, key: str) -> tuple[SendRow, list[str]]:
    """Return a send and all profile ids of its person, the one under which they live on first, both locked until the transaction ends.

    The person is locked before the send, the order of the router's locks: two claims cannot both take the last place under a cap.

    Raises:
        NotFound: there is no send of this key.
    """
    seen = look(conn, key)
    people = locks.lock_person(conn, seen.profile_id)
    return (load(conn, key) if locks.needed(conn) else seen), people


def _found(conn: Connection, query: Select[Any], key: str) -> SendRow:
    row = conn.execute(query, {"sought": key}).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no send {key}")
    return SendRow(**{**row, "state": State(row["state"])})


def move(conn: Connection, send: SendRow, to: State, because: str, now: datetime, **columns: Any) -> SendRow:
    """Take a send to another state, keep why, and return it as it now is.

    Raises:
        NotAllowed: that state cannot follow this one.
    """
    moves = Moves()
    moved = moves(conn, send, to, because, now, **columns)
    moves.make(conn)
    return moved


class Move(Protocol):
    """Takes a send to another state, as `move` does."""

    def __call__(self, conn: Connection, send: SendRow, to: State, because: str, now: datetime, **columns: Any) -> SendRow:
        """Take a send to another state."""
        ...


class Moves:
    """Takes sends to other states together: called as `move`, it writes nothing of `sends` before `make`."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}  # by the columns that change

    def __call__(self, conn: Connection, send: SendRow, to: State, because: str, now: datetime, **columns: Any) -> SendRow:
        """Take a send to another state, for a reason that its row keeps unless it is told another; see `move`."""
        if to not in ALLOWED[send.state]:
            raise NotAllowed(f"a send that is {send.state} cannot become {to}")
        values = {"state": to.value, "reason": because, **columns}
        self._rows.setdefault(tuple(values), []).append({"moved": send.key, **values})
        _note(conn, send.key, send.state, to, because, now)
        metrics().sends.labels(send.journey, to.value).inc()
        return replace(send, **{**values, "state": to})

    def make(self, conn: Connection) -> None:
        """Write all of them."""
        rows, self._rows = self._rows, {}
        for some in rows.values():
            conn.execute(_MOVE, some if len(some) > 1 else some[0])


def keep_checks(conn: Connection, key: str, checks: Iterable[CheckResult], now: datetime) -> None:
    """Keep what every check of the gate said."""
    for c in checks:
        do_last(conn, _write_checks, {"send_key": key, "at": now, "check": c.check, "verdict": c.verdict, "because": c.because})


def _write_checks(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    conn.execute(_CHECKS, rows)


def in_doubt(conn: Connection, key: str) -> int:
    """Return how many attempts have become unknown since nothing was known to be accepted."""
    do_now(conn, _write_notes)
    proven = select(func.coalesce(func.max(transitions.c.id), 0)).where(
        transitions.c.send_key == key, transitions.c.to_state == State.PLANNED.value
    )
    doubts = select(func.count()).where(
        transitions.c.send_key == key, transitions.c.to_state == State.UNKNOWN.value, transitions.c.id > proven.scalar_subquery()
    )
    return int(conn.execute(doubts).scalar_one())


def was_in_doubt(conn: Connection, key: str) -> bool:
    """Tell whether nobody knew of an attempt at any time whether it was accepted."""
    do_now(conn, _write_notes)
    unknown = select(transitions.c.id).where(transitions.c.send_key == key, transitions.c.to_state == State.UNKNOWN.value)
    return conn.execute(unknown.limit(1)).first() is not None


@dataclass(frozen=True)
class Near:
    """Another message of the same person that was sent, or may have been, or is held."""

    entry_id: str
    journey: str
    send_id: str
    key: str
    purpose: str
    topic: str | None
    priority: int
    state: State
    claimed_at: datetime | None
    held_until: datetime | None


def near(
    conn: Connection, people: Iterable[str], since: datetime, *, besides: str, mailbox: str | None = None, others: Iterable[str] = ()
) -> list[Near]:
    """Return a person's other messages that count against caps since a moment, and those that are held; never transactional ones.

    Args:
        conn: the claim's transaction, with the person locked.
        people: all their profile ids.
        since: the moment; the window is open at it.
        besides: the send that asks.
        mailbox: where the person gets mail.
        others: the profile ids of others who get mail there; what they got there counts too.
    """
    asked = {"people": list(people), "since": since, "besides": besides, "most": MOST_NEAR}
    rows = list(conn.execute(_NEAR, asked).mappings())
    if sharing := list(others):
        rows += conn.execute(_NEAR_THERE, {**asked, "people": sharing, "box": mailbox}).mappings()
        rows.sort(key=lambda row: (row["claimed_at"] is not None, row["claimed_at"] or since), reverse=True)
    return [Near(**{**row, "state": State(row["state"])}) for row in rows]


def unsettled_since(conn: Connection, state: State, before: datetime, limit: int) -> list[SendRow]:
    """Return sends that were claimed before a moment and still stand in a state, oldest first, locked."""
    query = select(*_COLUMNS).where(sends.c.state == state.value, sends.c.claimed_at <= before).order_by(sends.c.claimed_at).limit(limit)
    found = conn.execute(query.with_for_update(skip_locked=True))  # whoever holds one is about to settle it
    return [SendRow(**{**row, "state": State(row["state"])}) for row in found.mappings()]


def _note(conn: Connection, key: str, before: State | None, after: State, because: str, now: datetime) -> None:
    state = before.value if before else None
    do_last(conn, _write_notes, {"send_key": key, "at": now, "from_state": state, "to_state": after.value, "because": because})


def _write_notes(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    conn.execute(_NOTE, rows)


def written(conn: Connection) -> None:
    """Write now what is else written at the end of the transaction: why sends moved, and what was checked."""
    do_now(conn, _write_notes)
    do_now(conn, _write_checks)


def unwritten(conn: Connection) -> None:
    """Forget what was not yet written: what it is about was taken back."""
    forget(conn, _write_notes)
    forget(conn, _write_checks)
