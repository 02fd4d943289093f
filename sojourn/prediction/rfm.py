"""RFM: recency, frequency and monetary value of orders, each in five steps (Hughes, Strategic Database Marketing, 1994)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from sojourn.language.conditions import Facts
from sojourn.language.conditions.closures import compile_value
from sojourn.language.conditions.tree import Node
from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, Name, Text
from sojourn.language.stages_model import Purchase
from sojourn.prediction.score import Score, shown

POINTS = 5
_WORST, _BEST = 3, 15
_DAY = timedelta(days=1)


class Rfm(Purchase):
    """The cut points of an RFM score; four of each, rising."""

    model: Name = "rfm"
    kind: Literal["rfm"] = "rfm"
    description: Text = "How good a customer someone is: recency, frequency and value of orders."
    value: str = "revenue"
    window: DurationText = "730d"
    recency: tuple[DurationText, ...] = Field(default=("30d", "60d", "120d", "240d"), min_length=4, max_length=4)
    frequency: tuple[int, ...] = Field(default=(2, 3, 5, 8), min_length=4, max_length=4)
    monetary: tuple[float, ...] = Field(default=(50, 150, 400, 1000), min_length=4, max_length=4)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        parse_duration(self.window)
        cuts = {"recency": [parse_duration(cut) for cut in self.recency], "frequency": self.frequency, "monetary": self.monetary}
        for name, points in cuts.items():
            if list(points) != sorted(points):  # type: ignore[type-var]
                raise ValueError(f"`{name}`: cut points must rise")
        return self

    def asks(self) -> list[Node]:
        """Return what it asks of a person, as trees of the conditions' language."""
        return [self.spent(self.window)]

    def score(self, facts: Facts) -> Score:
        """Return (R + F + M - 3) / 12, or 0 where there is no order."""
        orders = facts.history.events(self.event, facts.now - parse_duration(self.window), facts.now)
        if not orders:
            return Score(0.0, f"no order within {self.window}")
        age = facts.now - orders[-1].time
        spent = compile_value(self.spent(self.window))(None, facts, {})
        recency = POINTS - bisect_left([parse_duration(cut) for cut in self.recency], age)
        frequency = 1 + bisect_right(self.frequency, len(orders))
        monetary = 1 + bisect_right(self.monetary, spent)
        value = (recency + frequency + monetary - _WORST) / (_BEST - _WORST)
        many = "order" if len(orders) == 1 else "orders"
        words = f"{len(orders)} {many} worth {shown(spent)} within {self.window}, the last {shown(age // _DAY)} days ago"
        return Score(round(value, 4), f"R{recency} F{frequency} M{monetary}: {words}")
