"""What `journeys/stages.yaml` may say: how customers are scored (RFM), how scores make groups, and where life-cycle stages begin.

The file says quantiles; `sojourn stages fit` turns them into numbers and writes those into segments.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from sojourn.language.conditions.tree import EventProperty, Net, Past
from sojourn.language.durations import parse_duration
from sojourn.language.model import DurationText, EventName, Model, Name, Text

Quantile = Annotated[float, Field(gt=0, lt=1)]
Quantiles = Annotated[tuple[Quantile, ...], Field(min_length=1, max_length=8, description="rising shares, such as [0.2, 0.4, 0.6, 0.8]")]
Scores = Annotated[tuple[int, ...], Field(description="the lowest and the highest score, such as [4, 5]")]
QUINTILES = (0.2, 0.4, 0.6, 0.8)
RFM, STAGE = "rfm_", "stage_"
STAGES = ("awareness", "consideration", "loyalty", "at_risk", "dormant")
Cell = tuple[int, int, int]
_SHOWN = 3


class Purchase(Model):
    """The event that is a purchase."""

    event: EventName = Field(default="Order Completed", description="the event that is a purchase")
    value: str = Field(default="revenue", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="its property that says what it came to")
    minus: EventName | None = Field(default=None, description="the event that gives back what was paid, such as Order Refunded")
    minus_value: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="its property that says how much; default: that of the purchase, or the other of revenue and total",
    )

    @model_validator(mode="after")
    def _minus_is_another(self) -> Self:
        if self.minus is None and self.minus_value is not None:
            raise ValueError("`minus_value` is the property of the event that `minus` names; write `minus: Order Refunded` too")
        if self.minus == self.event:
            raise ValueError(f"`minus` names the event that gives back, and not `{self.event}` itself")
        return self

    def spent(self, window: str) -> Past | Net:
        """Return what someone's purchases came to within a window, refunds taken off, as a tree of the conditions' language."""
        sold = Past("sum", self.event, EventProperty((self.value,)), parse_duration(window), window)
        given = None if self.minus_value is None else EventProperty((self.minus_value,))
        return sold if self.minus is None else Net(sold, self.minus, given)


class Cuts(Model):
    """The shares of customers at which a score changes."""

    recency: Quantiles = QUINTILES
    frequency: Quantiles = QUINTILES
    monetary: Quantiles = QUINTILES

    @field_validator("recency", "frequency", "monetary")
    @classmethod
    def _rise(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if list(quantiles) != sorted(set(quantiles)):
            raise ValueError("quantiles must rise, such as [0.2, 0.4, 0.6, 0.8]")
        return quantiles


class Group(Model):
    """A named set of RFM cells; 1 is the lowest score, and the most recent purchase has the highest recency score."""

    group: Name = Field(description="its name; the segment is called rfm_<name>", max_length=60)
    description: Text = Field(description="who they are, for people")
    recency: Scores | None = Field(default=None, description="recency scores from, to; default: any")
    frequency: Scores | None = Field(default=None, description="frequency scores from, to; default: any")
    monetary: Scores | None = Field(default=None, description="monetary scores from, to; default: any")

    @field_validator("recency", "frequency", "monetary")
    @classmethod
    def _from_to(cls, scores: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if scores is not None and (len(scores) != 2 or not 1 <= scores[0] <= scores[1]):
            raise ValueError(f"{list(scores)} is no range of scores; write the lowest, then the highest, such as [4, 5]")
        return scores


class Loyalty(Model):
    """Who is loyal: buys often, and did so recently."""

    frequency: Quantile = Field(default=0.6, description="the quantile of purchases that a loyal customer reaches")
    at_least: int = Field(default=2, ge=1, description="never fewer purchases than these, whatever the quantile comes to")
    recency: Quantile = Field(default=0.6, description="the quantile of recency up to which the last purchase is recent")


class AtRisk(Model):
    """Who is at risk: bought often enough to be missed, and has fallen silent."""

    frequency: Quantile = Field(default=0.6, description="the quantile of purchases from which a silent customer is missed")
    at_least: int = Field(default=2, ge=1, description="never fewer purchases than these, whatever the quantile comes to")


class Dormant(Model):
    """Who is dormant: no sign of any kind for long."""

    quantile: Quantile | None = Field(default=None, description="the quantile of recency beyond which silence is dormancy")
    after: DurationText | None = Field(default=None, description="or a plain duration, such as 180d")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.quantile is None) is (self.after is None):
            raise ValueError("write either `quantile: 0.9` or `after: 180d`")
        if self.after is not None:
            parse_duration(self.after)
        return self


class LifeCycle(Model):
    """Where the life-cycle stages begin."""

    interest_within: DurationText = Field(
        default="30d", description="how long a sign of interest counts, such as 30d; half of dormancy where its quantile comes sooner"
    )
    loyalty: Loyalty = Field(default=Loyalty(), description="who is loyal")
    at_risk: AtRisk = Field(default=AtRisk(), description="who is at risk")
    dormant: Dormant = Field(default=Dormant(quantile=0.9), description="who is dormant")

    @field_validator("interest_within")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.dormant.quantile is not None and self.dormant.quantile <= self.loyalty.recency:
            raise ValueError("`dormant`: its quantile must be above the recency of `loyalty`, or nobody could be at risk")
        return self


class StagesModel(Model):
    """`journeys/stages.yaml`: RFM groups and life-cycle stages, over quantiles."""

    purchase: Purchase = Field(default=Purchase(), description="the event that is a purchase")
    window: DurationText = Field(default="365d", description="how far back purchases count, such as 365d")
    signs: tuple[EventName, ...] = Field(min_length=1, description="events that show that someone is still there, such as Session Started")
    interest: tuple[EventName, ...] = Field(min_length=1, description="events that show interest, such as Product Viewed")
    minimum: int = Field(default=200, ge=10, description="customers without whom no quantile is computed")
    quantiles: Cuts = Field(default=Cuts(), description="the shares at which scores change")
    groups: tuple[Group, ...] = Field(min_length=1, description="RFM cells by name; each cell is in one group")
    stages: LifeCycle = Field(default=LifeCycle(), description="where the life-cycle stages begin")

    @field_validator("window")
    @classmethod
    def _is_duration(cls, text: str) -> str:
        parse_duration(text)
        return text

    @field_validator("signs", "interest")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) != len(names):
            raise ValueError("an event stands here twice; leave one out")
        return names

    @model_validator(mode="after")
    def _each_cell_once(self) -> Self:
        names = [group.group for group in self.groups]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"`groups`: two groups are called `{name}`; rename one")
        tops = self.tops()
        for group in self.groups:
            for axis, top in tops.items():
                scores = getattr(group, axis)
                if scores is not None and scores[1] > top:
                    raise ValueError(f"`groups`: `{group.group}` asks for {axis} score {scores[1]}; the highest is {top}")
        homes: dict[Cell, list[str]] = {cell: [] for cell in self.cells(None)}
        for group in self.groups:
            for cell in self.cells(group):
                homes[cell].append(group.group)
        for number, what in ((0, "in no group"), (2, "in more than one group")):
            wrong = [cell for cell, found in homes.items() if min(len(found), 2) == number]
            if wrong:
                cells = ", ".join(f"R{r} F{f} M{m}" for r, f, m in wrong[:_SHOWN]) + (" …" if len(wrong) > _SHOWN else "")
                which = "" if number == 0 else f" ({', '.join(homes[wrong[0]])})"
                raise ValueError(f"`groups`: {len(wrong)} of {len(homes)} cells are {what}{which}: {cells}")
        return self

    def tops(self) -> dict[str, int]:
        """Return the highest score of each axis."""
        return {axis: len(getattr(self.quantiles, axis)) + 1 for axis in ("recency", "frequency", "monetary")}

    def cells(self, group: Group | None) -> Iterator[Cell]:
        """Return the cells of a group, or all where none is given, as recency, frequency and monetary score."""
        ranges = [getattr(group, axis, None) or (1, top) for axis, top in self.tops().items()]
        r, f, m = (range(low, high + 1) for low, high in ranges)
        yield from product(r, f, m)

    def every_sign(self) -> tuple[str, ...]:
        """Return all events that show that someone is there: signs, interest and purchases, each once."""
        return tuple(dict.fromkeys((*self.signs, *self.interest, self.purchase.event)))


__all__ = ["RFM", "STAGE", "STAGES", "Cell", "Group", "LifeCycle", "Purchase", "StagesModel"]
