"""What became of messages once they were sent: by content, journey, provider, domain of the recipient, and segment.

Facts come from the ledger (accepted sends) and from the events about them in people's history. Each message counts once
for each thing that happened to it. What a machine opened or clicked counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, false, func, select, type_coerce

from sojourn.delivery.brakes import BOUNCE, BOUNCED, SPAM, kind_of
from sojourn.delivery.engagement import CLICKED, DELIVERED, OPENED, UNSUBSCRIBED
from sojourn.delivery.ledger import State
from sojourn.language import email_address
from sojourn.store.tables import events, messages, segment_members, sends

DAY = timedelta(days=1)
_DAY_MICROS = 86_400_000_000
MOST_ROWS = 1_000
NAMES = {DELIVERED: "delivered", OPENED: "opened", CLICKED: "clicked", SPAM: "complained", UNSUBSCRIBED: "unsubscribed"}


class By(StrEnum):
    """What messages are told apart by."""

    CONTENT = "content"
    JOURNEY = "journey"
    PROVIDER = "provider"
    DOMAIN = "domain"
    SEGMENT = "segment"


@dataclass(frozen=True)
class Row:
    """What became of the messages of one group.

    Attributes:
        name: of the group.
        sent: accepted by the provider.
        delivered: as the provider says.
        hard: hard bounces.
        soft: soft bounces.
        complained: marked as spam.
        opened: by a person.
        clicked: by a person.
        unsubscribed: by a link of the message.
    """

    name: str
    sent: int = 0
    delivered: int = 0
    hard: int = 0
    soft: int = 0
    complained: int = 0
    opened: int = 0
    clicked: int = 0
    unsubscribed: int = 0

    def share(self, what: str) -> float:
        """Return a count as a share of what was sent."""
        return float(getattr(self, what)) / self.sent if self.sent else 0.0


def deliverability(connection: Connection, by: By, since: datetime, until: datetime) -> list[Row]:
    """Return what became of the messages that were sent in a time, the largest group first.

    Args:
        connection: of a reading transaction.
        by: what they are told apart by; a message to someone in several segments counts in each.
        since: from then on.
        until: before then.
    """
    group = _group(connection.dialect.name, by)
    sent = _sends(select(group.label("name"), func.count()), by, since, until).group_by(group).order_by(func.count().desc())
    shown = email_address.unicode_domain if by is By.DOMAIN else str
    rows = {name: Row(shown(str(name)), count) for name, count in connection.execute(sent.limit(MOST_ROWS))}
    return list(_filled(connection, rows, group, by, since, until).values())


def by_day(connection: Connection, since: datetime, until: datetime) -> list[tuple[date, Row]]:
    """Return what became of each day's messages (of UTC), oldest first, days without any among them."""
    group: ColumnElement[Any] = type_coerce(sends.c.claimed_at, BigInteger) // _DAY_MICROS
    counted = _sends(select(group, func.count()), By.JOURNEY, since, until).group_by(group)
    rows = {day: Row(str(day), count) for day, count in connection.execute(counted)}
    filled = _filled(connection, rows, group, By.JOURNEY, since, until)
    first = since.astimezone(UTC).date()
    days = [first + i * DAY for i in range((until.astimezone(UTC).date() - first).days + 1)]
    return [(day, filled.get((day - date(1970, 1, 1)).days, Row(str(day)))) for day in days]


def latest(connection: Connection) -> datetime | None:
    """Return the moment just after the last message was sent; None where none ever was."""
    last = connection.execute(select(func.max(sends.c.claimed_at)).where(sends.c.state == State.ACCEPTED.value)).scalar()
    return None if last is None else last + timedelta(microseconds=1)


def total(rows: Iterable[Row]) -> Row:
    """Return the sum of groups that have no message in common."""
    whole = Row("all")
    for row in rows:
        whole = replace(whole, **{name: getattr(whole, name) + getattr(row, name) for name in Row.__dataclass_fields__ if name != "name"})
    return whole


def _filled(
    connection: Connection, rows: dict[Any, Row], group: ColumnElement[Any], by: By, since: datetime, until: datetime
) -> dict[Any, Row]:
    """Add to groups what events tell of their messages."""
    happened = _about(select(group, events.c.name, func.count(sends.c.key.distinct())), by, since, until)
    for name, event, count in connection.execute(happened.where(events.c.name.in_(list(NAMES))).group_by(group, events.c.name)):
        if name in rows:
            rows[name] = replace(rows[name], **{NAMES[event]: count})
    bounced = _about(select(group, sends.c.key, events.c.properties), by, since, until).where(events.c.name == BOUNCED)
    hard: dict[Any, set[str]] = {}
    soft: dict[Any, set[str]] = {}
    for name, key, properties in connection.execute(bounced):
        (hard if kind_of(BOUNCED, properties) == BOUNCE else soft).setdefault(name, set()).add(key)
    for name, row in rows.items():
        failed = hard.get(name, set())
        rows[name] = replace(row, hard=len(failed), soft=len(soft.get(name, set()) - failed))
    return rows


def _group(dialect: str, by: By) -> ColumnElement[Any]:
    if by is By.DOMAIN:
        address = messages.c.to_address
        if dialect == "postgresql":
            return func.lower(func.split_part(address, "@", 2))
        return func.lower(func.substr(address, func.instr(address, "@") + 1))
    if by is By.SEGMENT:
        return segment_members.c.segment.expression
    if by is By.PROVIDER:
        return func.coalesce(sends.c.provider, "?")
    return sends.c[by.value].expression


def _sends(query: Select[Any], by: By, since: datetime, until: datetime) -> Select[Any]:
    return _of(query.select_from(sends), by, since, until)


def _about(query: Select[Any], by: By, since: datetime, until: datetime) -> Select[Any]:
    return _of(query.select_from(sends).join(events, events.c.send_key == sends.c.key), by, since, until).where(events.c.machine == false())


def _of(query: Select[Any], by: By, since: datetime, until: datetime) -> Select[Any]:
    if by is By.DOMAIN:
        query = query.join(messages, messages.c.send_key == sends.c.key)
    elif by is By.SEGMENT:
        query = query.join(segment_members, segment_members.c.profile_id == sends.c.profile_id)
    return query.where(sends.c.state == State.ACCEPTED.value, sends.c.claimed_at >= since, sends.c.claimed_at < until)
