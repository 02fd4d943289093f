"""Finds events that came twice: the same content, of the same person, within seconds, under different message ids."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import BigInteger, Connection, Text, and_, cast, func, select, type_coerce

from sojourn.intake.audit.noted import Note, Period, percent
from sojourn.language.conditions.sqljson import JsonNumber, JsonText, path_literal
from sojourn.store.tables import events
from sojourn.store.types import to_micros

NEAR = timedelta(seconds=10)
SHARE = 0.001  # of an event, below which it is chance
MIN = 5
ONE_AN_ORDER = ("Order Completed", "Order Cancelled")  # by Segment's specification; an order is refunded in parts


def note_duplicates(connection: Connection, period: Period) -> list[Note]:
    """Return which events come twice, as notes; one pass, whatever one person sends at one moment."""
    e = events.c
    time = type_coerce(e.time, BigInteger)
    within = and_(time >= to_micros(period.since), time < to_micros(period.until))
    content = (e.profile_id, e.name, cast(e.properties, Text))
    before = func.lag(time).over(partition_by=content, order_by=e.time)
    # Mail is opened twice by right.
    steps = select(e.name, time.label("time"), before.label("before")).where(within, e.kind == "track", e.send_key.is_(None)).subquery().c
    near = steps.time - steps.before <= int(NEAR.total_seconds() * 1_000_000)
    repeated = select(steps.name, func.count().label("twice")).where(near).group_by(steps.name)
    found = {row.name: int(row.twice) for row in connection.execute(repeated)}
    if not found:
        return []
    counted = select(e.name, func.count().label("events")).where(within, e.name.in_(list(found))).group_by(e.name)
    totals = {row.name: int(row.events) for row in connection.execute(counted)}
    return [
        Note("duplicates", name, _what(twice, totals[name]), _ADVICE, count=twice)
        for name, twice in sorted(found.items())
        if twice >= max(MIN, SHARE * totals[name])
    ]


def note_orders_twice(connection: Connection, period: Period) -> list[Note]:
    """Return how many orders came more than once under one order id, whenever and whatever else they said, as notes."""
    e = events.c
    path = path_literal(("order_id",))
    number = func.coalesce(JsonText(e.properties, path), cast(JsonNumber(e.properties, path), Text))
    within = and_(e.time >= period.since, e.time < period.until, e.kind == "track", e.name.in_(ONE_AN_ORDER))
    orders = select(e.name, number.label("number"), func.count().label("times")).where(within, number.is_not(None))
    counted = orders.group_by(e.name, number).having(func.count() > 1).subquery().c
    query = select(counted.name, func.count().label("orders"), func.sum(counted.times).label("events")).group_by(counted.name)
    return [
        Note(
            "duplicates", row.name, f"{row.orders} came more than once, in {row.events} events", _ORDER_ADVICE, "order_id", int(row.events)
        )
        for row in connection.execute(query.order_by(counted.name))
    ]


def _more_than_once(orders: int, events: int) -> str:
    return f"{orders} came more than once, in {events} events"


_ORDER_ADVICE = "send an order once; a change of it is another event, such as Order Updated. Sums and counts take each for an order"
_ADVICE = "send it once, or under one messageId. Look for a tag that is installed twice, or a retry that makes new ids"


def _what(twice: int, total: int) -> str:
    return f"{twice} ({percent(twice / total)}) repeat another of the same person and content within {NEAR.seconds} s"
