"""Measures behaviour: one row of numbers for each person, by SQL aggregates over pages of people."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, case, false, func, select, type_coerce

from sojourn.customers.stages.fit import pages
from sojourn.language.clusters_model import DAYS, ClustersModel, Feature
from sojourn.language.conditions.sqljson import JsonNumber, JsonText, Millionths, path_literal
from sojourn.language.durations import parse_duration
from sojourn.language.moments import zone_named
from sojourn.store.tables import events, profiles

MONTH = 30.44  # days
_HOUR = 3_600_000_000  # microseconds
_WEEK_HOURS = 168
_EPOCH_HOUR = 3 * 24  # 1 January 1970 was a Thursday: its first hour is the 72nd of a week that begins on Monday
_DAY = timedelta(days=1)
_CLOCKED = ("share_of_days", "share_of_hours")
PAGE = 2_000


@dataclass(frozen=True)
class Behaviour:
    """What was measured; row i of `values` is person i.

    Attributes:
        ids: profile ids.
        values: rows one after another, each as long as `features`.
        features: names of the columns.
    """

    features: tuple[str, ...]
    ids: list[str] = field(default_factory=list)
    values: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.ids)


def behaviour(
    connection: Any, model: ClustersModel, at: datetime, shop_zone: str, advanced: Callable[[int], None] = lambda _: None
) -> Behaviour:
    """Return the behaviour of everyone who did any of what the features measure, within the window before a moment.

    Hours and days are local: of the person's own zone, else the shop's, with the offset that the zone has at
    that moment (half a year away it may be an hour more or less).

    Args:
        connection: of a reading transaction.
        model: the features and the window.
        at: the moment; what came later does not count.
        shop_zone: of people whose own is unknown.
        advanced: told after each page how many people were looked at.
    """
    found = Behaviour(tuple(feature.feature for feature in model.features))
    query, clocks = _measured(model, at), _clocks(model, at)
    window = parse_duration(model.window) / _DAY
    for after, upto, count in pages(connection, PAGE):
        page = {"after": after, "upto": upto}
        hours = {names: _hours(connection, clock, page) for names, clock in clocks.items()}
        for row in connection.execute(query, page).mappings():
            tenure = (at - min(row["first_seen"], row["first_event"])) / _DAY
            known = _Known(row, window, tenure, at, _offset(row["zone"] or shop_zone, shop_zone, at))
            found.ids.append(row["profile_id"])
            found.values.extend(_value(i, feature, known, hours) for i, feature in enumerate(model.features))
        advanced(count)
    return found


@dataclass(frozen=True)
class _Known:
    row: Mapping[Any, Any]
    window: float  # days
    tenure: float  # days
    at: datetime
    offset: int  # hours from UTC


def _value(i: int, feature: Feature, known: _Known, hours: Mapping[tuple[str, ...], Mapping[str, list[int]]]) -> float:
    part = known.row.get(f"f{i}")
    match feature.measure:
        case "tenure":
            return max(known.tenure, 0.0)
        case "days_since_last":  # someone who never did it is taken for one who last did before the window
            return known.window if part is None else (known.at - part) / _DAY
        case "share":
            of = known.row[f"among{i}"] or 0
            return float(part or 0) / of if of else 0.0
        case "share_of_days" | "share_of_hours":
            week = hours[feature.events].get(known.row["profile_id"])
            return _share(feature, week, known.offset) if week else 0.0
    value = float(part or 0.0)
    months = max(min(known.window, known.tenure), MONTH) / MONTH
    return value / months if feature.per == "month" else value


def _share(feature: Feature, week: list[int], offset: int) -> float:
    days = {DAYS.index(day) for day in feature.days}
    low, high = feature.hours or (0, 24)
    meant = 0
    for hour, count in enumerate(week):
        local = (hour + offset) % _WEEK_HOURS
        if (not days or local // 24 in days) and low <= local % 24 < high:
            meant += count
    return meant / sum(week)


def _offset(zone: str, otherwise: str, at: datetime) -> int:
    try:
        found: Any = zone_named(zone)
    except ValueError:
        found = ZoneInfo(otherwise)
    return round((at.astimezone(found).utcoffset() or timedelta()) / timedelta(hours=1))


def _measured(model: ClustersModel, at: datetime) -> Select[Any]:
    columns: list[ColumnElement[Any]] = [
        events.c.profile_id,
        profiles.c.first_seen,
        profiles.c.zone,
        func.min(events.c.time, type_=events.c.time.type).label("first_event"),
    ]
    for i, feature in enumerate(model.features):
        if feature.measure == "tenure" or feature.measure in _CLOCKED:
            continue
        columns.append(_column(feature).label(f"f{i}"))
        if feature.among:
            columns.append(_count(events.c.name.in_(feature.among)).label(f"among{i}"))
    names = sorted({name for feature in model.features for name in (*feature.events, *feature.among)})
    return (
        select(*columns)
        .select_from(events.join(profiles, profiles.c.id == events.c.profile_id))
        .where(*_window(model, at, names))
        .group_by(events.c.profile_id, profiles.c.first_seen, profiles.c.zone)
        .order_by(events.c.profile_id)
    )


def _window(model: ClustersModel, at: datetime, names: list[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        events.c.profile_id > bindparam("after"),
        events.c.profile_id <= bindparam("upto"),
        events.c.name.in_(names),
        events.c.time > at - parse_duration(model.window),
        events.c.time <= at,
        events.c.machine == false(),
    )


def _column(feature: Feature) -> ColumnElement[Any]:
    here = events.c.name.in_(feature.events)
    path = path_literal((feature.of,)) if feature.of is not None else None
    match feature.measure:
        case "count":
            return _count(here)
        case "days_since_last":
            return func.max(case((here, events.c.time)), type_=events.c.time.type)
        case "share":
            return _count(here if path is None else and_(here, JsonNumber(events.c.properties, path) > 0))
    assert path is not None
    if feature.measure == "sum":
        return func.sum(case((here, Millionths(JsonNumber(events.c.properties, path))))) / 1_000_000.0
    texts, numbers = JsonText(events.c.properties, path), JsonNumber(events.c.properties, path)
    return func.count(case((here, texts)).distinct()) + func.count(case((here, numbers)).distinct())


def _count(where: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((where, 1)))


def _clocks(model: ClustersModel, at: datetime) -> dict[tuple[str, ...], Select[Any]]:
    hour = (type_coerce(events.c.time, BigInteger) // _HOUR + _EPOCH_HOUR) % _WEEK_HOURS
    return {
        names: select(events.c.profile_id, hour.label("hour"), func.count())
        .where(*_window(model, at, list(names)))
        .group_by(events.c.profile_id, hour)
        for names in {feature.events for feature in model.features if feature.measure in _CLOCKED}
    }


def _hours(connection: Any, query: Select[Any], page: Mapping[str, str]) -> dict[str, list[int]]:
    """Return how many events each person of a page had in each hour of the week, in UTC; hour 0 is Monday's first."""
    found: dict[str, list[int]] = defaultdict(lambda: [0] * _WEEK_HOURS)
    for profile_id, hour, count in connection.execute(query, page):
        found[profile_id][int(hour)] += count
    return found


def rows(found: Behaviour) -> Iterator[list[float]]:
    """Yield the people's rows."""
    width = len(found.features)
    for start in range(0, len(found.values), width):
        yield list(found.values[start : start + width])


__all__ = ["MONTH", "Behaviour", "behaviour", "rows"]
