"""Writes down whom a broadcast goes to: a page of people at a time, each with the moment before which nothing is sent to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from sqlalchemy import BigInteger, Connection, case, func, literal, select, update

from sojourn.broadcasts.standing import State, begin_running, look
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.conditions import Calendar, Condition, parse
from sojourn.language.conditions.expression import Tree, expand_condition
from sojourn.language.moments import zone_named
from sojourn.store.bulk import insert_from
from sojourn.store.tables import broadcast_recipients, broadcasts, profiles
from sojourn.store.types import to_micros

LANES = 8  # among which recipients are shared out; each is sent to by one activity at a time
PAGE = 5_000
WAITING = "waiting"


def gather_page(
    connection: Connection,
    broadcast_id: str,
    conditions: Mapping[str, Condition],
    computed: Mapping[str, Tree],
    calendar: Calendar,
    now: datetime,
    size: int = PAGE,
) -> int:
    """Write down the recipients among the next people, and return how many people were looked at; 0: that was all, or it is not wanted.

    Args:
        connection: of a writing transaction.
        broadcast_id: which.
        conditions: those of all segments.
        computed: the trees of computed traits.
        calendar: the shop's: how the condition reads moments, and the zone of people whose own is not known.
        now: the moment as of which the condition is asked.
        size: how many people at most.
    """
    standing = look(connection, broadcast_id)
    if standing.state is not State.GATHERING:
        return 0
    cursor = connection.execute(select(broadcasts.c.cursor).where(broadcasts.c.id == broadcast_id)).scalar_one()
    chosen = (
        select(profiles.c.id.label("one"))
        .where(profiles.c.id > cursor, profiles.c.merged_into.is_(None))
        .order_by(profiles.c.id)
        .limit(size)
    )
    page = chosen.subquery()
    count, last = connection.execute(select(func.count(), func.max(page.c.one))).one()
    if not count:
        begin_running(connection, broadcast_id, now)
        return 0
    broadcast = standing.broadcast
    condition = expand_condition(parse(broadcast.to), computed).by(calendar)
    # By the ends of the page, and not by its people: SQLite would look at everybody for these.
    here = (profiles.c.id > cursor, profiles.c.id <= last, profiles.c.merged_into.is_(None))
    zones = list(connection.execute(select(profiles.c.zone).where(*here).distinct()).scalars()) if broadcast.zone == "person" else []
    beginnings = {zone: to_micros(_begins(broadcast, zone, calendar.zone)) for zone in zones if zone is not None}
    due = literal(to_micros(broadcast.begins(calendar.zone)), BigInteger())
    rows = select(
        literal(broadcast_id),
        profiles.c.id,
        func.row_number().over(order_by=profiles.c.id) % LANES,
        literal(WAITING),
        case(beginnings, value=profiles.c.zone, else_=due) if beginnings else due,
    ).where(*here, condition.sql(now, conditions))
    insert_from(connection, broadcast_recipients, ["broadcast_id", "profile", "lane", "state", "due"], rows)
    connection.execute(update(broadcasts).where(broadcasts.c.id == broadcast_id).values(cursor=last))
    return int(count)


def _begins(broadcast: Broadcast, zone: str, shop_zone: tzinfo) -> datetime:
    try:
        return broadcast.begins(zone_named(zone))
    except ValueError:  # what a client said is a zone, and is none
        return broadcast.begins(shop_zone)
