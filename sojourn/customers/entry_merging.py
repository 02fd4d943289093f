"""What becomes of the journeys of two profiles that turn out to be one person's: one entry of each journey and key goes on.

It is the older, as if the two had been one from the beginning: then the trigger of the younger would have let nobody in.
Where a journey restarts on a new trigger, it is the younger. The other ends as `merged`, in the transaction of the merge;
its workflow is told, and what it has planned is withdrawn, by the outbox.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from sojourn.language.durations import parse_duration
from sojourn.store import locks
from sojourn.store.tables import definitions, entries, events, outbox

MERGED = "merged"  # how an entry ends whose owner turned out to be one with someone on the same journey; also the outbox's call
WORKFLOWS = "journey:"  # how the workflow ids of entries begin that have a workflow of their own

_OF_PEOPLE = (
    select(entries, events.c.seq)
    .outerjoin(events, events.c.id == entries.c.trigger_id)
    .where(entries.c.profile_id.in_(bindparam("people", expanding=True)))
    .order_by(entries.c.started_at, entries.c.id)
)
_BODIES = select(definitions.c.version, definitions.c.body).where(definitions.c.version.in_(bindparam("versions", expanding=True)))
_CHANGE = update(entries).where(entries.c.id == bindparam("entry"))


@dataclass(frozen=True)
class Walk:
    """An entry, as far as it matters to whether another may begin.

    Attributes:
        subject: the profile that it began under.
        ended_at: when it ended; None while it runs.
        again_after: how long after its beginning another may begin; None: never.
        restarts: whether a new trigger ends the one that runs.
        turn: which of several of one moment came first.
    """

    id: str
    subject: str
    started_at: datetime
    ended_at: datetime | None
    again_after: timedelta | None = None
    restarts: bool = False
    turn: int = 0


def superfluous(walks: Iterable[Walk]) -> dict[str, str]:
    """Return which entries of a person, of one journey and key, there would not be had it always been one person.

    Args:
        walks: all of them.

    Returns:
        By the id of an entry that is one too many, the one that stands in its place.
    """
    found: dict[str, str] = {}
    kept: list[Walk] = []
    for walk in sorted(walks, key=_age):
        instead = _instead(walk, kept)
        if instead is None:
            kept.append(walk)
        else:
            found[walk.id] = instead.id
    running = [walk for walk in kept if walk.ended_at is None]
    if len(running) > 1:
        stays = running[-1] if running[-1].restarts else running[0]
        found.update({walk.id: stays.id for walk in running if walk is not stays})
    return found


def _age(walk: Walk) -> tuple[datetime, float, int, str]:
    """Return what is less for the older; of two of one moment the one that runs, or ran longer: it was chosen when they met."""
    return walk.started_at, -walk.ended_at.timestamp() if walk.ended_at is not None else -math.inf, walk.turn, walk.id


def _instead(walk: Walk, kept: Sequence[Walk]) -> Walk | None:
    """Return the entry because of which this one would not have begun; what began under the same profile was let in rightly."""
    if not kept:
        return None
    on = next((other for other in reversed(kept) if other.ended_at is None or other.ended_at > walk.started_at), None)
    if on is not None:
        return None if walk.restarts or on.subject == walk.subject else on
    last = kept[-1]
    if last.subject == walk.subject:
        return None
    again = walk.again_after is not None and walk.started_at >= last.started_at + walk.again_after
    return None if again else last


@dataclass(frozen=True)
class _Rules:
    """What a journey's definition says of entering it again, and of its goal."""

    again_after: timedelta | None = None
    restarts: bool = False
    goal_within: timedelta | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> _Rules:
        enter, goal = body.get("enter") or {}, body.get("goal") or {}
        again, within = enter.get("again_after"), goal.get("within")
        return cls(
            None if again is None else parse_duration(again),
            enter.get("while_running") == "restart",
            None if within is None else parse_duration(within),
        )


@dataclass
class _Joined:
    """What is to be written of the entries of people who became one."""

    changed: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    calls: list[dict[str, Any]] = field(default_factory=list)


def join_entries(connection: Connection, into: Mapping[str, str], now: datetime) -> None:
    """End all but one entry of each journey and key of people who become one; their rows still bear the profiles of before.

    Args:
        connection: of the writing transaction that merges.
        into: by the profile that is merged, the one that lives on.
        now: the shop's moment.
    """
    people = sorted({*into, *into.values()})
    rows = connection.execute(_OF_PEOPLE, {"people": people}).all()
    groups: dict[tuple[str, str, str], list[Row[Any]]] = defaultdict(list)
    for row in rows:
        groups[into.get(row.profile_id, row.profile_id), row.journey, row.key].append(row)
    touching = [group for group in groups.values() if len({row.profile_id for row in group}) > 1]
    if not touching:
        return
    if locks.needed(connection):  # a worker may be about to end one
        locks.lock_rows(connection, entries, [row.id for group in touching for row in group])
        fresh = {row.id: row for row in connection.execute(_OF_PEOPLE, {"people": people})}
        touching = [[fresh[row.id] for row in group] for group in touching]
    rules = _rules(connection, {row.version for group in touching for row in group})
    joined = _Joined()
    for group in touching:
        _join(group, rules, joined, now)
    for entry_id, values in sorted(joined.changed.items()):
        connection.execute(_CHANGE.values(**values), {"entry": entry_id})
    if joined.calls:
        connection.execute(insert(outbox), joined.calls)


def _rules(connection: Connection, versions: Collection[str]) -> dict[str, _Rules]:
    found = {row.version: _Rules.of(row.body) for row in connection.execute(_BODIES, {"versions": list(versions)})}
    return {version: found.get(version, _Rules()) for version in versions}


def _join(group: Sequence[Row[Any]], rules: Mapping[str, _Rules], joined: _Joined, now: datetime) -> None:
    by_id = {row.id: row for row in group}
    goals = {row.id: row.goal_at for row in group}
    triggers = {row.trigger_id: row.id for row in reversed(group)}
    walks = [
        Walk(
            row.id, row.subject or row.profile_id, row.started_at, None if row.state == "running" else row.ended_at or row.started_at,
            rules[row.version].again_after, rules[row.version].restarts, row.seq or 0,
        )
        for row in group
    ]  # fmt: skip
    for one, other in sorted(superfluous(walks).items()):
        row, stays = by_id[one], by_id[other]
        values = joined.changed[one]
        if row.state == "running":
            because = f"its owner turned out to be one person with whoever began the entry {other}, which goes on"
            values.update(state="ended", outcome=MERGED, because=because, ended_by=None, ended_at=now)
            if row.workflow_id.startswith(WORKFLOWS):
                until = None if row.delayed_until is None else row.delayed_until.isoformat()
                body = {"because": because, "delayed_until": until, "at": now.isoformat()}
                joined.calls.append({"kind": MERGED, "entry_id": one, "workflow_id": row.workflow_id, "body": body, "at": now})
        if row.goal_at is not None:
            # One purchase is one goal, the one of the entry that stays, where it falls into its time.
            values.update(goal_at=None, goal_event_id=None, goal_value=None)
            within, sooner = rules[stays.version].goal_within, goals[other] is None or row.goal_at < goals[other]
            if within is not None and stays.started_at <= row.goal_at <= stays.started_at + within and sooner:
                goals[other] = row.goal_at
                joined.changed[other].update(goal_at=row.goal_at, goal_event_id=row.goal_event_id, goal_value=row.goal_value)
        if triggers[row.trigger_id] != one or stays.trigger_id == row.trigger_id:
            values["trigger_id"] = f"{MERGED}:{one}"  # of a broadcast, both were begun by one thing
        if not values:
            del joined.changed[one]


__all__ = ["MERGED", "Walk", "join_entries", "superfluous"]
