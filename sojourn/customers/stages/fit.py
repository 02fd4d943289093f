"""Computes where the scores change: quantiles of recency, frequency and monetary value over the stored customers."""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Executable, Float, and_, bindparam, case, false, func, not_, select

from sojourn.errors import Terminal
from sojourn.language.conditions.sqljson import JsonNumber, Millionths, path_literal
from sojourn.language.conditions.sqlvalue import defined, json_value
from sojourn.language.conditions.tree import EventProperty, Net, Path
from sojourn.language.durations import parse_duration
from sojourn.language.stages_model import Cell, StagesModel
from sojourn.store.tables import events, profiles

PAGE = 5_000
_DAY = timedelta(days=1)
AXES = ("recency", "frequency", "monetary")


class TooFew(Terminal):
    """There are too few customers to say anything of them."""


@dataclass(frozen=True)
class Customers:
    """What was measured of everyone with a purchase in the window; the three run in step.

    Attributes:
        recency: days since the last purchase.
        frequency: purchases in the window.
        monetary: what they came to, less what was given back.
    """

    recency: array[float] = field(default_factory=lambda: array("d"))
    frequency: array[float] = field(default_factory=lambda: array("d"))
    monetary: array[float] = field(default_factory=lambda: array("d"))

    def __len__(self) -> int:
        return len(self.recency)


@dataclass(frozen=True)
class Fitted:
    """Cut points as they stand in the segments, rounded to what people read.

    Attributes:
        at: the moment that recency was measured at.
        people: customers that they were computed over.
        recency: days, rising: a last purchase younger than the first has the highest score.
        frequency: purchases, rising: more than the first has score 2 or more.
        monetary: amounts, rising: more than the first has score 2 or more.
        loyal_purchases: from how many on someone is loyal.
        risk_purchases: from how many on a silent customer is at risk.
        recent_days: up to how many a purchase is recent.
        dormant_days: silence beyond them is dormancy.
        interest_within: how long a sign of interest counts, as it stands in the segments.
        version: the same for the same file and the same cut points.
        adapted: what of the file gave way to the customers' rhythm, as sentences.
    """

    at: datetime
    people: int
    recency: tuple[float, ...]
    frequency: tuple[int, ...]
    monetary: tuple[float, ...]
    loyal_purchases: int
    risk_purchases: int
    recent_days: float
    dormant_days: float
    interest_within: str
    version: str
    adapted: tuple[str, ...] = ()

    def scores(self, days: float, purchases: float, spent: float) -> Cell:
        """Return the RFM scores of a customer, 1 the lowest."""
        recency = len(self.recency) + 1 - bisect_right(self.recency, days)
        return recency, bisect_left(self.frequency, purchases) + 1, bisect_left(self.monetary, spent) + 1

    def grid(self, customers: Customers) -> Counter[Cell]:
        """Return how many customers are in each cell."""
        return Counter(map(self.scores, customers.recency, customers.frequency, customers.monetary))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return a quantile of sorted numbers, linear between two (Hyndman and Fan's type 7, as numpy's)."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def pages(connection: Connection, size: int = PAGE) -> Iterator[tuple[str, str, int]]:
    """Return everyone in ranges of profile ids: after, up to, and how many; each costs the same, however many came before."""
    living = select(profiles.c.id).where(profiles.c.merged_into.is_(None), profiles.c.id > bindparam("after"))
    ids = living.order_by(profiles.c.id).limit(size)
    after = ""
    while found := list(connection.execute(ids, {"after": after}).scalars()):
        yield after, found[-1], len(found)
        after = found[-1]


def measure(connection: Connection, model: StagesModel, at: datetime, advanced: Callable[[int], None] = lambda _: None) -> Customers:
    """Return recency, frequency and monetary value of everyone with a purchase in the window before a moment.

    Args:
        connection: of a reading transaction.
        model: which event is a purchase, and the window.
        at: the moment; what came later does not count.
        advanced: told after each page how many people were looked at.
    """
    customers = Customers()
    query = _purchases(model, at)
    for after, upto, count in pages(connection):
        for last, purchases, spent in connection.execute(query, {"after": after, "upto": upto}):
            customers.recency.append((at - last) / _DAY)
            customers.frequency.append(purchases)
            customers.monetary.append(float(spent or 0.0))
        advanced(count)
    return customers


def _purchases(model: StagesModel, at: datetime) -> Executable:
    purchase = model.purchase
    bought = events.c.name == purchase.event
    spent = _amount(bought, (purchase.value,))
    net = purchase.spent(model.window)
    refunds = net.refunds if isinstance(net, Net) else ()
    for refund in refunds:
        assert isinstance(refund.of, EventProperty)
        given, own = events.c.name == refund.event, refunds[0].of
        if refund.where is not None:  # it lacks the property of the first
            assert isinstance(own, EventProperty)
            given = and_(given, not_(defined(json_value(events.c.properties, own.path))))
        spent = spent - _amount(given, refund.of.path)
    names = [purchase.event, *([] if purchase.minus is None else [purchase.minus])]
    purchases = func.count(case((bought, 1)))
    return (
        select(func.max(case((bought, events.c.time)), type_=events.c.time.type), purchases, spent / 1_000_000.0)
        .where(
            events.c.profile_id > bindparam("after"),
            events.c.profile_id <= bindparam("upto"),
            events.c.name.in_(names),
            events.c.time > at - parse_duration(model.window),
            events.c.time <= at,
            events.c.machine == false(),
        )
        .group_by(events.c.profile_id)
        .having(purchases > 0)
    )


def _amount(where: ColumnElement[bool], path: Path) -> ColumnElement[float]:
    return func.coalesce(func.sum(case((where, Millionths(JsonNumber(events.c.properties, path_literal(path)))))), 0.0, type_=Float())


def fit(model: StagesModel, customers: Customers, at: datetime) -> Fitted:
    """Return the cut points of the file's quantiles over the customers.

    Raises:
        TooFew: fewer than the file's minimum.
        Terminal: the stages would overlap; says which line of the file to change.
    """
    if len(customers) < model.minimum:
        raise TooFew(
            f"{len(customers)} customers bought within {model.window}, and quantiles need {model.minimum}; "
            "keep the segments as they are until there are more, or lower `minimum` in stages.yaml"
        )
    days, purchases, spent = (sorted(getattr(customers, axis)) for axis in AXES)
    stages = model.stages
    recency = tuple(_days(quantile(days, share)) for share in model.quantiles.recency)
    frequency = tuple(math.floor(quantile(purchases, share)) for share in model.quantiles.frequency)
    monetary = tuple(round(quantile(spent, share), 2) for share in model.quantiles.monetary)
    loyal = max(math.ceil(quantile(purchases, stages.loyalty.frequency)), stages.loyalty.at_least)
    risk = max(math.ceil(quantile(purchases, stages.at_risk.frequency)), stages.at_risk.at_least)
    windows = _windows(model, days)
    numbers = (recency, frequency, monetary, loyal, risk, windows.recent, windows.dormant)
    said = model.model_dump(mode="json", by_alias=True)
    said["purchase"] = {key: value for key, value in said["purchase"].items() if value is not None}  # older files keep their version
    text = json.dumps([said, numbers], sort_keys=True)
    version = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Fitted(
        at, len(customers), recency, frequency, monetary, loyal, risk, windows.recent, windows.dormant, windows.interest, version,
        windows.adapted,
    )  # fmt: skip


@dataclass(frozen=True)
class _Windows:
    recent: float
    dormant: float
    interest: str
    adapted: tuple[str, ...] = ()


def _windows(model: StagesModel, days: Sequence[float]) -> _Windows:
    """Return windows in order: what is recent, and what shows interest, ends before dormancy begins.

    Where dormancy is a quantile it follows the customers' rhythm, and so must the windows beside it: a shop that sells
    every few days has dormant customers sooner than a plain `30d` of interest ends. Where it is a plain duration, the
    file contradicts itself or its customers, and its author decides.
    """
    stages = model.stages
    recent = _days(quantile(days, stages.loyalty.recency))
    interest = parse_duration(stages.interest_within) / _DAY
    if stages.dormant.after is not None:
        dormant = parse_duration(stages.dormant.after) / _DAY
        if dormant <= max(recent, interest):
            raise Terminal(_refusal(stages.interest_within, dormant, recent, interest))
        return _Windows(recent, dormant, stages.interest_within)
    assert stages.dormant.quantile is not None
    dormant = _days(quantile(days, stages.dormant.quantile))
    adapted = []
    if dormant <= recent:  # so many bought at one time that both quantiles fall on it
        adapted.append(
            f"dormancy begins after {2 * recent:g} days, twice the time that a purchase is recent: its quantile "
            f"{stages.dormant.quantile:g} falls on the same {dormant:g} days; to say it yourself, write "
            f"`dormant: {{after: {math.ceil(2 * recent)}d}}` in stages.yaml"
        )
        dormant = round(2 * recent, 1)
    if interest < dormant:
        return _Windows(recent, dormant, stages.interest_within, tuple(adapted))
    half = _days(dormant / 2)
    adapted.append(
        f"a sign of interest counts for {half:g} days, half the {dormant:g} days after which dormancy begins: "
        f"`interest_within: {stages.interest_within}` is longer than these customers' rhythm"
    )
    return _Windows(recent, dormant, f"{half:g}d", tuple(adapted))


def _refusal(within: str, dormant: float, recent: float, interest: float) -> str:
    """Return what is wrong where dormancy is a plain duration, with the line to write."""
    if recent < dormant:
        longest = f"{_days(dormant / 2):g}d"
        way = f"write `interest_within: {longest}`, or a `dormant: {{after: …}}` longer than {within}"
    else:
        way = f"write `dormant: {{after: {math.ceil(2 * max(recent, interest))}d}}`, or a lower recency of `loyalty`"
    return (
        f"dormancy would begin after {dormant:g} days, before a purchase ({recent:g} days) or interest ({interest:g} days) is "
        f"no longer recent; {way}, in stages.yaml"
    )


def _days(days: float) -> float:
    """Return days to the tenth, at least one tenth: `did` needs a window longer than nothing."""
    return max(round(days, 1), 0.1)


__all__ = ["AXES", "Customers", "Fitted", "TooFew", "fit", "measure", "pages", "quantile"]
