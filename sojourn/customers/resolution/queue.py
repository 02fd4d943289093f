"""The queue of pairs that wait for a person, and what was decided of each.

    pending ──accept, or sure enough──▶ merged
       │  └──────────reject───────────▶ rejected ──accept──▶ merged
       ├── identity refuses ──────────▶ refused  ──accept──▶ merged
       └── no longer found ───────────▶ stale    ──found again──▶ pending
A pair is kept under one id for ever, so a decision outlives every later run.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from sojourn.customers.resolution.merging import MergeProfiles, both, loser_and_winner
from sojourn.customers.resolution.pairs import Pair, ordered
from sojourn.errors import NotFound, Terminal
from sojourn.store.bulk import chunks, insert_new
from sojourn.store.tables import merge_candidates, profiles

PENDING, MERGED, REJECTED, REFUSED, STALE = "pending", "merged", "rejected", "refused", "stale"
STATES = (PENDING, MERGED, REJECTED, REFUSED, STALE)
BY_RESOLUTION = "resolution"
PAGE = 1_000
_T = merge_candidates
_RENEW = (
    update(_T)
    .where(_T.c.id == bindparam("b_id"), or_(_T.c.state == PENDING, _T.c.state == STALE))  # `in` takes no executemany
    .values(
        state=PENDING,
        decided_at=None,
        **{name: bindparam(f"b_{name}") for name in ("probability", "match_weight", "because", "reason", "model")},
    )
)


class Conflict(Terminal):
    """A decision that another one forbids."""


@dataclass(frozen=True)
class Candidate:
    """A pair of the queue."""

    id: str
    left_id: str
    right_id: str
    probability: float
    match_weight: float
    because: tuple[dict[str, Any], ...]
    state: str
    reason: str | None
    model: str
    created_at: datetime
    decided_at: datetime | None
    decided_by: str | None


def propose(connection: Connection, pairs: Sequence[tuple[Pair, str | None]], model: str, now: datetime) -> None:
    """Put pairs into the queue, each with why it waits although it is sure; what was decided stays decided."""
    rows = [
        {
            "id": pair.id, "left_id": pair.left, "right_id": pair.right, "probability": pair.probability, "match_weight": pair.weight,
            "because": [each.as_json() for each in pair.because], "state": PENDING, "reason": reason, "model": model, "created_at": now,
        }
        for pair, reason in pairs
    ]  # fmt: skip
    insert_new(connection, _T, rows)
    if rows:
        renewed = ("id", "probability", "match_weight", "because", "reason", "model")
        connection.execute(_RENEW, [{f"b_{name}": row[name] for name in renewed} for row in rows])


def expire(connection: Connection, found: AbstractSet[str], now: datetime) -> int:
    """Set aside what waits but was not found again; return how many."""
    waiting = connection.execute(select(_T.c.id).where(_T.c.state == PENDING)).scalars()
    gone = sorted(set(waiting) - found)
    for some in chunks(gone):
        connection.execute(update(_T).where(_T.c.id.in_(some)).values(state=STALE, decided_at=now))
    return len(gone)


def apart(connection: Connection) -> frozenset[tuple[str, str]]:
    """Return the pairs that a decision holds apart, under the ids by which both live on.

    Held apart are pairs that a person rejected, that identity refused, and that were merged and are two
    again: someone took the merge back.
    """
    query = select(_T.c.left_id, _T.c.right_id).where(_T.c.state.in_((REJECTED, REFUSED, MERGED)))
    pairs = [tuple(row) for row in connection.execute(query)]
    into: dict[str, str] = {}
    for some in chunks({id_ for pair in pairs for id_ in pair}):
        merged = select(profiles.c.id, profiles.c.merged_into).where(profiles.c.id.in_(some), profiles.c.merged_into.is_not(None))
        into.update({row.id: row.merged_into for row in connection.execute(merged)})
    live = (ordered(into.get(left, left), into.get(right, right)) for left, right in pairs)
    return frozenset(pair for pair in live if pair[0] != pair[1])


def get(connection: Connection, candidate_id: str) -> Candidate:
    """Return a pair by its id, or by the beginning of one that no other shares.

    Raises:
        NotFound: there is none, or more than one.
    """
    query = select(_T).where(_T.c.id.startswith(candidate_id, autoescape=True)).limit(2)
    rows = connection.execute(query).all()
    if len(rows) != 1:
        number = "more than one" if rows else "no"
        raise NotFound(f"{number} pair of the queue begins with {candidate_id}; sojourn resolve review --list shows them")
    return _of_row(rows[0])


def page(connection: Connection, state: str = PENDING, after: Candidate | None = None, limit: int = PAGE) -> list[Candidate]:
    """Return the next pairs in a state, the most probable first."""
    query = select(_T).where(_T.c.state == state)
    if after is not None:
        further = (_T.c.probability == after.probability) & (_T.c.id > after.id)
        query = query.where(or_(_T.c.probability < after.probability, further))
    rows = connection.execute(query.order_by(_T.c.probability.desc(), _T.c.id).limit(limit))
    return [_of_row(row) for row in rows]


def counts(connection: Connection) -> dict[str, int]:
    """Return how many pairs there are in each state."""
    found = {row[0]: row[1] for row in connection.execute(select(_T.c.state, func.count()).group_by(_T.c.state))}
    return {state: found.get(state, 0) for state in STATES}


def reject(connection: Connection, candidate_id: str, by: str, now: datetime) -> Candidate:
    """Say that two profiles are two persons; no run proposes them again.

    Raises:
        NotFound: there is no such pair.
        Conflict: they are merged already.
    """
    found = get(connection, candidate_id)
    if found.state == MERGED:
        raise Conflict(f"{found.id} is merged already; take the merge back with sojourn identity unmerge")
    if found.state != REJECTED:
        _decide(connection, found.id, REJECTED, None, by, now)
    return get(connection, found.id)


def accept(connection: Connection, candidate_id: str, by: str, now: datetime, merge: MergeProfiles) -> Candidate:
    """Say that two profiles are one person's, and merge them; where identity refuses, the pair says why.

    Raises:
        NotFound: there is no such pair, or one of the two is gone.
        Conflict: another pair of the same two, as they live on, is held apart.
    """
    found = get(connection, candidate_id)
    if found.state == MERGED:
        return found
    pair = both(connection, found.left_id, found.right_id)
    if pair is not None and pair != (found.left_id, found.right_id) and ordered(*pair) in apart(connection):
        raise Conflict(f"{found.id} would join profiles that were held apart under other ids; accept that pair first")
    return _merge(connection, found, by, now, merge)


def merge_link(connection: Connection, pair: Pair, now: datetime, merge: MergeProfiles) -> Candidate:
    """Merge the two of a sure pair, unless it was decided otherwise in the meantime."""
    found = get(connection, pair.id)
    if found.state != PENDING:
        return found
    return _merge(connection, found, BY_RESOLUTION, now, merge)


def _merge(connection: Connection, found: Candidate, by: str, now: datetime, merge: MergeProfiles) -> Candidate:
    pair = both(connection, found.left_id, found.right_id)
    if pair is None:
        _decide(connection, found.id, MERGED, "they were one already", by, now)
        return get(connection, found.id)
    loser, winner = loser_and_winner(connection, *pair)
    because = f"resolution {found.id}, probability {found.probability:.4f}, by {by}"
    refusal = merge(connection, loser, winner, because, now, by_hand=by != BY_RESOLUTION)
    if refusal is not None and by == BY_RESOLUTION:
        _wait(connection, found.id, f"identity refused it: {refusal}")
    else:
        _decide(connection, found.id, MERGED if refusal is None else REFUSED, refusal, by, now)
    return get(connection, found.id)


def _wait(connection: Connection, candidate_id: str, reason: str) -> None:
    """Leave a pair to a person, who may know better than the limits."""
    connection.execute(update(_T).where(_T.c.id == candidate_id).values(reason=reason[:400]))


def _decide(connection: Connection, candidate_id: str, state: str, reason: str | None, by: str, now: datetime) -> None:
    values = {"state": state, "reason": None if reason is None else reason[:400], "decided_by": by, "decided_at": now}
    connection.execute(update(_T).where(_T.c.id == candidate_id).values(**values))


def _of_row(row: Row[Any]) -> Candidate:
    return Candidate(**{**row._mapping, "because": tuple(row.because)})
