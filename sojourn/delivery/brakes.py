"""Brakes: too many complaints or hard bounces halt a journey, or the whole shop, by themselves, and say so.

What goes wrong is counted as it is heard of (`notice`, in the router's transaction): one incident for each message and
kind, however often it is told. Only then is the share looked at, and only as many sends are counted as it takes to know
that it is below the alarm. The gate asks nothing but whether a brake is on (`standing`). A person releases it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import structlog
from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, func, insert, or_, select, true, update

from sojourn.delivery.gate import BrakeFact
from sojourn.delivery.ledger import COUNTED
from sojourn.errors import NotFound
from sojourn.language.durations import parse_duration
from sojourn.language.shop import TRANSACTIONAL, BrakeRule, Brakes, share
from sojourn.metrics import metrics
from sojourn.store.bulk import insert_new
from sojourn.store.tables import brakes, incidents, sends

WHOLE_SHOP = "*"
BOUNCE, COMPLAINT = "bounce", "complaint"
ALARM, HALT = "alarm", "halt"
BOUNCED, SPAM = "Email Bounced", "Email Marked as Spam"
_SOFT = frozenset({"soft", "transient", "temporary", "deferred", "delayed"})
_MOST_SHOWN = 200

log = structlog.get_logger(__name__)

_STANDING = (
    select(brakes.c.journey, brakes.c.because)
    .where(
        or_(brakes.c.journey == bindparam("braked"), brakes.c.journey == WHOLE_SHOP),
        brakes.c.released_at.is_(None),
        brakes.c.level == HALT,
    )
    .order_by(brakes.c.journey.desc())  # the journey's own before the whole shop's
    .limit(1)
)

# The same as columns of another statement, which has the parameter `braked`.
ON_JOURNEY = _STANDING.with_only_columns(brakes.c.journey).scalar_subquery().label("braked_journey")
ON_BECAUSE = _STANDING.with_only_columns(brakes.c.because).scalar_subquery().label("braked_because")
_ON = select(ON_JOURNEY, ON_BECAUSE)


@dataclass(frozen=True)
class Answer:
    """An event about a message: it bounced, or was marked as spam."""

    name: str
    send_key: str
    properties: dict[str, object]


@dataclass(frozen=True)
class Brake:
    """A brake, or an alarm, that was raised."""

    journey: str
    kind: str
    level: str
    share: float
    bad: int
    sent: int
    because: str
    at: datetime
    released_at: datetime | None = None
    released_because: str | None = None


def kind_of(name: str, properties: dict[str, object]) -> str | None:
    """Return what an event about a message counts as: a bounce where it is a hard one, a complaint, or nothing."""
    if name == SPAM:
        return COMPLAINT
    if name != BOUNCED or properties.get("hard") is False or properties.get("permanent") is False:
        return None
    said = {str(properties.get(key, "")).lower() for key in ("type", "bounce_type", "kind", "bounce")}
    return None if said & _SOFT else BOUNCE


def standing(conn: Connection, journey: str) -> BrakeFact | None:
    """Return the brake that is on for a journey, or for the whole shop; None where none is."""
    row = conn.execute(_STANDING, {"braked": journey}).one_or_none()
    return None if row is None else fact(row.journey, row.because)


def fact(journey: str | None, because: str | None) -> BrakeFact | None:
    """Return a brake as the gate knows it, from what `ON_JOURNEY` and `ON_BECAUSE` gave."""
    if journey is None or because is None:
        return None
    return BrakeFact("the whole shop" if journey == WHOLE_SHOP else journey, because)


def on(conn: Connection, journey: str) -> BrakeFact | None:
    """Return the brake that stands on a journey's messages; None where none does."""
    row = conn.execute(_ON, {"braked": journey}).one()
    return fact(row.braked_journey, row.braked_because)


def notice(conn: Connection, answers: Iterable[Answer], rules: Brakes, now: datetime) -> list[Brake]:
    """Count what went wrong with messages, and return the brakes and alarms that it raises.

    Args:
        conn: a writing transaction, of one at a time: the router's.
        answers: events, each about a message; the same one twice counts once.
        rules: the shop's.
        now: the shop's moment.
    """
    found = {(answer.send_key, kind) for answer in answers if (kind := kind_of(answer.name, answer.properties)) is not None}
    if not found:
        return []
    query = select(sends.c.key, sends.c.journey).where(sends.c.key.in_({key for key, _ in found}), sends.c.purpose != TRANSACTIONAL)
    journeys = {row.key: row.journey for row in conn.execute(query)}
    fresh = [{"send_key": key, "kind": kind, "journey": journeys[key], "at": now} for key, kind in sorted(found) if key in journeys]
    insert_new(conn, incidents, fresh)
    touched = {(row["journey"], row["kind"]) for row in fresh} | {(WHOLE_SHOP, row["kind"]) for row in fresh}
    raised = [brake for journey, kind in sorted(touched) if (brake := _look(conn, journey, kind, rules, now)) is not None]
    for brake in raised:
        log.warning("brake", journey=brake.journey, kind=brake.kind, brake=brake.level, share=round(brake.share, 5), sent=brake.sent)
        metrics().brakes.labels(brake.journey, brake.kind, brake.level).inc()
    return raised


def _look(conn: Connection, journey: str, kind: str, rules: Brakes, now: datetime) -> Brake | None:
    """Look at the share of one kind in one journey, and raise what it asks for where that does not stand already."""
    rule: BrakeRule = rules.complaints if kind == COMPLAINT else rules.bounces
    active = set(conn.execute(_of(journey, kind).where(brakes.c.released_at.is_(None)).with_only_columns(brakes.c.level)).scalars())
    if HALT in active:
        return None
    released = conn.execute(_of(journey, kind).with_only_columns(func.max(brakes.c.released_at))).scalar()
    since = max(moment for moment in (now - parse_duration(rules.within), released) if moment is not None)
    heard = select(func.count()).select_from(incidents).where(incidents.c.kind == kind, incidents.c.at > since)
    bad = conn.execute(heard.where(_in(incidents.c.journey, journey))).scalar_one()
    enough = max(math.ceil(bad / share(rule.alarm)) + 1, rules.at_least)
    counted = select(sends.c.key).where(
        _in(sends.c.journey, journey),
        sends.c.claimed_at > since,
        sends.c.state.in_([state.value for state in COUNTED]),
        sends.c.purpose != TRANSACTIONAL,
    )
    sent = conn.execute(select(func.count()).select_from(counted.limit(enough).subquery())).scalar_one()
    part = bad / sent if sent else 0.0
    level = HALT if part >= share(rule.halt) else ALARM if part >= share(rule.alarm) else None
    if sent < rules.at_least or level is None or level in active:
        return None
    what = "marked as spam" if kind == COMPLAINT else "bounced"
    limit = rule.halt if level == HALT else rule.alarm
    because = f"{bad} of {sent} messages in {rules.within} were {what} ({part:.2%}; {level} at {limit})".replace("were bounced", "bounced")
    row: dict[str, Any] = {
        "journey": journey, "kind": kind, "level": level, "share": part, "bad": bad, "sent": sent, "because": because, "at": now,
    }  # fmt: skip
    conn.execute(insert(brakes).values(id=str(uuid4()), **row))
    return Brake(**row)


def _of(journey: str, kind: str) -> Select[Any]:
    return select(brakes).where(brakes.c.journey == journey, brakes.c.kind == kind)


def _in(column: ColumnElement[str], journey: str) -> ColumnElement[bool]:
    return true() if journey == WHOLE_SHOP else column == journey


def listed(conn: Connection, *, every: bool = False) -> Sequence[Brake]:
    """Return the brakes and alarms that are on, the latest first; with `every` also those that were released."""
    query = select(brakes).order_by(case((brakes.c.released_at.is_(None), 0), else_=1), brakes.c.at.desc()).limit(_MOST_SHOWN)
    if not every:
        query = query.where(brakes.c.released_at.is_(None))
    return [Brake(**{name: value for name, value in row.items() if name != "id"}) for row in conn.execute(query).mappings()]


def release(conn: Connection, journey: str, because: str, now: datetime) -> int:
    """Release the brakes and alarms of a journey (`*`: of the whole shop); what went wrong until now counts no more.

    Raises:
        NotFound: none is on.
    """
    query = update(brakes).where(brakes.c.journey == journey, brakes.c.released_at.is_(None))
    count = conn.execute(query.values(released_at=now, released_because=because)).rowcount
    if not count:
        raise NotFound(f"no brake is on for {journey}; `sojourn brakes` lists those that are")
    log.warning("brake released", journey=journey)
    return int(count)
